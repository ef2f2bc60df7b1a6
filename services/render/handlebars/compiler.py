"""From a template's tree to closures over plain data.

A name without arguments is always data, so no variable's name is reserved; only with arguments can it
be a helper.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from services.render.handlebars.blocks import BLOCK_HELPERS, BlockHelper, Emit, Parts, section
from services.render.handlebars.lexer import TemplateFaultError
from services.render.handlebars.output import Output
from services.render.handlebars.paths import Getter, getter
from services.render.handlebars.scope import Scope
from services.render.handlebars.syntax import parse
from services.render.handlebars.tree import Block, Call, Expression, Literal, Mustache, Node, Path, Program, Text
from services.render.handlebars.values import child, escape, text_of

_Names: TypeAlias = frozenset[str]

# What a compiled tag roughly holds in memory, bytes.
_TAG_COST = 800


def _lookup(value: Any, key: Any) -> Any:
    return child(value, text_of(key))


# Inline helpers: plain values in, a plain value out; with the number of arguments each takes.
HELPERS: dict[str, tuple[Callable[..., Any], int]] = {"lookup": (_lookup, 2)}


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. cost: bytes it roughly holds in memory."""

    emit: Emit
    program: Program
    cost: int

    def render(self, data: dict[str, Any], output: Output) -> str:
        """Return the text. Raises what Output raises; MemoryError, RecursionError on monstrous data."""
        self.emit(Scope(data), output)
        return output.text()


def compile_template(source: str, *, escaping: bool) -> Template:
    """Compile source. escaping: ``{{x}}`` is escaped for HTML. Raises TemplateFaultError."""
    program = parse(source)
    compiler = _Compiler(escaping=escaping)
    emit = compiler.program(program, frozenset())
    return Template(emit, program, len(source) + _TAG_COST * compiler.tags)


class _Compiler:
    """names, where it is passed: those given by ``as |…|`` around the place."""

    def __init__(self, *, escaping: bool) -> None:
        self._escaping = escaping
        self.tags = 1

    def program(self, program: Program, names: _Names) -> Emit:
        steps = tuple(self._node(node, names) for node in program.nodes)
        if not steps:
            return _nothing
        if len(steps) == 1:
            return steps[0]

        def run(scope: Scope, out: Output) -> None:
            for step in steps:
                step(scope, out)

        return run

    def _node(self, node: Node, names: _Names) -> Emit:
        if isinstance(node, Text):
            return _writes(node.value)
        self.tags += 1
        if isinstance(node, Mustache):
            return self._mustache(node, names)
        return self._block(node, names)

    def _mustache(self, node: Mustache, names: _Names) -> Emit:
        call = node.call
        value = self._call(call, names) if call.has_arguments else _written(call.target, names)
        if node.escaped and self._escaping:
            return lambda scope, out: out.write(escape(text_of(value(scope))))
        return lambda scope, out: out.write(text_of(value(scope)))

    def _block(self, node: Block, names: _Names) -> Emit:
        call = node.call
        helper = _block_helper(node)
        program = self.program(node.program, names | set(node.names))
        inverse = self.program(node.inverse, names)
        if helper is None:
            return section(_data_getter(call.target, names), program, inverse)
        options = {key: self._expression(value, names) for key, value in call.options}
        return helper.make(Parts(self._expression(call.args[0], names), options, node.names, program, inverse))

    def _expression(self, expression: Expression, names: _Names) -> Getter:
        if isinstance(expression, Literal):
            value = expression.value
            return lambda _scope: value
        if isinstance(expression, Path):
            return getter(expression, names)
        return self._call(expression, names)

    def _call(self, call: Call, names: _Names) -> Getter:
        name = call.target.text
        if name not in HELPERS:
            reason = "is a block helper: write {{#" + name + "}}" if name in BLOCK_HELPERS else "is not a helper"
            raise TemplateFaultError(f"{name!r} {reason}", call.line)
        helper, count = HELPERS[name]
        if len(call.args) != count or call.options:
            raise TemplateFaultError(f"{name!r} takes {count} arguments", call.line)
        arguments = [self._expression(argument, names) for argument in call.args]
        return lambda scope: helper(*[argument(scope) for argument in arguments])


def _block_helper(node: Block) -> BlockHelper | None:
    """Return the block's helper, None for a section over data. Raises TemplateFaultError."""
    call = node.call
    name = call.target.text
    if not call.has_arguments:
        if node.names:
            raise TemplateFaultError("as |names| belongs to each and with", call.line)
        return None
    helper = BLOCK_HELPERS.get(name)
    if helper is None:
        raise TemplateFaultError(f"{name!r} is not a block helper", call.line)
    if len(call.args) != 1:
        raise TemplateFaultError(f"{name!r} takes one argument", call.line)
    for key, _ in call.options:
        if key not in helper.options:
            raise TemplateFaultError(f"{name!r} does not know {key!r}", call.line)
    if len(node.names) > helper.names:
        raise TemplateFaultError(f"{name!r} gives {helper.names} names", call.line)
    return helper


def _data_getter(target: Path | Literal, names: _Names) -> Getter:
    """What a lone name refers to: data, even where it is written as a literal such as ``{{true}}``."""
    path = Path((target.text,), bare=True, text=target.text) if isinstance(target, Literal) else target
    return getter(path, names)


def _written(target: Path | Literal, names: _Names) -> Getter:
    value = _data_getter(target, names)
    if target.text != "this":
        return value

    def this(scope: Scope) -> Any:
        found = value(scope)
        # An object has no text of its own, so a variable called "this" comes first.
        return found["this"] if type(found) is dict and "this" in found else found

    return this


def _nothing(_scope: Scope, _out: Output) -> None:
    pass


def _writes(text: str) -> Emit:
    return lambda _scope, out: out.write(text)
