"""Patterns that split HTML into tags, comments and text as the standard does (HTML Living Standard, 13.2.5).

For code that changes a document and keeps every other byte of it; the text part uses a parser. All in linear time.
"""

import re
from collections.abc import Iterator

_BLANK = r"[\t\n\f\r ]"
_NAME = r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_IS = rf"{_BLANK}*+={_BLANK}*+"
_UNQUOTED = r"""[^\t\n\f\r >"'][^\t\n\f\r >]*+"""
_ATTRIBUTE = rf"""{_NAME}(?:{_IS}(?:"[^"]*+"|'[^']*+'|{_UNQUOTED}|(?=>))|(?!{_BLANK}*+=))"""

# Everything in a start tag after its name. The form of most attributes comes first: it is the fastest to match.
ATTRIBUTES = rf"""(?:\x20[a-z-]++="[^"]*+"|[\t\n\f\r /]++|{_ATTRIBUTE})*+"""

# A comment ("open": one without an end), a tag ("cut": one without an end), or what a browser reads as a comment.
MARKUP = re.compile(
    r"<!--(?P<comment>-?>|.*?--!?>|(?P<open>.*))"
    rf"|<(?P<end>/?)(?P<name>[a-zA-Z][^\t\n\f\r />]*+)(?P<attributes>{ATTRIBUTES})(?:>|(?P<cut>))"
    r"|<[!?](?P<bogus>[^<>]*+)>",
    re.DOTALL,
)
_ONE_ATTRIBUTE = re.compile(rf"""({_NAME})(?:{_IS}(?:"([^"]*+)"|'([^']*+)'|({_UNQUOTED})|))?""")
# HTML's own elements, custom ones, and those with a prefix such as o:p.
ELEMENT_NAME = r"[a-zA-Z][a-zA-Z0-9_-]*+(?::[a-zA-Z][a-zA-Z0-9_-]*+)?"
_IS_ELEMENT_NAME = re.compile(ELEMENT_NAME).fullmatch

VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
# Elements whose content is text up to their own end tag, whatever it looks like.
RAW_TEXT = frozenset(("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"))


def is_element(name: str) -> bool:
    """Tell whether a tag's name can be an element's. The one in "Ada <ada@x.example>" cannot, so that is text."""
    return _IS_ELEMENT_NAME(name) is not None


def attributes(written: str) -> Iterator[tuple[str, str]]:
    """Yield a tag's attributes: the name in lower case, and the value as written or an empty one."""
    for match in _ONE_ATTRIBUTE.finditer(written):
        yield match[1].lower(), match[2] or match[3] or match[4] or ""


def attribute(written: str, name: str) -> str | None:
    """Return an attribute's value as written; None if there is none of that name."""
    return next((value for found, value in attributes(written) if found == name), None)


def is_self_closed(written: str) -> bool:
    """Tell whether a tag ends with the "/" of an empty element. A "/" at the end of an unquoted value is not one."""
    return written.endswith("/") and all(one.end() < len(written) for one in _ONE_ATTRIBUTE.finditer(written))


def end_of_raw_text(markup: str, name: str, position: int) -> int:
    """Return the index of the first end tag of a RAW_TEXT element from position on; -1 if there is none."""
    found = re.compile(rf"</{re.escape(name)}(?=[\t\n\f\r />])", re.IGNORECASE).search(markup, position)
    return -1 if found is None else found.start()
