"""Chooses a channel's template by the recipient's language. Pure."""

from collections.abc import Collection, Sequence
from typing import TypeVar

from services.domain import locales

T = TypeVar("T")


def best(found: Sequence[tuple[str, T]], wanted_locale: str, default: str) -> T | None:
    """Return the template that suits the recipient best; None: there is none in their language.

    found: (locale, template). wanted_locale: of the recipient; default: of the tenant; both normal, or empty.
    """
    by_tag = dict(found)
    if wanted_locale in by_tag and wanted_locale:
        return by_tag[wanted_locale]
    by_locale = {locales.identify(tag): by_tag[tag] for tag in sorted(by_tag, reverse=True) if tag}
    chosen = _nearest(by_locale, wanted_locale) or _fallback(
        by_locale, wanted_locale, default, has_neutral="" in by_tag
    )
    return by_tag.get("") if chosen is None else by_locale[chosen]


def _nearest(known: Collection[locales.LocaleId], tag: str) -> locales.LocaleId | None:
    return next((locale for locale in locales.lineage(tag) if locale in known), None) if tag else None


def _fallback(
    known: Collection[locales.LocaleId], wanted: str, default: str, *, has_neutral: bool
) -> locales.LocaleId | None:
    """Return the locale for a recipient for whom no locale suits: the tenant's default; None: the neutral version.

    A version in another script is not used while there is one in the recipient's script. If there is neither a default
    nor a version without a locale (has_neutral), any version in the recipient's language is used.
    """
    fallback = _nearest(known, default)
    if not wanted:
        return fallback
    own = locales.identify(wanted)
    related = sorted(
        (locale for locale in known if locale.language == own.language),
        key=lambda locale: (locale.script != own.script, locale),
    )
    if not related or (fallback is None and has_neutral):
        return fallback
    is_other_script = fallback is not None and fallback.language == own.language and fallback.script != own.script
    if fallback is None or (is_other_script and related[0].script == own.script):
        return related[0]
    return fallback
