"""Parses language tags such as "pt-BR" (BCP 47) and relates them by CLDR's data: codes, likely scripts, parents."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

_Table: TypeAlias = Literal["language_aliases", "likely_subtags", "parent_exceptions", "territory_aliases"]

MAX_LENGTH = 35
# The longest tag that is parsed, with its extensions.
_MAX_TEXT = 100

_TAG = re.compile(
    r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
# BCP 47 extensions, such as "-u-nu-arab" and "-x-ours". They do not change the language.
_EXTENSION = re.compile(r"-[A-Za-z0-9]-")
# POSIX: "de_DE.UTF-8", "sr_RS@latin".
_POSIX = re.compile(r"(?P<tag>[A-Za-z0-9_-]+)(?:\.[A-Za-z0-9-]+)?(?:@(?P<modifier>[A-Za-z]+))?")
_POSIX_SCRIPTS = {"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva"}

# CLDR has "no" as the parent of "nb"; both mean Bokmål.
_NORWEGIAN = {"no": "nb"}


class LocaleId(NamedTuple):
    """A locale in CLDR's codes. script: the likely one if the tag has none. region: may be empty."""

    language: str
    script: str = ""
    region: str = ""
    variants: tuple[str, ...] = ()


def normal(text: str) -> str:
    """Return the normal form of a tag ("pt_br" gives "pt-BR"), without extensions; empty: it is not a tag."""
    found = _POSIX.fullmatch(text.strip()) if len(text) <= _MAX_TEXT else None
    if found is None:
        return ""
    tag = _EXTENSION.split(found["tag"].replace("_", "-"), maxsplit=1)[0]
    if len(tag) > MAX_LENGTH or not _TAG.fullmatch(tag):
        return ""
    language, *rest = tag.split("-")
    script = _POSIX_SCRIPTS.get((found["modifier"] or "").lower(), "")
    if script and not any(map(_is_script, rest)):
        rest.insert(0, script)
    return "-".join([language.lower(), *map(_subtag, rest)])


@lru_cache(maxsize=4096)
def identify(tag: str) -> LocaleId:
    """Return the locale of a normal tag: "zh-TW" is zh-Hant-TW, "iw" is he."""
    language, script, region, variants = _parts(tag)
    language, *implied = _table("language_aliases").get(language, language).split("_")
    language = _NORWEGIAN.get(language, language)
    for part in implied:  # "sh" is sr_Latn
        if _is_script(part):
            script = script or part
        else:
            region = region or part
    region = _region(language, script, region)
    return LocaleId(language, script or _likely(language, region=region).script, region, variants)


@lru_cache(maxsize=4096)
def lineage(tag: str) -> tuple[LocaleId, ...]:
    """Return the locales that readers of a normal tag understand, nearest first: its own, then CLDR's parents.

    A language without a region counts as that of its likely region, too. Scripts are never mixed.
    """
    return tuple(dict.fromkeys(_ancestors(identify(tag))))


def in_likely_region(locale: LocaleId) -> LocaleId:
    """Return the locale with a region; if it has none, the likely one by CLDR ("de" gives "de-DE")."""
    region = locale.region or _likely(locale.language, script=locale.script).region
    return locale._replace(region=region)


def tag_of(locale: LocaleId) -> str:
    """Return the locale's tag. The script is left out where language and region imply it."""
    likely = {_likely(locale.language).script, _likely(locale.language, region=locale.region).script}
    script = "" if likely == {locale.script} else locale.script
    return "-".join(filter(None, (locale.language, script, locale.region, *locale.variants)))


def culture(wanted: str, template: str) -> str:
    """Return the tag by which dates and numbers are formatted.

    It is the recipient's if the template is in their language and script, else the template's. wanted: of the
    recipient; both are normal tags, or empty.
    """
    if not wanted or not template or wanted == template:
        return wanted or template
    one, other = identify(wanted), identify(template)
    return wanted if (one.language, one.script) == (other.language, other.script) else template


def _ancestors(locale: LocaleId) -> Iterator[LocaleId]:
    seen = set()
    at: LocaleId | None = locale
    while at is not None and at not in seen:
        seen.add(at)
        yield at
        if not at.variants:
            yield in_likely_region(at)
        at = _parent(at)


def _parent(locale: LocaleId) -> LocaleId | None:
    if locale.variants:
        return locale._replace(variants=locale.variants[:-1])
    exception = _table("parent_exceptions").get(tag_of(locale).replace("-", "_"))
    if exception is not None:
        return identify(exception.replace("_", "-"))
    return locale._replace(region="") if locale.region else None


def _likely(language: str, *, script: str = "", region: str = "") -> LocaleId:
    """Return the language with the script and region that are likely by CLDR; alone if CLDR does not know it."""
    table = _table("likely_subtags")
    found = table.get("_".join(filter(None, (language, script, region)))) or table.get(language)
    return LocaleId(*found.split("_")) if found else LocaleId(language)


def _region(language: str, script: str, region: str) -> str:
    """Return the region's current code; of a state that became several, the likely one for the language."""
    codes = _table("territory_aliases").get(region, (region,))
    likely = _likely(language, script=script).region
    return str(likely if likely in codes else codes[0])


def _parts(tag: str) -> tuple[str, str, str, tuple[str, ...]]:
    language, *rest = tag.split("-")
    script = rest.pop(0) if rest and _is_script(rest[0]) else ""
    region = rest.pop(0) if rest and len(rest[0]) in (2, 3) else ""
    return language, script, region, tuple(rest)


def _table(name: _Table) -> Mapping[str, Any]:
    # Imported with the first locale: most processes never need it.
    from babel.core import get_global

    return get_global(name)


def _is_script(part: str) -> bool:
    return len(part) == 4 and part.isalpha()


def _subtag(part: str) -> str:
    if _is_script(part):
        return part.title()
    return part.upper() if len(part) in (2, 3) else part.lower()
