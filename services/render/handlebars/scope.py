"""Where a name is looked up while a template runs."""

from typing import Any, Protocol

from services.render.handlebars.culture import Culture
from services.render.handlebars.output import Output


class Run:
    """One rendering: what all its scopes share. root: the data. depth: of partials under way."""

    __slots__ = ("culture", "depth", "output", "root")

    def __init__(self, root: Any, output: Output, culture: Culture) -> None:
        self.root = root
        self.output = output
        self.culture = culture
        self.depth = 0


class Frame:
    """What a loop's round knows of itself: ``@index``, ``@key``, ``@first``, ``@last``."""

    __slots__ = ("parent", "values")

    def __init__(self, parent: "Frame | None") -> None:
        self.parent = parent
        self.values: dict[str, Any] = {}


class Callee(Protocol):
    """A partial, ready to run."""

    def run(self, value: Any, caller: "Scope", around: "Around", out: Output) -> None:
        """Write it over value."""


class Around:
    """The partials that can be called: inline ones by name, and the block that was handed in."""

    __slots__ = ("block", "inlines")

    def __init__(self, inlines: dict[str, Callee], block: Callee | None) -> None:
        self.inlines = inlines
        self.block = block


_NOTHING = Around({}, None)


class Scope:
    """A value that names refer to, and the scope around it. names: those given by ``as |item index|``."""

    __slots__ = ("around", "frame", "names", "parent", "run", "value")

    def __init__(self, value: Any, parent: "Scope") -> None:
        self.value = value
        self.parent: Scope | None = parent
        self.run: Run = parent.run
        self.frame: Frame | None = parent.frame
        self.around: Around = parent.around
        self.names: dict[str, Any] | None = None

    @classmethod
    def first(cls, run: Run) -> "Scope":
        """Return the scope a template begins in."""
        scope = cls.__new__(cls)
        scope.value, scope.parent, scope.run = run.root, None, run
        scope.frame, scope.around, scope.names = None, _NOTHING, None
        return scope

    def entered(self, value: Any) -> "Scope":
        """Return a scope for a block over value. One over the same value again is no step for ``../``."""
        scope = Scope(value, self)
        if value is self.value:
            scope.parent, scope.names = self.parent, self.names
        return scope

    def alone(self, value: Any, around: Around) -> "Scope":
        """Return a scope for another text called from here: nothing is above it, ``@`` names go on."""
        scope = Scope(value, self)
        scope.parent, scope.around = None, around
        return scope

    def again(self, value: Any, caller: "Scope", around: Around) -> "Scope":
        """Return a scope for a piece of the text that this scope is of, called from elsewhere."""
        scope = self.entered(value)
        scope.frame, scope.around = caller.frame, around
        return scope
