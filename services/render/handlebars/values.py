"""Plain data as Handlebars sees it: truth, text and children. Only JSON's types exist here."""

import re
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


def escape(text: str) -> str:
    """Return text safe inside HTML's text and quoted attributes."""
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def text_of(value: Any) -> str:
    """Return a value as text, in the way JavaScript writes it; None is empty."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is float:
        return _number(value)
    if type(value) is list:
        return ",".join(map(text_of, value))
    if type(value) is dict:
        return "[object Object]"
    return str(value)


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < _MAX_PLAIN:
        return str(int(value))
    return repr(value)


def is_true(value: Any) -> bool:
    """Tell whether ``if`` takes the value: not for None, false, 0, an empty text and an empty list."""
    return bool(value) or type(value) is dict


def child(value: Any, key: str) -> Any:
    """Return what lies under key, None where there is nothing. Lists have numbers and ``length``."""
    kind = type(value)
    if kind is dict:
        return value.get(key)
    if kind is list:
        if key.isascii() and key.isdigit() and len(key) < 10:
            index = int(key)
            return value[index] if index < len(value) else None
        return len(value) if key == "length" else None
    return len(value) if kind is str and key == "length" else None
