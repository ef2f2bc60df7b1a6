"""What is known of languages, from Babel; loaded by the first helper that asks, for most templates ask nothing."""

from typing import TYPE_CHECKING, Any

from services.domain import locales
from services.render.handlebars.culture import Culture
from services.render.helpers.values import text_option

if TYPE_CHECKING:
    from babel import Locale

_ENGLISH = "en"
# About a megabyte each, and 5 ms to load. A template may name any of hundreds.
_MOST = 12

# By the text that asked for it.
_known: "dict[str, Locale | None]" = {}


def locale_of(culture: Culture, asked: Any = None) -> "Locale":
    """Return the locale asked for, else the rendering's, else English; of an unknown one its nearest parent."""
    for text in (text_option(asked), culture.locale, _ENGLISH):
        if text and (locale := _find(text)) is not None:
            return locale
    raise LookupError("Babel knows no English")


def _find(text: str) -> "Locale | None":
    if text in _known:
        return _known[text]
    if len(_known) >= _MOST:
        forget()
    tag = locales.normal(text)
    parents = locales.lineage(tag) if tag else ()
    found = next(filter(None, map(_load_in_region, parents)), None)
    _known[text] = found
    return found


def _load_in_region(locale: locales.LocaleId) -> "Locale | None":
    """Load a locale with its likely region: it is written the same, and knows when a week begins."""
    return _load(locales.in_likely_region(locale)) or _load(locale)


def _load(locale: locales.LocaleId) -> "Locale | None":
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(locales.tag_of(locale), sep="-")
    except (UnknownLocaleError, ValueError):
        return None


def forget() -> None:
    """Drop all that was loaded."""
    from babel import localedata

    _known.clear()
    localedata._cache.clear()  # noqa: SLF001 - it grows without end, and has no other way to be emptied
