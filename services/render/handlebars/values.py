"""Plain data as Handlebars sees it: truth, text and children. Only JSON's types exist here."""

import re
from collections.abc import Callable
from typing import Any

_SPECIAL = re.compile(r"[&<>\"'`=]")
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&#x27;",
        "`": "&#x60;",
        "=": "&#x3D;",
    }
)
# Beyond it JavaScript, and so everyone's templates, writes an exponent.
_MAX_PLAIN = 1e21
# A small number's exponent up to which it is written with zeros instead.
_MAX_ZEROS = 6
# A key that JavaScript takes for an array's index, which is below 2^32 - 1.
_INDEX = re.compile("0|[1-9][0-9]{0,9}")
_INDEX_END = 2**32 - 1


def escape(text: str) -> str:
    """Return text safe inside HTML's text and quoted attributes."""
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def text_of(value: Any) -> str:
    """Return a value as text, in the way JavaScript writes it; None is empty, and so is what JSON does not have."""
    kind = type(value)
    if kind is str:
        return str(value)
    writer = _WRITERS.get(kind)
    return "" if writer is None else writer(value)


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < _MAX_PLAIN:
        return str(int(value))
    written = repr(value)
    digits, small, exponent = written.partition("e-")
    if not small:
        return written
    if int(exponent) > _MAX_ZEROS:
        return f"{digits}e-{int(exponent)}"
    return f"{value:.{int(exponent) + len(digits.partition('.')[2])}f}"


def _list(value: list[Any]) -> str:
    return ",".join(map(text_of, value))


_WRITERS: dict[type, Callable[[Any], str]] = {
    int: str,
    bool: lambda value: "true" if value else "false",
    float: _number,
    list: _list,
    dict: lambda _value: "[object Object]",
    type(None): lambda _value: "",
}


def is_true(value: Any) -> bool:
    """Return whether ``if`` takes the value: not for None, false, 0, an empty text and an empty list."""
    return bool(value) or type(value) is dict


def ordered(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object in JavaScript's order: keys that are array indexes ascending, then the others as they came."""
    indexes = [key for key in value if _INDEX.fullmatch(key) and int(key) < _INDEX_END]
    if not indexes:
        return value
    return {**{key: value[key] for key in sorted(indexes, key=int)}, **value}


def child(value: Any, key: str) -> Any:
    """Return what lies under key, None where there is nothing. Lists and texts have numbers and ``length``."""
    kind = type(value)
    if kind is dict:
        return value.get(key)
    if kind is list or kind is str:
        if key.isascii() and key.isdigit() and len(key) < 10:
            index = int(key)
            return value[index] if index < len(value) else None
        return len(value) if key == "length" else None
    return None
