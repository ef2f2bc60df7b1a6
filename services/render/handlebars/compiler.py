"""From a template's tree to closures over plain data.

A name without arguments is always data, so no variable's name is reserved; only with arguments can it
be a helper.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from services.render.handlebars.blocks import (
    BLOCK_HELPERS,
    BlockHelper,
    BlockParts,
    Emit,
    condition_block,
    section_block,
)
from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import BUILT_IN, Helper
from services.render.handlebars.lexer import TemplateFaultError
from services.render.handlebars.output import Output, OutputTooLargeError
from services.render.handlebars.partials import BLOCK, LibraryPartial, PartialCall, compile_partial_call, with_inlines
from services.render.handlebars.paths import Getter, getter
from services.render.handlebars.scope import Rendering, Scope, VisiblePartials
from services.render.handlebars.syntax import MAX_TAGS, parse
from services.render.handlebars.tree import (
    BlockStatement,
    CallExpression,
    ContentStatement,
    Expression,
    InlinePartial,
    Literal,
    MustacheStatement,
    Node,
    PartialStatement,
    PathExpression,
    Program,
)
from services.render.handlebars.values import escape, text_of

_Names: TypeAlias = frozenset[str]
_Writing: TypeAlias = Callable[[str], str]

# What a compiled tag roughly holds in memory, bytes.
_TAG_COST = 800

_NOBODY = Culture()


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A compiled template. partials: the trees of those it can call. cost: bytes it roughly holds in memory."""

    emit: Emit
    program: Program
    partials: Mapping[str, Program]
    cost: int

    def render(self, data: dict[str, Any], output: Output, culture: Culture = _NOBODY) -> str:
        """Return the text.

        Raises what Output raises; TemplateFaultError where a partial is missing; MemoryError, RecursionError on
        monstrous data.
        """
        self.emit(Scope.outermost(Rendering(data, output, culture)), output)
        return output.text()


def compile_template(
    source: str,
    *,
    escaping: bool,
    marking: _Writing | None = None,
    partials: Mapping[str, str] | None = None,
    helpers: Mapping[str, Helper] = BUILT_IN,
) -> CompiledTemplate:
    """Compile source with the partials it calls. escaping: ``{{x}}`` is escaped for HTML.

    marking: what is made of all that tags write and that is not escaped. partials: texts by name. Raises
    TemplateFaultError, also for a partial or helper that there is not.
    """
    unit = _Unit(partials or {}, helpers, escape if escaping else marking, marking)
    program = parse(source)
    emit = _Compiler(unit).program(program, frozenset())
    trees = unit.finish()
    size = len(source) + sum(len(unit.sources[name]) for name in trees)
    return CompiledTemplate(emit, program, trees, size + _TAG_COST * unit.tags)


