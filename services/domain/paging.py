"""How many items of a list a caller may ask for: refused outside of the bounds, never cut to fit."""

from runtime.errors import ClarionError, Code

DEFAULT_LIMIT = 50
MAX_LIMIT = 100


def page_limit(asked: int, *, default: int = DEFAULT_LIMIT, largest: int = MAX_LIMIT) -> int:
    """Return how many items are wanted; 0 means the default. Raises INVALID naming "limit".

    A caller that steps by what it asked for would skip items if a smaller page came back.
    """
    if not 0 <= asked <= largest:
        description = f"must be a whole number from 1 to {largest:,}"
        raise ClarionError(Code.INVALID, f"limit {description}", fields=[("limit", description)])
    return asked or default
