"""Template bombs with their expected results: each fails alone, in limited time."""

import json
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

from services.render.frames import EMAIL, SMS, TemplateSource

_LIST = {"a": list(range(3000))}
_LOOP = "{{#each a}}{{#each ../a}}%s{{/each}}{{/each}}"
_MAIL = "<mjml><mj-body><mj-section><mj-column>%s</mj-column></mj-section></mj-body></mjml>"
_LEVELS = 40
_SIZE, _FAULT = "output_too_large", "template_error"
_LIMITS = (_SIZE, "render_timeout", "render_memory")


@dataclass(frozen=True)
class Bomb:
    """outcomes: allowed results. There may be several, because a time or a memory limit can be hit first."""

    name: str
    source: TemplateSource
    variables: bytes
    outcomes: frozenset[str]


def _bomb(
    name: str, body: str, data: Any, *outcomes: str, mail: bool = False, partials: dict[str, str] | None = None
) -> Bomb:
    channel = EMAIL if mail else SMS
    variables = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Bomb(name, TemplateSource(channel, "", body, partials=partials or {}), variables, frozenset(outcomes))


def _doubling(end: str) -> dict[str, str]:
    calls = {f"p{level}": f"{{{{> p{level + 1}}}}}" * 2 for level in range(_LEVELS)}
    return {**calls, f"p{_LEVELS}": end}


_ENDLESS = "{{#each ../../a}}{{#if x}}{{/if}}{{/each}}"
_INDENTED = " " * 100_000 + "{{> p}}"
_ESCAPED = "{{json " + "(json " * 39 + "x" + ")" * 39 + "}}"
_LOCALES = "{{#each a}}{{#each @root.tags}}{{formatNumber 1 locale=this}}{{/each}}{{/each}}"
_TAGS = [f"{one}{two}" for one in ascii_lowercase for two in ascii_lowercase]
_DIVIDERS = "{{#each a}}<mj-text>x</mj-text>{{#each ../b}}<mj-divider />{{/each}}{{/each}}"
_RULES = "".join(f"i~p:not(.c{number}){{color:red}}" for number in range(100))
_STYLED = _MAIL.replace("<mj-body>", f'<mj-head><mj-style inline="inline">{_RULES}</mj-style></mj-head><mj-body>') % (
    "<mj-raw>{{#each a}}<p>x</p>{{/each}}<i>x</i></mj-raw>"
)
_OBJECTS = b'{"a":[' + b",".join([b"{}"] * 1_500_000) + b"]}"
_DEEP = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

BOMBS = (
    _bomb("9 million rounds, no output", _LOOP % "", _LIST, "render_timeout"),
    _bomb("9 million rounds, 8 characters each", _LOOP % "xxxxxxxx", _LIST, "output_too_large"),
    _bomb("27 billion rounds of a condition", _LOOP % _ENDLESS, _LIST, "render_timeout"),
    _bomb("200 KB of data, 3,000 times", "{{#each a}}{{../b}}{{/each}}", {**_LIST, "b": "x" * 200_000}, _SIZE),
    _bomb("2^40 calls of partials, no output", "{{> p0}}", {}, "render_timeout", partials=_doubling("")),
    _bomb("2^40 calls of partials, a letter each", "{{> p0}}", {}, _SIZE, "render_timeout", partials=_doubling("x")),
    _bomb("a partial that calls itself", "{{> p}}", {}, _FAULT, partials={"p": "{{> p}}"}),
    _bomb("100,000 lines, 100 KB to the right", _INDENTED, {}, _SIZE, partials={"p": "\n" * 100_000}),
    _bomb("a text escaped 40 times over", _ESCAPED, {"x": '"'}, _SIZE),
    _bomb("every language there is", _LOCALES, {**_LIST, "tags": _TAGS}, "render_timeout"),
    _bomb("blocks 20,000 deep", "{{#if a}}" * 20_000 + "{{/if}}" * 20_000, {}, _FAULT),
    _bomb("256 KB of opening parentheses", "{{x " + "(" * 256_000, {}, _FAULT),
    _bomb("52,000 tags", "{{x}}" * 52_000, {}, _FAULT),
    _bomb("data 100,000 deep", "{{x}}", _DEEP, _FAULT),
    _bomb("1.5 million objects as data", "{{a.length}}", _OBJECTS, "render_memory"),
    _bomb("100 rules inlined among 5,000 siblings", _STYLED, {"a": [0] * 5000}, "render_timeout", mail=True),
    _bomb("27,000 MJML dividers", _MAIL % _DIVIDERS, {"a": [0] * 600, "b": [0] * 45}, *_LIMITS, mail=True),
)
