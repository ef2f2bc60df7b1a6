"""The limit parameter of lists: a value out of bounds is refused, never reduced."""

from services.domain.checks import invalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 100


def page_limit(asked: int, *, default: int = DEFAULT_LIMIT, largest: int = MAX_LIMIT) -> int:
    """Return the page size; 0 means the default. Raises INVALID naming "limit".

    A reduced page would make a caller that advances by its own limit skip items.
    """
    if not 0 <= asked <= largest:
        raise invalid("limit", f"must be a whole number from 1 to {largest:,}")
    return asked or default