class _Unit:
    """What a template and its partials share while they are compiled. inlines: every name defined anywhere.

    escaped, raw: what is made of the text that ``{{x}}`` and ``{{{x}}}`` write; None: nothing.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        helpers: Mapping[str, Helper],
        escaped: _Writing | None,
        raw: _Writing | None,
    ) -> None:
        self.sources = sources
        self.helpers = helpers
        self.escaped = escaped
        self.raw = raw
        self.tags = 1
        self.inlines: set[str] = set()
        self.library: dict[str, LibraryPartial] = {}
        self._open: list[tuple[str, TemplateFaultError]] = []

    def finish(self) -> Mapping[str, Program]:
        """Compile the partials that are called, and those they call; return their trees. Raises TemplateFaultError."""
        trees: dict[str, Program] = {}
        while missing := [name for name in self.library if name not in trees]:
            for name in missing:
                trees[name] = self._compile(name)
        for name, fault in self._open:
            # A calling template may define it as an inline partial. If none defines this name, it is a fault.
            if name not in self.inlines:
                raise fault
        return trees

    def call(self, name: str | None, fault: TemplateFaultError, *, required: bool) -> None:
        """Note that a partial is called. name: None where data say which. required: it has no block to fall back on."""
        for wanted in self.sources if name is None else (name,):
            if wanted in self.sources:
                self.library.setdefault(wanted, LibraryPartial(wanted))
            elif required and wanted != BLOCK:
                self._open.append((wanted, fault))

    def count_tag(self, line: int, column: int) -> None:
        """Count a tag. Raises TemplateFaultError."""
        self.tags += 1
        if self.tags > MAX_TAGS + 1:
            raise TemplateFaultError(f"more than {MAX_TAGS} tags with the partials", line, column)

    def _compile(self, name: str) -> Program:
        try:
            program = parse(self.sources[name])
            self.library[name].emit = _Compiler(self, name).program(program, frozenset())
        except TemplateFaultError as fault:
            raise fault.within(name) from None
        return program


class _Compiler:
    """Compiles one text. names, where it is passed: those given by ``as |…|`` around the place."""

    def __init__(self, unit: _Unit, partial: str = "") -> None:
        self._unit = unit
        self._partial_name = partial

    def program(self, program: Program, names: _Names) -> Emit:
        """Compile a run of nodes."""
        return self._program(program, self._inlines(program, names), names)

    def _program(self, program: Program, inlines: dict[str, Emit], names: _Names) -> Emit:
        steps = tuple(self._node(node, names) for node in program.nodes if not isinstance(node, InlinePartial))
        if inlines:
            return _defining(inlines, steps)
        if not steps:
            return _nothing
        if len(steps) == 1:
            return steps[0]

        def run(scope: Scope, out: Output) -> None:
            for step in steps:
                step(scope, out)

        return run

    def _inlines(self, program: Program, names: _Names) -> dict[str, Emit]:
        found = {}
        for node in program.nodes:
            if isinstance(node, InlinePartial):
                self._unit.inlines.add(node.name)
                found[node.name] = self.program(node.program, names)
        return found

    def _node(self, node: Node, names: _Names) -> Emit:
        match node:
            case ContentStatement():
                return _writes(node.value)
            case PartialStatement():
                return self._partial(node, names)
            case MustacheStatement():
                return self._mustache(node, names)
            case BlockStatement():
                return self._block(node, names)
            case InlinePartial():
                return _nothing

    def _mustache(self, node: MustacheStatement, names: _Names) -> Emit:
        call = node.call
        self._unit.count_tag(call.line, call.column)
        value = self._call(call, names) if call.has_arguments else _written(call.target, names)
        change = self._unit.escaped if node.escaped else self._unit.raw
        if change is None:
            return lambda scope, out: out.write(text_of(value(scope)))
        return lambda scope, out: out.write(change(text_of(value(scope))))

    def _block(self, node: BlockStatement, names: _Names) -> Emit:
        call = node.call
        self._unit.count_tag(call.line, call.column)
        helper = self._block_helper(node)
        program = self.program(node.program, names | set(node.names))
        inverse = self.program(node.inverse, names)
        if helper is None:
            return section_block(_data_getter(call.target, names), program, inverse)
        if isinstance(helper, Helper):
            return condition_block(self._call(call, names), program, inverse)
        options = {key: self._expression(value, names) for key, value in call.options}
        return helper.make(BlockParts(self._expression(call.args[0], names), options, node.names, program, inverse))

    def _partial(self, node: PartialStatement, names: _Names) -> Emit:
        self._unit.count_tag(node.line, node.column)
        name = node.name

        def fault(message: str) -> TemplateFaultError:
            return TemplateFaultError(message, node.line, node.column, self._partial_name)

        static = name if isinstance(name, str) else None
        self._unit.call(static, fault(f"there is no partial {static!r}"), required=node.block is None)
        inlines = {} if node.block is None else self._inlines(node.block, names)
        calling = PartialCall(
            name=name if isinstance(name, str) else self._call(name, names),
            context=None if node.context is None else self._expression(node.context, names),
            options=tuple((key, self._expression(value, names)) for key, value in node.options),
            block=None if node.block is None else self._program(node.block, inlines, names),
            inlines=inlines,
            indent=node.indent,
            fault=fault,
        )
        return compile_partial_call(calling, self._unit.library)

    def _expression(self, expression: Expression, names: _Names) -> Getter:
        if isinstance(expression, Literal):
            value = expression.value
            return lambda _scope: value
        if isinstance(expression, PathExpression):
            return getter(expression, names)
        return self._call(expression, names)

    def _call(self, call: CallExpression, names: _Names) -> Getter:
        name = call.target.text
        helper = self._unit.helpers.get(name)
        if helper is None:
            reason = "is a block helper: write {{#" + name + "}}" if name in BLOCK_HELPERS else "is not a helper"
            raise TemplateFaultError(f"{name!r} {reason}", call.line, call.column)
        if not helper.least <= len(call.args) <= helper.most:
            raise TemplateFaultError(f"{name!r} takes {helper.arity}", call.line, call.column)
        _check_options(call, helper.options)
        arguments = [self._expression(argument, names) for argument in call.args]
        if helper.takes_context:
            arguments.insert(0, lambda scope: scope.value)
        options = [(key, self._expression(value, names)) for key, value in call.options]
        return _calling(helper, arguments, options)

    def _block_helper(self, node: BlockStatement) -> BlockHelper | Helper | None:
        """Return the block's helper, None for a section over data. Raises TemplateFaultError."""
        call = node.call
        name = call.target.text
        if not call.has_arguments:
            if node.names:
                raise TemplateFaultError("as |names| belongs to each and with", call.line, call.column)
            return None
        helper = BLOCK_HELPERS.get(name)
        if helper is None:
            return self._decider(node)
        if len(call.args) != 1:
            raise TemplateFaultError(f"{name!r} takes one argument", call.line, call.column)
        _check_options(call, helper.options)
        if len(node.names) > helper.names:
            raise TemplateFaultError(f"{name!r} gives {helper.names} names", call.line, call.column)
        return helper

    def _decider(self, node: BlockStatement) -> Helper:
        """Return the helper whose yes or no opens a block."""
        call = node.call
        name = call.target.text
        helper = self._unit.helpers.get(name)
        if helper is None or not helper.decides:
            raise TemplateFaultError(f"{name!r} is not a block helper", call.line, call.column)
        if node.names:
            raise TemplateFaultError(f"{name!r} gives 0 names", call.line, call.column)
        return helper


