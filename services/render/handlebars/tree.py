"""The tree of a template. Lines and columns count from 1."""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ContentStatement:
    """Literal text."""

    value: str
    line: int


@dataclass(frozen=True, slots=True)
class PathExpression:
    """A way to a value: ``../a.b``, ``@index``, ``this``.

    depth: how many ``../`` stand before it. data: it starts with ``@``. bare: one plain name, which may
    also name a helper where arguments follow. scoped: it starts with ``this`` or ``.``, so it is data.
    text: as written.
    """

    parts: tuple[str, ...]
    depth: int = 0
    data: bool = False
    bare: bool = False
    scoped: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, true, false, null or undefined, and how it was written."""

    value: str | float | bool | None
    text: str


@dataclass(frozen=True, slots=True)
class CallExpression:
    """A name with what follows it: arguments, ``key=value`` options."""

    target: "PathExpression | Literal"
    args: "tuple[Expression, ...]"
    options: "tuple[tuple[str, Expression], ...]"
    line: int
    column: int

    @property
    def has_arguments(self) -> bool:
        """Return whether anything follows the name: only then can it be a helper."""
        return bool(self.args or self.options)


Expression: TypeAlias = PathExpression | Literal | CallExpression


@dataclass(frozen=True, slots=True)
class MustacheStatement:
    """``{{…}}``, or ``{{{…}}}`` with escaped False."""

    call: CallExpression
    escaped: bool


@dataclass(frozen=True, slots=True)
class BlockStatement:
    """``{{#name …}} program {{else}} inverse {{/name}}``. names: of ``as |item index|``."""

    call: CallExpression
    names: tuple[str, ...]
    program: "Program"
    inverse: "Program"


@dataclass(frozen=True, slots=True)
class PartialStatement:
    """``{{> name context key=value}}``, or ``{{#> name}} block {{/name}}``.

    name: as written, or an expression that says it. indent: what each line of it is moved by.
    """

    name: "str | CallExpression"
    context: "Expression | None"
    options: "tuple[tuple[str, Expression], ...]"
    line: int
    column: int
    indent: str = ""
    block: "Program | None" = None


@dataclass(frozen=True, slots=True)
class InlinePartial:
    """``{{#*inline "name"}} program {{/inline}}``: a partial for the block around it."""

    name: str
    program: "Program"


Node: TypeAlias = ContentStatement | MustacheStatement | BlockStatement | PartialStatement | InlinePartial


@dataclass(frozen=True, slots=True)
class Program:
    """A run of nodes."""

    nodes: tuple[Node, ...] = field(default=())
