"""Patterns that split HTML into tags, comments and text as the standard does (HTML Living Standard, 13.2.5).

All in linear time.
"""

import html
import re
from collections.abc import Iterator
from html.entities import html5

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
# HTML's own elements, custom ones, and those with a prefix such as o:p. An address in angle brackets is none.
_ELEMENT = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]*+(?::[a-zA-Z][a-zA-Z0-9_-]*+)?")
_REFERENCE = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+);?|([a-zA-Z][a-zA-Z0-9]*+)(;?)(=?))")

VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
# Elements whose content is text up to their own end tag, whatever it looks like.
RAW_TEXT = frozenset(("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"))


def is_element(name: str) -> bool:
    """Return whether a tag's name can be an element's. The one in "Ada <ada@x.example>" cannot, so that is text."""
    return (name.isalnum() and name.isascii()) or _ELEMENT.fullmatch(name) is not None


def attributes(written: str) -> Iterator[tuple[str, str]]:
    """Yield a tag's attributes: the name in lower case, and the value as written or an empty one."""
    for match in _ONE_ATTRIBUTE.finditer(written):
        yield match[1].lower(), match[2] or match[3] or match[4] or ""


def attribute(written: str, name: str) -> str | None:
    """Return an attribute's value as a browser reads it; None if there is none of that name."""
    if not written:
        return None
    for found, value in attributes(written):
        if found == name:
            return attribute_text(value)
    return None


def is_self_closed(written: str) -> bool:
    """Return whether a tag ends with the "/" of an empty element. A "/" at the end of an unquoted value is not one."""
    return written.endswith("/") and all(one.end() < len(written) for one in _ONE_ATTRIBUTE.finditer(written))


def attribute_text(value: str) -> str:
    """Return an attribute's value with its character references resolved (13.2.5.73).

    A name without ";" before "=", a letter or a digit is not a reference: ?a=1&copy=2 stays.
    """
    return _REFERENCE.sub(_referred, value) if "&" in value else value


def unescaped(text: str) -> str:
    """Return text (not an attribute's value) with its character references resolved."""
    if "&" not in text:
        return text
    try:
        return html.unescape(text)
    except ValueError:  # a character's number of thousands of digits
        return text


def end_of_raw_text(markup: str, name: str, position: int) -> int:
    """Return the index of the first end tag of a RAW_TEXT element from position on; -1 if there is none."""
    found = re.compile(rf"</{re.escape(name)}(?=[\t\n\f\r />])", re.IGNORECASE).search(markup, position)
    return -1 if found is None else found.start()


def _referred(match: re.Match[str]) -> str:
    name, end, equals = match[1], match[2], match[3]
    if name is None:
        return unescaped(match[0])
    if end:
        return html5.get(f"{name};", match[0][: len(match[0]) - len(equals)]) + equals
    return match[0] if equals else html5.get(name, match[0])
