"""The built-in blocks: if, unless, each, with; and the section ``{{#name}}`` over data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from services.render.handlebars.output import Output
from services.render.handlebars.paths import Getter
from services.render.handlebars.scope import LoopVariables, Scope
from services.render.handlebars.values import is_true, ordered

Emit: TypeAlias = Callable[[Scope, Output], None]


@dataclass(frozen=True, slots=True)
class BlockParts:
    """A block, compiled. options: by key, such as includeZero. names: of ``as |…|``."""

    argument: Getter
    options: Mapping[str, Getter]
    names: tuple[str, ...]
    program: Emit
    inverse: Emit


@dataclass(frozen=True, slots=True)
class BlockHelper:
    """How a block is made of its parts. options: the keys it knows. names: how many it can give.

    parameter: what its argument is called. summary, example: as of a Helper.
    """

    make: Callable[[BlockParts], Emit]
    options: frozenset[str] = frozenset()
    names: int = 0
    parameter: str = "value"
    summary: str = ""
    example: str = ""


def _if(parts: BlockParts) -> Emit:
    argument, program, inverse = parts.argument, parts.program, parts.inverse
    zero = parts.options.get("includeZero")

    def run(scope: Scope, out: Output) -> None:
        value = argument(scope)
        taken = is_true(value) or (zero is not None and type(value) in (int, float) and is_true(zero(scope)))
        (program if taken else inverse)(scope, out)

    return run


def _unless(parts: BlockParts) -> Emit:
    return _if(BlockParts(parts.argument, parts.options, parts.names, parts.inverse, parts.program))


def _with(parts: BlockParts) -> Emit:
    argument, program, inverse = parts.argument, parts.program, parts.inverse
    name = parts.names[0] if parts.names else ""

    def run(scope: Scope, out: Output) -> None:
        value = argument(scope)
        if not is_true(value) and type(value) not in (int, float):
            inverse(scope, out)
            return
        inside = scope.child_scope(value)
        if name:
            inside.names = {**(inside.names or {}), name: value}
        program(inside, out)

    return run


def _each(parts: BlockParts) -> Emit:
    argument, program, inverse, names = parts.argument, parts.program, parts.inverse, parts.names

    def run(scope: Scope, out: Output) -> None:
        value = argument(scope)
        if type(value) not in (list, dict) or not value:
            inverse(scope, out)
        else:
            _rounds(value, scope, out, program, names)

    return run


def _rounds(
    value: list[Any] | dict[str, Any], scope: Scope, out: Output, program: Emit, names: tuple[str, ...] = ()
) -> None:
    """Run program once for each element, in one scope that moves on."""
    inside = Scope(None, scope)
    inside.loop = LoopVariables(scope.loop)
    values = inside.loop.values
    last = len(value) - 1
    pairs = ordered(value).items() if type(value) is dict else enumerate(value)
    for index, (key, element) in enumerate(pairs):
        out.round()
        inside.value = element
        values["index"], values["key"] = index, key
        values["first"], values["last"] = index == 0, index == last
        if names:
            inside.names = dict(zip(names, (element, key), strict=False))
        program(inside, out)


def section_block(argument: Getter, program: Emit, inverse: Emit) -> Emit:
    """Return ``{{#name}}``: a list is looped over, any other value but None and false is entered."""

    def run(scope: Scope, out: Output) -> None:
        value = argument(scope)
        if value is None or value is False or (type(value) is list and not value):
            inverse(scope, out)
        elif value is True:
            program(scope, out)
        elif type(value) is list:
            _rounds(value, scope, out, program)
        else:
            program(scope.child_scope(value), out)

    return run


def condition_block(argument: Getter, program: Emit, inverse: Emit) -> Emit:
    """Return the block of a helper that says yes or no."""

    def run(scope: Scope, out: Output) -> None:
        (program if is_true(argument(scope)) else inverse)(scope, out)

    return run


BLOCK_HELPERS: Mapping[str, BlockHelper] = {
    "if": BlockHelper(
        _if,
        options=frozenset(("includeZero",)),
        parameter="condition",
        summary="Writes its block if the value is true, otherwise the part after else.",
        example="{{#if vip}}VIP{{else}}guest{{/if}}",
    ),
    "unless": BlockHelper(
        _unless,
        options=frozenset(("includeZero",)),
        parameter="condition",
        summary="Writes its block if the value is missing, empty, 0 or false.",
        example="{{#unless nick}}no nickname{{/unless}}",
    ),
    "each": BlockHelper(
        _each,
        names=2,
        parameter="list",
        summary="Repeats its block for each element of a list or an object.",
        example="{{#each items}}{{@index}} {{name}}{{#unless @last}}, {{/unless}}{{/each}}",
    ),
    "with": BlockHelper(
        _with,
        names=1,
        parameter="object",
        summary="Looks up the names in its block in this value.",
        example="{{#with address}}{{zip}} {{city}} for {{../name}}{{/with}}",
    ),
}
