"""Imports without what a library would bring along for features that are not used here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Make these look as if they were not installed, for what is imported in the block; not those loaded already."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # as Python itself remembers what is not to be found
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
