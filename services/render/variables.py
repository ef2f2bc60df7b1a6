"""What a template asks of its data, seen by walking through it with some: for previews. Runs in worker processes only.

The walk goes the way a rendering would; where that does not lead (a branch that is not taken, an empty list), it
only notes which names are mentioned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.render.frames import Missing
from services.render.handlebars import (
    BlockStatement,
    CompiledTemplate,
    Culture,
    Helper,
    InlinePartial,
    PartialStatement,
    Program,
)
from services.render.handlebars.tree import CallExpression, Expression, Literal, MustacheStatement, PathExpression
from services.render.handlebars.values import child, is_true, ordered

MAX_MISSING = 100
# Elements of a list that are looked at, nodes of the template that are, and partials within partials.
_MAX_ELEMENTS = 20
_MAX_STEPS = 20_000
_MAX_DEPTH = 32

# They are there to ask whether something is missing.
_ASKING = frozenset(("if", "unless", "default", "and", "or", "not", "eq", "ne", "json"))


class _Unknown:
    """Stands for data that nobody has."""


_UNKNOWN = _Unknown()


@dataclass(frozen=True, slots=True)
class _Scope:
    """value: what names are looked up in. prefix: where that stands in the data; None: nowhere.

    names: given by ``as |…|``, with where each stands.
    """

    value: Any
    prefix: str | None
    parent: "_Scope | None" = None
    names: Mapping[str, tuple[Any, str | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk is. part: as Fault.field. is_live: a rendering would come here."""

    part: str
    scope: _Scope
    partials: Mapping[str, tuple[Program, str]]
    is_live: bool = True
    depth: int = 0

    def at(self, scope: _Scope) -> "_Place":
        return _Place(self.part, scope, self.partials, self.is_live, self.depth)

    def dead(self) -> "_Place":
        return _Place(self.part, self.scope, self.partials, is_live=False, depth=self.depth)


