"""Languages as tags such as "pt-BR" (BCP 47: language, script, region), and which template a recipient's leads to."""

import re

MAX_LENGTH = 35

_TAG = re.compile(
    r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)


def normal(text: str) -> str:
    """Return the tag as it is kept ("pt_br" is "pt-BR"); empty for what is none."""
    tag = text.strip().replace("_", "-")
    if len(tag) > MAX_LENGTH or not _TAG.fullmatch(tag):
        return ""
    language, *rest = tag.split("-")
    return "-".join([language.lower(), *map(_subtag, rest)])


def chain(wanted: str, default: str) -> list[str]:
    """Return the locales to look for, best first: the wanted one, its parents, the default and its parents, none.

    Both are normal, or empty.
    """
    found: list[str] = []
    for tag in (wanted, default):
        parts = tag.split("-") if tag else []
        found.extend("-".join(parts[:length]) for length in range(len(parts), 0, -1))
    return [*dict.fromkeys(found), ""]


def culture(wanted: str, template: str) -> str:
    """Return whose customs dates and numbers follow: the recipient's, where the text is in their language."""
    if not template or wanted.split("-", maxsplit=1)[0] == template.split("-", maxsplit=1)[0]:
        return wanted or template
    return template


def _subtag(part: str) -> str:
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) in (2, 3) else part.lower()
