"""Import a library without one of its optional dependencies, to save memory and start-up time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hide_packages(*names: str) -> Iterator[None]:
    """Make packages look as if they were not installed to the imports in this block.

    A library with optional dependencies then loads without them. A package that is loaded already stays visible.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own mark for "cannot be imported"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