def _check_options(call: CallExpression, known: frozenset[str] | None) -> None:
    for key, _ in call.options:
        if known is not None and key not in known:
            raise TemplateFaultError(f"{call.target.text!r} does not know {key!r}", call.line, call.column)


def _calling(helper: Helper, arguments: list[Getter], options: list[tuple[str, Getter]]) -> Getter:
    function = helper.call

    def get(scope: Scope) -> Any:
        rendering = scope.rendering
        rendering.output.round()
        given = {key: option(scope) for key, option in options}
        value = function(tuple([argument(scope) for argument in arguments]), given, rendering.culture)
        # One call inside another could double a text each time.
        if type(value) is str and len(value) > rendering.output.limit:
            raise OutputTooLargeError
        return value

    return get


def _defining(inlines: dict[str, Emit], steps: tuple[Emit, ...]) -> Emit:
    def run(scope: Scope, out: Output) -> None:
        visible = scope.visible
        scope.visible = VisiblePartials(with_inlines(inlines, scope), visible.block)
        for step in steps:
            step(scope, out)
        scope.visible = visible

    return run


def _data_getter(target: PathExpression | Literal, names: _Names) -> Getter:
    """What a lone name refers to: data, even where it is written as a literal such as ``{{true}}``."""
    path = PathExpression((target.text,), bare=True, text=target.text) if isinstance(target, Literal) else target
    return getter(path, names)


def _written(target: PathExpression | Literal, names: _Names) -> Getter:
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
