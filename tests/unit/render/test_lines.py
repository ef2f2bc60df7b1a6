"""Subjects and preheaders: tags of the template go, values keep their text."""

from typing import Any

import pytest

from services.render import content, lines
from services.render.content import compile_source
from services.render.frames import EMAIL, PUSH, Content, TemplateSource
from tests.counting import assert_linear


def render(subject: str, data: dict[str, Any], channel: int = EMAIL, **parts: Any) -> Content:
    """The content of a version over data."""
    compiled = compile_source(TemplateSource(channel, subject, "b", **parts))
    return content.render(compiled, data, limit=100_000, deadline=content.deadline_after(60))


VALUES = [
    "Alert: load<max and mem>90%",
    "Ada <ada@example.com> invited you",
    "Vec<String> failed",
    "Re: <ticket-1@x.example> open",
    "<urgent> server down",
    "Use the <b> tag",
    "a <!-- b --> c",
    "</subject>",
    "1 < 2 > 0",
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("tag", ["{{s}}", "{{{s}}}", "{{#if s}}{{s}}{{/if}}", "{{> p}}", "{{default none s}}"])
@pytest.mark.parametrize("channel", [EMAIL, PUSH])
def test_values_keep_their_text(channel: int, tag: str, value: str) -> None:
    """A subject is plain text: nothing in a value is a tag."""
    made = render(tag, {"s": value}, channel, partials={"p": "{{s}}"})
    assert (made.subject or made.title) == value


@pytest.mark.parametrize(
    ("subject", "data", "expected"),
    [
        ("<b>{{x}}</b> now", {"x": "<i>"}, "<i> now"),
        ("{{#if x}}<b>{{x}}{{/if}}</b>", {"x": "y"}, "y"),
        ('<a href="{{x}}">go</a> {{y}}', {"x": "a>b", "y": "a>b"}, "go a>b"),
        ("{{name}} <{{mail}}> wrote", {"name": "Ada", "mail": "ada@x.example"}, "Ada <ada@x.example> wrote"),
        ("a<{{x}}", {"x": "b>c"}, "a<b>c"),
        ("{{x}}b>c", {"x": "<"}, "<b>c"),
        ("a{{x}}<b>c", {"x": "<"}, "a<c"),
        ("<{{x}}b>c", {"x": "/"}, "</b>c"),
    ],
)
def test_the_templates_tags_are_taken_out(subject: str, data: dict[str, Any], expected: str) -> None:
    """Also those around and between values; what data would make of "<" is no tag."""
    assert render(subject, data).subject == expected


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y.z", "a\nb\0\x1b\x85\u2028c", "=?utf-8?q?=0D=0ABcc:_x?="])
def test_values_stay_harmless(value: str) -> None:
    """No value adds a line, and so a header."""
    made = render("{{s}} <b>{{s}}", {"s": value}).subject
    assert made.isprintable()
    assert made.splitlines() == [made]


def test_preheaders_keep_values_too() -> None:
    """As text, escaped where it stands in the mail."""
    made = render("s", {"s": "Ada <ada@x.example>"}, preheader="<b>From</b> {{s}}")
    assert made.preheader == "From Ada <ada@x.example>"
    assert "From Ada &lt;ada@x.example&gt;&#847;" in made.html
    assert made.text == "b"


def test_no_mark_is_left() -> None:
    """What marks values while a line is made is sent to nobody."""
    made = render("{{x}}<b>{{x}}{{y}}", {"x": "<", "y": [1, "<>"]}, preheader="{{x}}")
    assert (made.subject, made.preheader) == ("<<1,<>", "<")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <b>c</b> d", "a c d"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("I <3 you>", "I <3 you>"),
        ("<scr<b>ipt>x", "x"),
        ("a<!-- x -->b", "ab"),
        ("<" * 5 + "i>" * 5, ""),
        ("<" * 50 + "i>" * 50, ""),
        ("<i" * 3 + ">", "<i<i"),
        ("1 < 2 > <b>0</b>", "1 < 2 > 0"),
        ("<b> > </b>", " > "),
    ],
)
def test_without_markup(text: str, expected: str) -> None:
    """Tags are taken out of a subject, also those made of others; comparisons stay."""
    assert lines.without_tags(text) == expected


@pytest.mark.timeout(60)
def test_removing_markup_takes_linear_time() -> None:
    """However deep tags are made of others."""
    assert lines.without_tags("<" * 200_000 + "i>" * 200_000) == ""
    assert lines.without_tags("<i" * 200_000) == "<i" * 200_000
    assert_linear(lambda size: lines.without_tags("<" * size + "i>" * size))
    assert_linear(lambda size: lines.without_tags("<i" * size))
