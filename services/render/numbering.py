"""The markers before a list's items, as a browser numbers them (HTML 4.4.5, 4.4.8)."""

import re

from services.render.html_syntax import attribute

_INTEGER = re.compile(r"[\t\n\f\r ]*+([+-]?\d{1,9})(?!\d)", re.ASCII)
_UNMARKED = re.compile(r"list-style(?:-type)?\s*+:[^;]{0,100}?\bnone\b", re.IGNORECASE)
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc")),
    *((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_ROMAN_ENDS = 4000


class ListNumbering:
    """Numbers the items of one list. name: only an "ol" is numbered. attributes: of its start tag."""

    def __init__(self, name: str, attributes: str) -> None:
        start = _integer(attribute(attributes, "start"))
        self._is_numbered = name == "ol"
        self._is_unmarked = _UNMARKED.search(attribute(attributes, "style") or "") is not None
        self._kind = attribute(attributes, "type") or ""
        self._step = -1 if self._is_numbered and attribute(attributes, "reversed") is not None else 1
        # A reversed list without a start counts down to 1, so its first number is the number of its items.
        self.needs_count = self._is_numbered and self._step < 0 and start is None
        self._next = 1 if start is None else start

    def start_at(self, number: int) -> None:
        """Set the first number of a list that needs_count."""
        self._next = number

    def marker(self, attributes: str) -> str:
        """Return the marker of the next item. attributes: of its start tag."""
        if self._is_unmarked:
            return ""
        if not self._is_numbered:
            return "- "
        value = _integer(attribute(attributes, "value"))
        number = self._next if value is None else value
        self._next = number + self._step
        return f"{_written(number, attribute(attributes, 'type') or self._kind)}. "


def _integer(written: str | None) -> int | None:
    found = None if written is None else _INTEGER.match(written)
    return None if found is None else int(found[1])


def _written(number: int, kind: str) -> str:
    if kind in {"a", "A"} and number > 0:
        text = _letters(number)
    elif kind in {"i", "I"} and 0 < number < _ROMAN_ENDS:
        text = _roman(number)
    else:
        return str(number)
    return text.upper() if kind.isupper() else text


def _letters(number: int) -> str:
    text = ""
    while number:
        number, letter = divmod(number - 1, 26)
        text = chr(ord("a") + letter) + text
    return text


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text
