"""Texts."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, TypeAlias

from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import Helper, Options
from services.render.handlebars.values import text_of
from services.render.helpers.values import count_of, text_option

_Arguments: TypeAlias = tuple[Any, ...]

# i and its capital with and without a dot are two letters in these languages.
_DOTTED = frozenset(("tr", "az"))
_UPPER = str.maketrans({"i": "\u0130", "\u0131": "I"})
_LOWER = str.maketrans({"I": "\u0131", "\u0130": "i"})

# Three dots, and not the one character for them: it would make an SMS twice as long.
_END = "..."
_JOINER = "\u200d"
_MOST_JOINED = 32

# So that no text can end a <script>, begin a comment or an entity, or end a line in old JavaScript.
_JSON = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def _language(options: Options, culture: Culture) -> str:
    tag = text_option(options.get("locale")) or culture.locale
    return tag.replace("_", "-").partition("-")[0].lower()


def _uppercase(arguments: _Arguments, options: Options, culture: Culture) -> str:
    text = text_of(arguments[0])
    return (text.translate(_UPPER) if _language(options, culture) in _DOTTED else text).upper()


def _lowercase(arguments: _Arguments, options: Options, culture: Culture) -> str:
    text = text_of(arguments[0])
    return (text.translate(_LOWER) if _language(options, culture) in _DOTTED else text).lower()


def _truncate(arguments: _Arguments, options: Options, _culture: Culture) -> str:
    text = text_of(arguments[0])
    length = count_of(arguments[1])
    if length is None or len(text) <= length:
        return text
    end = text_of(options.get("end", _END))
    if len(end) >= length:
        return text[: _boundary(text, length)]
    return text[: _boundary(text, length - len(end))].rstrip() + end


def _boundary(text: str, at: int) -> int:
    """Return at, or a little less where that would cut a character made of several: an accent, a flag, a family."""
    for place in range(at, max(0, at - _MOST_JOINED), -1):
        if not _is_joined(text, place):
            return place
    return at


def _is_joined(text: str, place: int) -> bool:
    """Tell whether the characters before and after place are seen as one."""
    after = text[place]
    if after == _JOINER or text[place - 1] == _JOINER or "\U0001f3fb" <= after <= "\U0001f3ff":
        return True
    if unicodedata.category(after).startswith("M"):
        return True
    return _is_flag(after) and _flags_before(text, place) % 2 == 1


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flags_before(text: str, place: int) -> int:
    count = 0
    while count < min(place, _MOST_JOINED) and _is_flag(text[place - 1 - count]):
        count += 1
    return count


def _json(arguments: _Arguments, _options: Options, _culture: Culture) -> str:
    return json.dumps(arguments[0], ensure_ascii=False, separators=(",", ":")).translate(_JSON)


_LOCALE = frozenset(("locale",))

HELPERS: Mapping[str, Helper] = {
    "uppercase": Helper(_uppercase, 1, 1, _LOCALE),
    "lowercase": Helper(_lowercase, 1, 1, _LOCALE),
    "truncate": Helper(_truncate, 2, 2, frozenset(("end",))),
    "json": Helper(_json, 1, 1),
}
