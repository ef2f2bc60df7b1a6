"""Languages as tags such as "pt-BR" (BCP 47), and what CLDR says of them: codes, likely scripts, parents."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

_Table: TypeAlias = Literal["language_aliases", "likely_subtags", "parent_exceptions", "territory_aliases"]

MAX_LENGTH = 35
# Of a tag as it comes, with all its extensions.
_MAX_TEXT = 100

_TAG = re.compile(
    r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
# BCP 47: "-u-nu-arab", "-x-ours". They say how to write, not what to read.
_EXTENSION = re.compile(r"-[A-Za-z0-9]-")
# POSIX: "de_DE.UTF-8", "sr_RS@latin".
_POSIX = re.compile(r"(?P<tag>[A-Za-z0-9_-]+)(?:\.[A-Za-z0-9-]+)?(?:@(?P<modifier>[A-Za-z]+))?")
_POSIX_SCRIPTS = {"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva"}

# CLDR's older name for Norwegian is its newer one's parent; who writes either means Bokmål.
_NORWEGIAN = {"no": "nb"}


class LocaleId(NamedTuple):
    """A locale in CLDR's codes. script: the likely one where the tag names none. region: may be empty."""

    language: str
    script: str = ""
    region: str = ""
    variants: tuple[str, ...] = ()


def normal(text: str) -> str:
    """Return the tag as it is kept ("pt_br" is "pt-BR"), without extensions; empty for what is none."""
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
    """Return what a normal tag means: "zh-TW" is zh-Hant-TW, "iw" is he."""
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
    """Return the locales that serve readers of a normal tag, nearest first: its own, then CLDR's parents.

    A language without a region is also that of its likely region. Scripts are never mixed.
    """
    return tuple(dict.fromkeys(_ancestors(identify(tag))))


def in_likely_region(locale: LocaleId) -> LocaleId:
    """Return the locale; where it has no region, with the one that CLDR takes for it ("de": "de-DE")."""
    region = locale.region or _likely(locale.language, script=locale.script).region
    return locale._replace(region=region)


def tag_of(locale: LocaleId) -> str:
    """Return the locale as a tag, without a script that is likely both for its language and for that in its region."""
    likely = {_likely(locale.language).script, _likely(locale.language, region=locale.region).script}
    script = "" if likely == {locale.script} else locale.script
    return "-".join(filter(None, (locale.language, script, locale.region, *locale.variants)))


def culture(wanted: str, template: str) -> str:
    """Return whose customs dates and numbers follow: the recipient's, where the text is in their language and script.

    Both are normal, or empty.
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
    """Return what CLDR adds to a language, its script or its region; a language alone where it knows nothing."""
    table = _table("likely_subtags")
    found = table.get("_".join(filter(None, (language, script, region)))) or table.get(language)
    return LocaleId(*found.split("_")) if found else LocaleId(language)


def _region(language: str, script: str, region: str) -> str:
    """Return the region's code of today; of a state that became several, the likely one for the language."""
    codes = _table("territory_aliases").get(region, (region,))
    likely = _likely(language, script=script).region
    return str(likely if likely in codes else codes[0])


def _parts(tag: str) -> tuple[str, str, str, tuple[str, ...]]:
    language, *rest = tag.split("-")
    script = rest.pop(0) if rest and _is_script(rest[0]) else ""
    region = rest.pop(0) if rest and len(rest[0]) in (2, 3) else ""
    return language, script, region, tuple(rest)


def _table(name: _Table) -> Mapping[str, Any]:
    # Loaded when the first locale is asked about: most processes never are.
    from babel.core import get_global

    return get_global(name)


def _is_script(part: str) -> bool:
    return len(part) == 4 and part.isalpha()


def _subtag(part: str) -> str:
    if _is_script(part):
        return part.title()
    return part.upper() if len(part) in (2, 3) else part.lower()
