"""Removes what may name a person from text that is shown beside another tenant's data, or kept longer than theirs."""

import re

from runtime.printable import printable

_ADDRESS = re.compile(r"[^\s<>(),;:\"']+@[^\s<>(),;\"']+")
# At least six digits, perhaps grouped: a phone number, an account, a code.
_NUMBER = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){5,}")


def masked(text: str, limit: int) -> str:
    """Return text as one line of at most limit characters, without e-mail addresses and long numbers."""
    return _NUMBER.sub("…", _ADDRESS.sub("…@…", printable(text, limit)))
