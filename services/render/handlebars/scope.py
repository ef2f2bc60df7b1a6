"""Where a name is looked up while a template runs."""

from typing import Any


class Frame:
    """What a loop's round knows of itself: ``@index``, ``@key``, ``@first``, ``@last``."""

    __slots__ = ("parent", "values")

    def __init__(self, parent: "Frame | None") -> None:
        self.parent = parent
        self.values: dict[str, Any] = {}


class Scope:
    """A value that names refer to, and the scope around it. names: those given by ``as |item index|``."""

    __slots__ = ("frame", "names", "parent", "root", "value")

    def __init__(self, value: Any, parent: "Scope | None" = None) -> None:
        self.value = value
        self.parent = parent
        self.root: Any = value if parent is None else parent.root
        self.frame: Frame | None = None if parent is None else parent.frame
        self.names: dict[str, Any] | None = None