class Walk:
    """Collects over all of a version's parts. helpers, culture: as in the rendering."""

    def __init__(self, data: dict[str, Any], helpers: Mapping[str, Helper], culture: Culture) -> None:
        self._data = data
        self._helpers = helpers
        self._culture = culture
        self._missing: dict[str, Missing] = {}
        self._used: set[str] = set()
        self._is_all_used = False
        self._steps = 0

    def part(self, name: str, template: CompiledTemplate, *, known: Sequence[str] = ()) -> None:
        """Walk through one part. known: names that it has whatever the data."""
        scope = _Scope({**self._data, **dict.fromkeys(known, "")}, "")
        partials = {key: (program, f"partials.{key}") for key, program in template.partials.items()}
        self._program(template.program, _Place(name, scope, partials))

    def missing(self) -> list[Missing]:
        """Return what was asked for and is not there, in the order of asking."""
        return list(self._missing.values())[:MAX_MISSING]

    def unused(self, names: Sequence[str]) -> list[str]:
        """Return those of the data's names that no part mentions."""
        return [] if self._is_all_used else [name for name in names if name not in self._used]

    def _program(self, program: Program, place: _Place) -> None:
        inline = {node.name: (node.program, place.part) for node in program.nodes if isinstance(node, InlinePartial)}
        if inline:
            partials = {**place.partials, **inline}
            place = _Place(place.part, place.scope, partials, place.is_live, place.depth)
        for node in program.nodes:
            self._steps += 1
            if self._steps > _MAX_STEPS:
                return
            if isinstance(node, MustacheStatement):
                self._call(node.call, place)
            elif isinstance(node, BlockStatement):
                self._block(node, place)
            elif isinstance(node, PartialStatement):
                self._partial(node, place)

    def _call(self, call: CallExpression, place: _Place) -> Any:
        """Return what the tag or subexpression gives."""
        if not call.has_arguments:
            return self._read(call.target, call.line, place)
        name = call.target.text
        asked = place.dead() if name in _ASKING else place
        arguments = tuple(self._value(argument, call.line, asked) for argument in call.args)
        options = {key: self._value(option, call.line, place) for key, option in call.options}
        helper = self._helpers.get(name)
        if helper is None or _UNKNOWN in arguments or _UNKNOWN in options.values():
            return _UNKNOWN
        try:
            return helper.call(arguments, options, self._culture)
        except Exception:
            return _UNKNOWN

    def _value(self, expression: Expression, line: int, place: _Place) -> Any:
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, PathExpression):
            return self._read(expression, line, place)
        return self._call(expression, place)

    def _block(self, node: BlockStatement, place: _Place) -> None:
        name = node.call.target.text if node.call.has_arguments else ""
        if name in ("each", "with"):
            subject = node.call.args[0]
            asked = place.dead() if node.inverse.nodes else place  # who has an answer to nothing asks for nothing
            value = self._value(subject, node.call.line, asked)
            self._enter(node, value, _prefix(subject, place.scope), place, is_loop=name == "each")
            return
        if name or isinstance(node.call.target, Literal):
            self._decide(node, name, place)
            return
        value = self._read(node.call.target, node.call.line, place.dead())
        if value is True:
            self._taken(node.program, node.inverse, place)
        else:
            self._enter(node, value, _prefix(node.call.target, place.scope), place, is_loop=isinstance(value, list))

    def _decide(self, node: BlockStatement, name: str, place: _Place) -> None:
        call = node.call
        if name in ("if", "unless"):
            value = self._value(call.args[0], call.line, place.dead())
        else:
            value = self._call(call, place)
        if value is _UNKNOWN and not place.is_live:
            self._program(node.program, place)
            self._program(node.inverse, place)
        elif is_true(None if value is _UNKNOWN else value) != (name == "unless"):
            self._taken(node.program, node.inverse, place)
        else:
            self._taken(node.inverse, node.program, place)

    def _taken(self, taken: Program, other: Program, place: _Place) -> None:
        self._program(taken, place)
        self._program(other, place.dead())

    def _enter(self, node: BlockStatement, value: Any, prefix: str | None, place: _Place, *, is_loop: bool) -> None:
        """Walk through a block whose data are another value, or that value's elements."""
        elements = _elements(value) if is_loop else ([("", value)] if _is_something(value) else [])
        names = node.names
        for key, element in elements:
            where = _joined(prefix, key)
            given = dict(zip(names, ((element, where), (key, None)), strict=False))
            scope = _Scope(element, where, place.scope, given)
            self._program(node.program, place.at(scope))
        if not elements:
            given = dict.fromkeys(names, (_UNKNOWN, None))
            self._program(node.program, place.dead().at(_Scope(_UNKNOWN, None, place.scope, given)))
        self._program(node.inverse, place.dead() if elements else place)

    def _partial(self, node: PartialStatement, place: _Place) -> None:
        if place.depth >= _MAX_DEPTH:
            return
        scope = place.scope
        if node.context is not None:
            value = self._value(node.context, node.line, place)
            scope = _Scope(value, _prefix(node.context, scope), None)
        if node.options:
            given = {key: self._value(option, node.line, place) for key, option in node.options}
            base = scope.value if type(scope.value) is dict else {}
            scope = _Scope({**base, **given}, scope.prefix, None)
        found = place.partials.get(node.name) if isinstance(node.name, str) else None
        if isinstance(node.name, CallExpression):
            self._call(node.name, place)
        if node.block is not None:
            self._program(node.block, place if found is None else place.dead())
        if found is not None:
            program, part = found
            self._program(program, _Place(part, scope, place.partials, place.is_live, place.depth + 1))

    def _read(self, target: PathExpression | Literal, line: int, place: _Place) -> Any:
        """Return the value under a name, and note that it was asked for."""
        path = PathExpression((target.text,), text=target.text) if isinstance(target, Literal) else target
        if path.data:
            return self._read_special(path)
        scope: _Scope | None = place.scope
        for _ in range(path.depth):
            scope = None if scope is None else scope.parent
        if scope is None:
            return _UNKNOWN
        value, prefix, parts = _start(scope, path)
        if prefix == "":
            self._use(parts)
        for part in parts:
            value = _UNKNOWN if value is _UNKNOWN else _child(value, part)
            if value is None:
                self._miss(_joined(prefix, ".".join(parts)) or path.text, line, place)
                return None
        return value

    def _read_special(self, path: PathExpression) -> Any:
        if path.parts[0] != "root":
            return _UNKNOWN
        self._use(path.parts[1:])
        value: Any = self._data
        for part in path.parts[1:]:
            value = child(value, part)
        return value

    def _use(self, parts: Sequence[str]) -> None:
        if parts:
            self._used.add(parts[0])
        else:
            self._is_all_used = True

    def _miss(self, name: str, line: int, place: _Place) -> None:
        if place.is_live and name not in self._missing and len(self._missing) < MAX_MISSING:
            self._missing[name] = Missing(name, place.part, line)


def _start(scope: _Scope, path: PathExpression) -> tuple[Any, str | None, tuple[str, ...]]:
    """Return the value in which a path begins, where that stands, and what is left of the path."""
    if path.parts and not path.depth and not path.scoped:
        around: _Scope | None = scope
        while around is not None:
            if path.parts[0] in around.names:
                value, prefix = around.names[path.parts[0]]
                return value, prefix, path.parts[1:]
            around = around.parent
    return scope.value, scope.prefix, path.parts


def _prefix(expression: Expression, scope: _Scope) -> str | None:
    """Return where in the data a path leads; None where that cannot be said."""
    if not isinstance(expression, PathExpression) or expression.data:
        return None
    at: _Scope | None = scope
    for _ in range(expression.depth):
        at = None if at is None else at.parent
    if at is None:
        return None
    _, prefix, parts = _start(at, expression)
    return _joined(prefix, ".".join(parts))


def _joined(prefix: str | None, name: str) -> str | None:
    if prefix is None:
        return None
    return f"{prefix}.{name}" if prefix and name else prefix or name


def _elements(value: Any) -> list[tuple[str, Any]]:
    if type(value) is dict:
        return list(ordered(value).items())[:_MAX_ELEMENTS]
    if type(value) is list:
        return [(str(index), element) for index, element in enumerate(value[:_MAX_ELEMENTS])]
    return []


def _child(value: Any, part: str) -> Any:
    """As values.child; what is there and null is not missing."""
    if type(value) is dict and part in value and value[part] is None:
        return _UNKNOWN
    return child(value, part)


def _is_something(value: Any) -> bool:
    return value is not _UNKNOWN and (is_true(value) or type(value) in (int, float))
