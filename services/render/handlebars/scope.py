"""Where a name is looked up while a template runs."""

from typing import Any, Protocol

from services.render.handlebars.culture import Culture
from services.render.handlebars.output import Output


class Rendering:
    """One rendering: what all its scopes share. root: the data. depth: of partials under way."""

    __slots__ = ("culture", "depth", "output", "root")

    def __init__(self, root: Any, output: Output, culture: Culture) -> None:
        self.root = root
        self.output = output
        self.culture = culture
        self.depth = 0


class LoopVariables:
    """What a loop's round knows of itself: ``@index``, ``@key``, ``@first``, ``@last``."""

    __slots__ = ("parent", "values")

    def __init__(self, parent: "LoopVariables | None") -> None:
        self.parent = parent
        self.values: dict[str, Any] = {}


class RunnablePartial(Protocol):
    """A partial, ready to run."""

    def run(self, value: Any, caller: "Scope", visible: "VisiblePartials", out: Output) -> None:
        """Write it over value."""


class VisiblePartials:
    """The partials that can be called: inline ones by name, and the block that was handed in."""

    __slots__ = ("block", "inlines")

    def __init__(self, inlines: dict[str, RunnablePartial], block: RunnablePartial | None) -> None:
        self.inlines = inlines
        self.block = block


_NOTHING = VisiblePartials({}, None)


class Scope:
    """A value that names refer to, and the scope around it. names: those given by ``as |item index|``."""

    __slots__ = ("loop", "names", "parent", "rendering", "value", "visible")

    def __init__(self, value: Any, parent: "Scope") -> None:
        self.value = value
        self.parent: Scope | None = parent
        self.rendering: Rendering = parent.rendering
        self.loop: LoopVariables | None = parent.loop
        self.visible: VisiblePartials = parent.visible
        self.names: dict[str, Any] | None = None

    @classmethod
    def outermost(cls, rendering: Rendering) -> "Scope":
        """Return the scope a template begins in."""
        scope = cls.__new__(cls)
        scope.value, scope.parent, scope.rendering = rendering.root, None, rendering
        scope.loop, scope.visible, scope.names = None, _NOTHING, None
        return scope

    def child_scope(self, value: Any) -> "Scope":
        """Return a scope for a block over value. One over the same value again is no step for ``../``."""
        scope = Scope(value, self)
        if value is self.value:
            scope.parent, scope.names = self.parent, self.names
        return scope

    def partial_scope(self, value: Any, visible: VisiblePartials) -> "Scope":
        """Return a scope for another text called from here: nothing is above it, ``@`` names go on."""
        scope = Scope(value, self)
        scope.parent, scope.visible = None, visible
        return scope

    def inline_scope(self, value: Any, caller: "Scope", visible: VisiblePartials) -> "Scope":
        """Return a scope for a piece of the text that this scope is of, called from elsewhere."""
        scope = self.child_scope(value)
        scope.loop, scope.visible = caller.loop, visible
        return scope
