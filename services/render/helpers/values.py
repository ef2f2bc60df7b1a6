"""Reads numbers and names from the values that templates pass to helpers."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decimal import Decimal

# Numbers often come as text: "12.50". No exponent: "1e999999999" would be a very long number.
_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?\s*")
_MOST_BITS = 1024


def number_of(value: Any) -> "Decimal | None":
    """Return an exact number; None if the value is not a number."""
    from decimal import Decimal

    kind = type(value)
    if kind is int:
        return Decimal(value) if value.bit_length() <= _MOST_BITS else None
    if kind is float:
        # As it is written: 0.1 and not its nearest binary fraction, 1 and not 1.0.
        number = Decimal(repr(value))
        return number.to_integral_value() if value.is_integer() else number
    if kind is str and len(value) <= 100 and _NUMBER.fullmatch(value):
        return Decimal(value.strip())
    return None


def text_option(value: Any, most: int = 64) -> str:
    """Return a short text as it is; an empty one for any other value."""
    return value if type(value) is str and len(value) <= most else ""


def count_of(value: Any) -> int | None:
    """Return a whole number of at least 0; None if the value is not one."""
    number = number_of(value)
    if number is None or number < 0 or number >= 10**9 or number != int(number):
        return None
    return int(number)
