"""What there is nothing to see in."""

import pytest

from services.render import frames, plaintext
from services.render.content import compile_source, deadline_after, render
from services.render.frames import Content, TemplateSource
from services.render.visible import is_visible

INVISIBLE = {
    "nothing": "",
    "blanks": " \t\r\n\v\f",
    "no-break": "\u00a0\u202f\u2007\u2060",
    "ideographic": "\u3000",
    "zero-width": "\u200b\u200c\u200d\ufeff",
    "soft hyphen": "\u00ad",
    "directions": "\u200e\u200f\u061c\u202a\u202e\u2066\u2069",
    "fillers": "\u115f\u1160\u3164\uffa0",
    "braille": "\u2800",
    "variation selectors": "\ufe0f\U000e0100",
    "tags": "\U000e0020\U000e007f",
    "line ends": "\u2028\u2029\x85",
    "Mongolian": "\u180e",
}
VISIBLE = ("x", ".", "\u00b7", "0", "😀", "\u200b!", "أ", "字", "\u0301", "\u200d👍\ufe0f")


def rendered(channel: int, body: str, subject: str = "", preheader: str = "", **data: str) -> Content:
    """Return what a template makes of the data."""
    compiled = compile_source(TemplateSource(channel, subject, body, preheader))
    return render(compiled, dict(data), limit=100_000, deadline=deadline_after(5))


@pytest.mark.parametrize("text", INVISIBLE.values(), ids=INVISIBLE)
def test_invisible(text: str) -> None:
    """Blanks and whatever has no width, also one after another, in every channel."""
    assert not is_visible(text)
    assert rendered(frames.SMS, "{{text}}", text=text).is_empty
    assert rendered(frames.PUSH, "{{text}}", "{{text}}", text=text).is_empty
    assert rendered(frames.EMAIL, "<p>{{text}}</p>", "Hello", text=text).is_empty


@pytest.mark.parametrize("text", VISIBLE)
def test_visible(text: str) -> None:
    """One character is enough."""
    assert is_visible(text)
    for channel in (frames.SMS, frames.PUSH, frames.EMAIL):
        assert not rendered(channel, "{{text}}", text=text).is_empty


def test_a_push_needs_a_title_or_a_body() -> None:
    """Either says something."""
    assert not rendered(frames.PUSH, "{{missing}}", "New order").is_empty
    assert not rendered(frames.PUSH, "Thanks", "{{missing}}").is_empty
    assert rendered(frames.PUSH, "{{missing}}", "{{missing}}").is_empty


MJML = "<mjml><mj-body background-color='#fff'><mj-section><mj-column>{}</mj-column></mj-section></mj-body></mjml>"
EMPTY_MAILS = (
    "{{missing}}",
    "<!doctype html><html><head><title>Order</title><style>p{background:url(x)}</style></head><body></body></html>",
    "<p>&nbsp;</p><br><br/>&zwnj;",
    "<!-- nothing --><ul>{{#each items}}<li>{{this}}</li>{{/each}}</ul>",
    '<div style="display:none">{{#if true}}hidden{{/if}}<img src="x.png"></div>',
    MJML.format("<mj-text>{{missing}}</mj-text>"),
    MJML.format("<mj-spacer height='20px' />"),
)
FULL_MAILS = (
    '<img src="cid:x">',
    '<table background="x.png"><tr><td></td></tr></table>',
    "<div style=\"background-image: url('x.png')\"></div>",
    "<svg><path d='M0 0'/></svg>",
    '<a href="https://x.example/">&nbsp;</a>',
    MJML.format("<mj-image src='https://x.example/a.png' />"),
    MJML.format("<mj-text>{{name}}</mj-text>"),
)


@pytest.mark.parametrize("body", EMPTY_MAILS)
def test_an_empty_mail(body: str) -> None:
    """Frames, styles, what is hidden and the preheader show nothing."""
    assert rendered(frames.EMAIL, body, "Your order", "{{name}} will see this", name="Ada").is_empty


@pytest.mark.parametrize("body", FULL_MAILS)
def test_a_mail_of_pictures_or_links(body: str) -> None:
    """In doubt it is sent."""
    assert not rendered(frames.EMAIL, body, name="Ada").is_empty


def test_a_mail_without_a_subject_is_sent() -> None:
    """RFC 5322 asks for none, and the body is what its reader needs."""
    content = rendered(frames.EMAIL, "<p>Your code is 1234</p>", "{{missing}}")
    assert (content.subject, content.is_empty) == ("", False)


def test_pictures_are_found_in_linear_time() -> None:
    """Markup that never ends a tag is no picture, and costs nothing."""
    assert not plaintext.has_pictures("<img " * 50_000)
