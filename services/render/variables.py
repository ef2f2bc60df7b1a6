"""Which variables a template uses, and which of them its data lack: for previews. Runs in worker processes only.

Reads a template with data as a rendering would. What would not be rendered (a branch that is not taken, the block of
an empty list) is read too, but only to find the names in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.render.branches import Branches
from services.render.frames import Branch, Missing
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
from services.render.handlebars.values import child, is_true
from services.render.variable_scopes import (
    UNKNOWN,
    VariableScope,
    elements_of,
    is_something,
    joined,
    location_of,
    member_of,
    start_of,
)

MAX_MISSING = 100
# Limits for nodes of the template that are read, and for partials within partials.
_MAX_STEPS = 20_000
_MAX_DEPTH = 32

# Helpers that test whether a value is there: a missing argument is what they are for.
_TESTING_HELPERS = frozenset(("if", "unless", "default", "and", "or", "not", "eq", "ne", "json"))


@dataclass(frozen=True, slots=True)
class _Position:
    """A position in the template. part: as Fault.field. is_rendered: whether a rendering would come here."""

    part: str
    scope: VariableScope
    partials: Mapping[str, tuple[Program, str]]
    is_rendered: bool = True
    depth: int = 0

    def at(self, scope: VariableScope) -> "_Position":
        return _Position(self.part, scope, self.partials, self.is_rendered, self.depth)

    def not_rendered(self) -> "_Position":
        return _Position(self.part, self.scope, self.partials, is_rendered=False, depth=self.depth)


class VariableUsage:
    """Collects the variables of all parts of a version. helpers, culture: as in the rendering."""

    def __init__(self, data: dict[str, Any], helpers: Mapping[str, Helper], culture: Culture) -> None:
        self._data = data
        self._helpers = helpers
        self._culture = culture
        self._missing: dict[str, Missing] = {}
        self._used: set[str] = set()
        self._is_all_used = False
        self._steps = 0
        self._branches = Branches()

    def part(self, name: str, template: CompiledTemplate, *, known: Sequence[str] = ()) -> None:
        """Read one part. known: names that are there whatever the data."""
        scope = VariableScope({**self._data, **dict.fromkeys(known, "")}, "")
        partials = {key: (program, f"partials.{key}") for key, program in template.partials.items()}
        self._program(template.program, _Position(name, scope, partials))

    def missing(self) -> list[Missing]:
        """Return the variables that the data lack, in the order of their use."""
        return list(self._missing.values())[:MAX_MISSING]

    def unused(self, names: Sequence[str]) -> list[str]:
        """Return those of the data's names that no part uses."""
        return [] if self._is_all_used else [name for name in names if name not in self._used]

    def branches(self) -> list[Branch]:
        """Return the branches of the blocks that are rendered; none if the template is too long to be read whole."""
        return [] if self._steps > _MAX_STEPS else self._branches.found()

    def _program(self, program: Program, position: _Position) -> None:
        inline = {node.name: (node.program, position.part) for node in program.nodes if isinstance(node, InlinePartial)}
        if inline:
            partials = {**position.partials, **inline}
            position = _Position(position.part, position.scope, partials, position.is_rendered, position.depth)
        for node in program.nodes:
            self._steps += 1
            if self._steps > _MAX_STEPS:
                return
            if isinstance(node, MustacheStatement):
                self._call(node.call, position)
            elif isinstance(node, BlockStatement):
                self._block(node, position)
            elif isinstance(node, PartialStatement):
                self._partial(node, position)

    def _call(self, call: CallExpression, position: _Position) -> Any:
        """Return the value of a tag or subexpression."""
        if not call.has_arguments:
            return self._read(call.target, call.line, position)
        name = call.target.text
        asked = position.not_rendered() if name in _TESTING_HELPERS else position
        arguments = tuple(self._value(argument, call.line, asked) for argument in call.args)
        options = {key: self._value(option, call.line, position) for key, option in call.options}
        helper = self._helpers.get(name)
        if helper is None or UNKNOWN in arguments or UNKNOWN in options.values():
            return UNKNOWN
        try:
            return helper.call(arguments, options, self._culture)
        except Exception:
            return UNKNOWN

    def _value(self, expression: Expression, line: int, position: _Position) -> Any:
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, PathExpression):
            return self._read(expression, line, position)
        return self._call(expression, position)

    def _block(self, node: BlockStatement, position: _Position) -> None:
        name = node.call.target.text if node.call.has_arguments else ""
        if name in ("each", "with"):
            subject = node.call.args[0]
            asked = (
                position.not_rendered() if node.inverse.nodes else position
            )  # an else block says what to do without the value
            value = self._value(subject, node.call.line, asked)
            self._enter(node, value, location_of(subject, position.scope), position, is_loop=name == "each")
            return
        if name or isinstance(node.call.target, Literal):
            self._decide(node, name, position)
            return
        value = self._read(node.call.target, node.call.line, position.not_rendered())
        if value is True:
            self._note(node, position, taken=True)
            self._taken(node.program, node.inverse, position)
        else:
            self._enter(
                node, value, location_of(node.call.target, position.scope), position, is_loop=isinstance(value, list)
            )

    def _decide(self, node: BlockStatement, name: str, position: _Position) -> None:
        call = node.call
        if name in ("if", "unless"):
            value = self._value(call.args[0], call.line, position.not_rendered())
        else:
            value = self._call(call, position)
        if value is UNKNOWN and not position.is_rendered:
            self._program(node.program, position)
            self._program(node.inverse, position)
            return
        taken = is_true(None if value is UNKNOWN else value) != (name == "unless")
        self._note(node, position, taken=None if value is UNKNOWN else taken)
        if taken:
            self._taken(node.program, node.inverse, position)
        else:
            self._taken(node.inverse, node.program, position)

    def _note(self, node: BlockStatement, position: _Position, *, taken: bool | None) -> None:
        """Note which branch of a block is rendered. None: it is not known."""
        if position.is_rendered:
            self._branches.note(position.part, node, taken=taken)

    def _taken(self, taken: Program, other: Program, position: _Position) -> None:
        self._program(taken, position)
        self._program(other, position.not_rendered())

    def _enter(
        self, node: BlockStatement, value: Any, location: str | None, position: _Position, *, is_loop: bool
    ) -> None:
        """Read a block for another value, or for each of its elements."""
        elements = elements_of(value) if is_loop else ([("", value)] if is_something(value) else [])
        self._note(node, position, taken=None if value is UNKNOWN else bool(elements))
        names = node.names
        for key, element in elements:
            where = joined(location, key)
            given = dict(zip(names, ((element, where), (key, None)), strict=False))
            scope = VariableScope(element, where, position.scope, given)
            self._program(node.program, position.at(scope))
        if not elements:
            given = dict.fromkeys(names, (UNKNOWN, None))
            self._program(node.program, position.not_rendered().at(VariableScope(UNKNOWN, None, position.scope, given)))
        self._program(node.inverse, position.not_rendered() if elements else position)

    def _partial(self, node: PartialStatement, position: _Position) -> None:
        if position.depth >= _MAX_DEPTH:
            return
        scope = position.scope
        if node.context is not None:
            value = self._value(node.context, node.line, position)
            scope = VariableScope(value, location_of(node.context, scope), None)
        if node.options:
            given = {key: self._value(option, node.line, position) for key, option in node.options}
            base = scope.value if type(scope.value) is dict else {}
            scope = VariableScope({**base, **given}, scope.location, None)
        found = position.partials.get(node.name) if isinstance(node.name, str) else None
        if isinstance(node.name, CallExpression):
            self._call(node.name, position)
        if node.block is not None:
            self._program(node.block, position if found is None else position.not_rendered())
        if found is not None:
            program, part = found
            self._program(program, _Position(part, scope, position.partials, position.is_rendered, position.depth + 1))

    def _read(self, target: PathExpression | Literal, line: int, position: _Position) -> Any:
        """Return the value of a path, and note its use."""
        path = PathExpression((target.text,), text=target.text) if isinstance(target, Literal) else target
        if path.data:
            return self._read_special(path)
        scope: VariableScope | None = position.scope
        for _ in range(path.depth):
            scope = None if scope is None else scope.parent
        if scope is None:
            return UNKNOWN
        value, location, parts = start_of(scope, path)
        if location == "":
            self._use(parts)
        for part in parts:
            value = UNKNOWN if value is UNKNOWN else member_of(value, part)
            if value is None:
                self._miss(joined(location, ".".join(parts)) or path.text, line, position)
                return None
        return value

    def _read_special(self, path: PathExpression) -> Any:
        if path.parts[0] != "root":
            return UNKNOWN
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

    def _miss(self, name: str, line: int, position: _Position) -> None:
        if position.is_rendered and name not in self._missing and len(self._missing) < MAX_MISSING:
            self._missing[name] = Missing(name, position.part, line)
