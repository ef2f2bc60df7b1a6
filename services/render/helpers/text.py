"""Helpers for texts."""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import Helper, Options
from services.render.handlebars.values import ordered, text_of
from services.render.helpers.values import count_of, text_option

_Arguments: TypeAlias = tuple[Any, ...]

# i and its capital with and without a dot are two letters in these languages.
_DOTTED = frozenset(("tr", "az"))
_UPPER = str.maketrans({"i": "\u0130", "\u0131": "I"})
_LOWER = str.maketrans({"I": "\u0131", "\u0130": "i"})

# Three dots, and not the one character for them: it would make an SMS twice as long.
_END = "..."

# What may be a key that has its place before others.
_INDEX_KEY = re.compile('"[0-9]{1,10}":')
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
    """Return the last index up to "at" that is between two characters as a reader sees them (UAX #29).

    at: before the text's end.
    """
    if text[: at + 1].isascii() and text[at - 1 : at + 1] != "\r\n":
        return at
    from wcwidth import iter_graphemes  # only for texts that need it: it takes 8 MB and 50 ms

    end = 0
    for character in iter_graphemes(text):
        if end + len(character) > at:
            break
        end += len(character)
    return end


def _json(arguments: _Arguments, _options: Options, _culture: Culture) -> str:
    written = _dumps(arguments[0])
    if _INDEX_KEY.search(written):
        written = _dumps(_in_order(arguments[0]))
    return written.translate(_JSON)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _in_order(value: Any) -> Any:
    """Return the value with the keys of all its objects in the order of ``each``."""
    if type(value) is dict:
        return {key: _in_order(child) for key, child in ordered(value).items()}
    return [_in_order(child) for child in value] if type(value) is list else value


_LOCALE = frozenset(("locale",))

HELPERS: Mapping[str, Helper] = {
    "uppercase": Helper(
        _uppercase,
        1,
        1,
        _LOCALE,
        parameters=("text",),
        summary="Writes a text in capitals, as its language does.",
        example='{{uppercase name}} {{uppercase "istanbul" locale="tr"}}',
    ),
    "lowercase": Helper(
        _lowercase,
        1,
        1,
        _LOCALE,
        parameters=("text",),
        summary="Writes a text in small letters, as its language does.",
        example="{{lowercase currency}}",
    ),
    "truncate": Helper(
        _truncate,
        2,
        2,
        frozenset(("end",)),
        parameters=("text", "length"),
        summary="Shortens a text to at most this many characters.",
        example="{{truncate note 12}}",
    ),
    "json": Helper(
        _json,
        1,
        1,
        parameters=("value",),
        summary="Writes a value as JSON on one line.",
        example="{{{json items}}}",
    ),
}
