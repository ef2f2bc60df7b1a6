"""HTML as its standard cuts it into tags, comments and text (HTML Living Standard, 13.2.5). In linear time."""

import html
import re
from collections.abc import Iterator
from html.entities import html5

_BLANK = r"[\t\n\f\r ]"
_NAME = r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_IS = rf"{_BLANK}*+={_BLANK}*+"
_UNQUOTED = r"""[^\t\n\f\r >"'][^\t\n\f\r >]*+"""
_ATTRIBUTE = rf"""{_NAME}(?:{_IS}(?:"[^"]*+"|'[^']*+'|{_UNQUOTED}|(?=>))|(?!{_BLANK}*+=))"""

# All that stands in a start tag behind its name; what most attributes look like comes first, for it is fastest.
ATTRIBUTES = rf"""(?:\x20[a-z-]++="[^"]*+"|[\t\n\f\r /]++|{_ATTRIBUTE})*+"""

# A comment ("open": it has no end), a tag ("cut": it has no end), or what a browser takes for a comment.
MARKUP = re.compile(
    r"<!--(?P<comment>-?>|.*?--!?>|(?P<open>.*))"
    rf"|<(?P<end>/?)(?P<name>[a-zA-Z][^\t\n\f\r />]*+)(?P<attributes>{ATTRIBUTES})(?:>|(?P<cut>))"
    r"|<[!?](?P<bogus>[^<>]*+)>",
    re.DOTALL,
)
_ONE_ATTRIBUTE = re.compile(rf"""({_NAME})(?:{_IS}(?:"([^"]*+)"|'([^']*+)'|({_UNQUOTED})|))?""")
# What could be an element: HTML's, a custom one, one with a prefix such as o:p. An address in angle brackets cannot.
_ELEMENT = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]*+(?::[a-zA-Z][a-zA-Z0-9_-]*+)?")
_REFERENCE = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+);?|([a-zA-Z][a-zA-Z0-9]*+)(;?)(=?))")

VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
# Their content is text up to their own end tag, whatever it looks like.
RAW_TEXT = frozenset(("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"))


def is_element(name: str) -> bool:
    """Tell whether a tag's name can be an element's: of "Ada <ada@x.example>" it cannot, so that is text."""
    return (name.isalnum() and name.isascii()) or _ELEMENT.fullmatch(name) is not None


def attributes(written: str) -> Iterator[tuple[str, str]]:
    """Yield a tag's attributes: name in small letters, value as written; empty where it has none."""
    for match in _ONE_ATTRIBUTE.finditer(written):
        yield match[1].lower(), match[2] or match[3] or match[4] or ""


def attribute(written: str, name: str) -> str | None:
    """Return an attribute's value as a browser reads it; None where there is none of that name."""
    if not written:
        return None
    for found, value in attributes(written):
        if found == name:
            return attribute_text(value)
    return None


def is_self_closed(written: str) -> bool:
    """Tell whether a tag's attributes end with the "/" of an empty element, not with one of a value without quotes."""
    return written.endswith("/") and all(one.end() < len(written) for one in _ONE_ATTRIBUTE.finditer(written))


def attribute_text(value: str) -> str:
    """Return an attribute's value with its character references read (13.2.5.73).

    A name without ";" in front of "=", a letter or a digit is no reference there: ?a=1&copy=2 stays.
    """
    return _REFERENCE.sub(_referred, value) if "&" in value else value


def unescaped(text: str) -> str:
    """Return text, not an attribute's value, with its character references read."""
    if "&" not in text:
        return text
    try:
        return html.unescape(text)
    except ValueError:  # a character's number of thousands of digits
        return text


def end_of_raw_text(markup: str, name: str, position: int) -> int:
    """Return where the end tag of an element of RAW_TEXT begins, the first from position; -1: nowhere."""
    found = re.compile(rf"</{re.escape(name)}(?=[\t\n\f\r />])", re.IGNORECASE).search(markup, position)
    return -1 if found is None else found.start()


def _referred(match: re.Match[str]) -> str:
    name, end, equals = match[1], match[2], match[3]
    if name is None:
        return unescaped(match[0])
    if end:
        return html5.get(f"{name};", match[0][: len(match[0]) - len(equals)]) + equals
    return match[0] if equals else html5.get(name, match[0])
