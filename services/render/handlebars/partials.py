"""Partials while a template runs: those of the library, inline ones, and the block handed to a partial."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.render.handlebars.blocks import Emit
from services.render.handlebars.lexer import TemplateFaultError
from services.render.handlebars.output import Output
from services.render.handlebars.paths import Getter
from services.render.handlebars.scope import RunnablePartial, Scope, VisiblePartials
from services.render.handlebars.values import text_of

# Partials that call partials; recursion over data (a tree of comments) is fine up to it.
MAX_CALLS = 64
# The name under which a partial finds the block that it was called with.
BLOCK = "@partial-block"


class LibraryPartial:
    """A partial of the library: a text of its own. emit: set once it is compiled, so it may call itself."""

    __slots__ = ("emit", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.emit: Emit | None = None

    def run(self, value: Any, caller: Scope, visible: VisiblePartials, out: Output) -> None:
        """Write it; the caller's scopes and names are not seen from it."""
        if self.emit is not None:
            try:
                self.emit(caller.partial_scope(value, visible), out)
            except TemplateFaultError as fault:
                raise fault.within(self.name) from None


@dataclass(frozen=True, slots=True)
class DefinedInline:
    """``{{#*inline}}``, defined in a scope."""

    emit: Emit
    definition: Scope

    def run(self, value: Any, caller: Scope, visible: VisiblePartials, out: Output) -> None:
        """Write it; it sees what was around its definition."""
        self.emit(self.definition.inline_scope(value, caller, visible), out)


@dataclass(frozen=True, slots=True)
class PassedBlock:
    """The block of ``{{#> partial}}``. around: what could be called where it stands."""

    emit: Emit
    definition: Scope
    visible: VisiblePartials

    def run(self, value: Any, caller: Scope, visible: VisiblePartials, out: Output) -> None:  # noqa: ARG002 - as RunnablePartial
        """Write it; it sees what was around it, and calls what could be called there."""
        self.emit(self.definition.inline_scope(value, caller, self.visible), out)


@dataclass(frozen=True, slots=True)
class PartialCall:
    """A partial's tag, compiled. block: of ``{{#> …}}``, with its inline partials."""

    name: str | Getter
    context: Getter | None
    options: tuple[tuple[str, Getter], ...]
    block: Emit | None
    inlines: Mapping[str, Emit]
    indent: str
    fault: Callable[[str], TemplateFaultError]


def compile_partial_call(calling: PartialCall, library: Mapping[str, LibraryPartial]) -> Emit:
    """Return what runs the tag. Raises, when run, TemplateFaultError where there is no such partial."""

    def run(scope: Scope, out: Output) -> None:
        name = calling.name if isinstance(calling.name, str) else text_of(calling.name(scope))
        visible = scope.visible
        callee = visible.block if name == BLOCK else visible.inlines.get(name) or library.get(name)
        if calling.block is not None:
            block = PassedBlock(calling.block, scope, visible)
            visible = VisiblePartials(with_inlines(calling.inlines, scope), block)
            callee = callee or block
        if callee is None:
            raise calling.fault(f"there is no partial {name!r}" if name != BLOCK else "no block was handed in here")
        _run(callee, calling, scope, visible, out)

    return run


def with_inlines(inlines: Mapping[str, Emit], scope: Scope) -> dict[str, RunnablePartial]:
    """Return what can be called where these are defined too."""
    known = scope.visible.inlines
    return {**known, **{name: DefinedInline(emit, scope) for name, emit in inlines.items()}} if inlines else known


def _run(callee: RunnablePartial, calling: PartialCall, scope: Scope, visible: VisiblePartials, out: Output) -> None:
    out.round()
    rendering = scope.rendering
    rendering.depth += 1
    if rendering.depth > MAX_CALLS:
        raise calling.fault(f"partials call each other more than {MAX_CALLS} deep")
    if calling.indent:
        before = out.aside()
        callee.run(_value(calling, scope), scope, visible, out)
        text = out.take(before)
        out.room(len(text) + text.count("\n") * len(calling.indent))
        out.write(_indented(text, calling.indent))
    else:
        callee.run(_value(calling, scope), scope, visible, out)
    rendering.depth -= 1


def _value(calling: PartialCall, scope: Scope) -> Any:
    value = scope.value if calling.context is None else calling.context(scope)
    if not calling.options:
        return value
    given = {key: option(scope) for key, option in calling.options}
    return {**value, **given} if type(value) is dict else given


def _indented(text: str, indent: str) -> str:
    lines = text.split("\n")
    last = lines.pop()
    return "".join(f"{indent}{line}\n" for line in lines) + (indent + last if last else "")
