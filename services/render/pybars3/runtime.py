"""What the Python that pybars3 writes can call. Values are plain data: no attribute of one is read, none is called.

Names are looked up, blocks run and partials find their data as in services/render/handlebars, so that a template means
the same with both engines, and every round and character counts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from services.render.handlebars import Helper, OutputTooLargeError, TemplateFaultError
from services.render.handlebars.blocks import BLOCK_HELPERS, BlockParts, Emit, section_block
from services.render.handlebars.output import Output
from services.render.handlebars.partials import MAX_CALLS
from services.render.handlebars.paths import Getter, loop_value
from services.render.handlebars.scope import Scope
from services.render.handlebars.values import child, text_of
from services.render.pybars3.guard import SECTION

_Writing: TypeAlias = Callable[[str], str] | None
_UP = "@_parent"


class _Pieces(list[str]):
    """In place of pybars3's strlist: texts, counted as they are written."""

    __slots__ = ("_output",)

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def append(self, text: str) -> None:
        """Add a text."""
        self._output.count(len(text))
        super().append(text)

    def grow(self, text: "str | Iterable[str]") -> None:
        """Add a text, or what a block wrote, which is counted already."""
        if isinstance(text, str):
            self.append(text)
        else:
            self.extend(text)


@dataclass(frozen=True, slots=True)
class _Function:
    """The only kind of value that is called."""

    call: Callable[..., Any]

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.call(*arguments, **options)


class Runtime:
    """What one template and its partials share. escaped, raw: what is made of what ``{{x}}`` and ``{{{x}}}`` write."""

    def __init__(self, helpers: Mapping[str, Helper], escaped: _Writing, raw: _Writing) -> None:
        self._escaped = escaped
        self._raw = raw
        self._output: Output
        self.partials: dict[str, Callable[..., Any]] = {}
        functions = {name: _Function(partial(_call_helper, helper)) for name, helper in helpers.items()}
        functions |= {name: self._block(block.make) for name, block in BLOCK_HELPERS.items()}
        functions[SECTION] = self._block(lambda parts: section_block(parts.argument, parts.program, parts.inverse))
        functions["helperMissing"] = _Function(_missing_helper)
        self.names: dict[str, Any] = {
            "_pybars_": {"helpers": functions},
            "strlist": lambda: _Pieces(self._output),
            "str": "".join,
            "Scope": _partial_scope,
            "PybarsError": lambda message: TemplateFaultError(message, 0, 0),
            "ensure_scope": lambda scope, _root: scope,
            "resolve": _resolve,
            "resolve_subexpr": _resolve_subexpr,
            "prepare": self._prepare,
            "hasattr": lambda value, _name: type(value) is _Function,
            "partial": partial,
            "dict": dict,
        }

    def run(self, function: Callable[..., Any], scope: Scope, output: Output) -> None:
        """Write what a function of guard.compile_function() makes of a scope's data."""
        self._output = output
        text: str = function(scope, partials=_Partials(self.partials))
        output.count(-len(text))
        output.write(text)

    def _prepare(self, value: Any, should_escape: bool) -> str:  # noqa: FBT001 - pybars3 calls it so
        change = self._escaped if should_escape else self._raw
        text = text_of(value)
        return text if change is None else change(text)

    def _block(self, make: Callable[[BlockParts], Emit]) -> _Function:
        def call(scope: Scope, options: Mapping[str, Any], argument: Any, /, **given: Any) -> _Pieces:
            written = _Pieces(self._output)

            def emit(program: Callable[[Scope], Iterable[str] | None]) -> Emit:
                return lambda inside, _out: written.grow(program(inside) or ())

            values = {key: _constant(value) for key, value in given.items()}
            parts = BlockParts(_constant(argument), values, (), emit(options["fn"]), emit(options["inverse"]))
            make(parts)(scope, self._output)
            return written

        return _Function(call)


class _Partials:
    """The partials by name."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = functions

    def __contains__(self, name: Any) -> bool:
        return text_of(name) in self._functions

    def __getitem__(self, name: Any) -> Callable[..., Any]:
        found = text_of(name)
        return partial(_call_partial, found, self._functions[found])


def _call_partial(name: str, function: Callable[..., Any], scope: Scope, **shared: Any) -> Any:
    rendering = scope.rendering
    rendering.output.round()
    rendering.depth += 1
    if rendering.depth > MAX_CALLS:
        raise TemplateFaultError(f"partials call each other more than {MAX_CALLS} deep", 0, 0, name)
    written = function(scope, **shared)
    rendering.depth -= 1
    return written


def _partial_scope(value: Any, caller: Scope, _root: Any, overrides: dict[str, Any] | None) -> Scope:
    """Return a partial's scope: over a value, or over the caller's own where the tag names none."""
    value = caller.value if value is caller else value
    if overrides:
        value = {**value, **overrides} if type(value) is dict else overrides
    return caller.partial_scope(value, caller.visible)


def _call_helper(helper: Helper, scope: Scope, /, *arguments: Any, **options: Any) -> Any:
    rendering = scope.rendering
    rendering.output.round()
    given = (scope.value, *arguments) if helper.takes_context else arguments
    value = helper.call(given, options, rendering.culture)
    if type(value) is str and len(value) > rendering.output.limit:
        raise OutputTooLargeError
    return value


def _missing_helper(_scope: Scope, name: str, *_arguments: Any, **_options: Any) -> None:
    raise TemplateFaultError(f"{name!r} is not a helper", 0, 0)


def _resolve_subexpr(helpers: Mapping[str, Any], name: str, scope: Scope, *arguments: Any, **options: Any) -> Any:
    helper = helpers.get(name)
    return _missing_helper(scope, name) if helper is None else helper(scope, *arguments, **options)


def _resolve(scope: Scope, *segments: str) -> Any:
    """Return a path's value. pybars3 writes ``../a`` as "@_parent", "a", and ``@../index`` as "@@_parent", "index"."""
    parts = [segment for segment in segments if segment]
    is_data = bool(parts) and parts[0].startswith("@") and parts[0] != _UP
    depth = 0
    while depth < len(parts) and parts[depth] in (_UP, "@" + _UP):
        depth += 1
    parts = parts[depth:]
    if is_data:
        value = loop_value(scope, depth, parts[0].removeprefix("@") if parts else "")
        parts = parts[1:]
    else:
        at: Scope | None = scope
        for _ in range(depth):
            at = None if at is None else at.parent
        value = None if at is None else at.value
    for part in parts:
        value = child(value, part)
    return value


def _constant(value: Any) -> Getter:
    return lambda _scope: value
