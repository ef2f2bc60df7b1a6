"""Texts that would run, load, hide or break something wherever a page took them for anything but text.

Elements that come of them carry `data-hostile`; scripts call `__hostile`, which a test exposes to every frame.
"""

import json
import re
from collections.abc import Iterable, Iterator

_EVIL = "https://evil.example"

# Each in one piece, so that a field shows all of it or is wrong.
STRINGS = (
    '<script data-hostile>__hostile("script")</script>',
    '<img src=x data-hostile onerror=__hostile("img")>',
    "\"'><svg data-hostile onload=__hostile(`svg`)>",
    'javascript:__hostile("url")',
    "</textarea></title></style></script><b data-hostile>bold</b>",
    '<noscript><p title="</noscript><img data-hostile src=x onerror=__hostile(1)>">',
    "<math><mi/><mtext></form><form><mglyph><style></math><img data-hostile src onerror=__hostile(2)>",
    '{{constructor.constructor "return 1"}} {{{__proto__}}} {{#with this}} {{> layout}}',
    f'<mj-raw><b data-hostile></b></mj-raw><mj-image src="{_EVIL}/x.png" /><mj-include path="/etc/passwd" />',
    f"<style>@import '{_EVIL}/x.css'</style><link data-hostile rel=stylesheet href={_EVIL}/y.css>",
    '${__hostile(3)} `${7*7}` \'"\\" #{7*7} <%= 7*7 %>',
    f'=HYPERLINK("{_EVIL}","x") @SUM(1+1) +1 -1',
    "&lt;b&gt; &#60;img&#62; &amp;amp; %3Cscript%3E %00 %s {0}",
    "__proto__ constructor [object Object] null undefined NaN",
    "'; DROP TABLE tenants; -- ../../etc/passwd",
    "\u202egnp.exe\u202c \u2066isolated\u2069 \u0635\u0628\u0627\u062d \u200e\u200f\u200b\ufeff",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 Z\u0351\u036b\u0343\u036a\u0302A\u0334\u0335 \ufdfd",
    "\x01\x08\x1b[31mred\x1b[0m\x1b]0;title\x07\x7f\x9bx",
)
LONG_WORD = "W" * 10_000
# What a page may show differently: control characters, marks of direction and of no width, and white space.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u2022]")


def packs(limit: int, strings: Iterable[str] = STRINGS) -> Iterator[str]:
    """Yield texts of at most `limit` characters that have all strings among them. What is longer alone is left out."""
    pack = ""
    for one in strings:
        if len(one) > limit:
            continue
        if pack and len(pack) + 1 + len(one) > limit:
            yield pack
            pack = ""
        pack = f"{pack} {one}".strip(" ")
    if pack:
        yield pack


def printable(strings: Iterable[str] = STRINGS) -> tuple[str, ...]:
    """Return those that are visible throughout, for fields that take nothing else."""
    return tuple(one for one in strings if one.isprintable())


def ascii_only(strings: Iterable[str] = STRINGS) -> tuple[str, ...]:
    """Return those that headers and mail servers can carry."""
    return tuple(one for one in printable(strings) if one.isascii())


def seen(text: str) -> str:
    """Return a text as it is compared: without what cannot be seen, each run of white space one space."""
    return " ".join(_UNSEEN.sub("", text).split())


def is_shown(text: str, shown: str) -> bool:
    """Tell whether a page that shows this (see seen()) has a text, as it is or within JSON."""
    within_json = json.dumps(text, ensure_ascii=False)[1:-1]
    return seen(text) in shown or seen(within_json) in shown
