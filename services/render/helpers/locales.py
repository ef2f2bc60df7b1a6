"""Languages, from Babel. Babel is loaded by the first helper that needs it: most templates do not."""

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
    """Return the locale of the option, the rendering's, or English. For an unknown one, its nearest known parent."""
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
    """Load a locale with its likely region. It is written the same, and has the first day of the week."""
    return _load(locales.in_likely_region(locale)) or _load(locale)


def _load(locale: locales.LocaleId) -> "Locale | None":
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(locales.tag_of(locale), sep="-")
    except (UnknownLocaleError, ValueError):
        return None


def forget() -> None:
    """Drop all loaded languages."""
    from babel import localedata

    _known.clear()
    localedata._cache.clear()  # noqa: SLF001 - it grows without end, and has no other way to be emptied
