"""What is known of languages, from Babel; loaded by the first helper that asks, for most templates ask nothing."""

from typing import TYPE_CHECKING, Any

from services.render.handlebars.culture import Culture
from services.render.helpers.values import text_option

if TYPE_CHECKING:
    from babel import Locale

_ENGLISH = "en"
# About a megabyte each, and 5 ms to load. A template may name any of hundreds.
_MOST = 12

_known: "dict[str, Locale | None]" = {}


def locale_of(culture: Culture, asked: Any = None) -> "Locale":
    """Return the locale asked for, else the rendering's, else English; of an unknown one its nearest parent."""
    for tag in (text_option(asked), culture.locale):
        while tag:
            if (locale := _find(tag.replace("_", "-"))) is not None:
                return locale
            tag = tag.replace("_", "-").rpartition("-")[0]  # noqa: PLW2901 - upwards: "de-XX", "de"
    english = _find(_ENGLISH)
    if english is None:
        raise LookupError("Babel knows no English")
    return english


def _find(tag: str) -> "Locale | None":
    if tag in _known:
        return _known[tag]
    if len(_known) >= _MOST:
        forget()
    from babel import Locale, UnknownLocaleError

    try:
        found = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        found = None
    _known[tag] = found
    return found


def forget() -> None:
    """Drop all that was loaded."""
    from babel import localedata

    _known.clear()
    localedata._cache.clear()  # noqa: SLF001 - it grows without end, and has no other way to be emptied
