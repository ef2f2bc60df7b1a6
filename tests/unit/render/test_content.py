"""What a version becomes on its channel."""

from typing import Any

import pytest

from services.render import content
from services.render.content import FaultyTemplateError, compile_version
from services.render.frames import EMAIL, PUSH, SMS, Content, Fault, Source
from services.render.handlebars import OutputTooLargeError
from services.render.mjml import MjmlError

MAIL = "<mjml><mj-body><mj-section><mj-column><mj-text>{{x}}</mj-text></mj-column></mj-section></mj-body></mjml>"


def render(channel: int, subject: str, body: str, data: dict[str, Any], limit: int = 100_000) -> Content:
    """The content of a version over data."""
    compiled = compile_version(channel, subject, body)
    return content.render(compiled, data, limit=limit, deadline=content.deadline_after(60))


def faults(channel: int, subject: str, body: str) -> list[Fault]:
    """What is wrong with a version."""
    with pytest.raises(FaultyTemplateError) as refused:
        content.check(Source(channel, subject, body))
    return refused.value.faults


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (EMAIL, Content(subject="S <", html="B &lt;", text="B <")),
        (SMS, Content(text="B <", sms_segments=1, sms_encoding="GSM-7")),
        (PUSH, Content(title="S <", body="B <")),
    ],
)
def test_channels(channel: int, expected: Content) -> None:
    """Each channel has its own parts, and only an e-mail's body is escaped."""
    assert render(channel, "S {{x}}", "B {{x}}", {"x": "<"}) == expected


def test_mjml_is_converted() -> None:
    """A body whose root is <mjml> becomes HTML, with its text."""
    made = render(EMAIL, "", MAIL, {"x": "a & b"})
    assert "a &amp; b" in made.html
    assert "<mj-" not in made.html
    assert made.text == "a & b"


def test_html_passes_through() -> None:
    """Any other body is the HTML itself."""
    made = render(EMAIL, "", "<p>{{x}}</p><MJML>", {"x": '"'})
    assert made.html == "<p>&quot;</p><MJML>"


def test_data_cannot_make_mjml() -> None:
    """Escaped data is text: no root, no include."""
    assert render(EMAIL, "", "{{x}}", {"x": "<mjml>"}).html == "&lt;mjml&gt;"
    assert "mj-include" in render(EMAIL, "", MAIL, {"x": "<mj-include path='x'/>"}).text


def test_data_in_triple_stash_is_refused_as_the_template_would_be() -> None:
    """An include is none whoever writes it."""
    with pytest.raises(MjmlError, match="mj-include"):
        render(EMAIL, "", MAIL.replace("{{x}}", "{{{x}}}"), {"x": "<mj-include path='x'/>"})


@pytest.mark.parametrize("channel", [EMAIL, SMS, PUSH])
def test_control_characters_are_dropped(channel: int) -> None:
    """What cannot be stored or sent is left out of the body; tabs and line ends stay."""
    made = render(channel, "", "a{{x}}d", {"x": "\x00\x08\x0b\x1f\x7f\t\n"})
    body = {EMAIL: made.html, SMS: made.text, PUSH: made.body}[channel]
    assert body == "a\t\nd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" a \r\n b ", "a b"),
        ("a\nBcc: x@y.z", "a Bcc: x@y.z"),
        ("a\r\n\x00\x1b\x85\u2028\u2029b", "a b"),
        ("ü ☃", "ü ☃"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("channel", [EMAIL, PUSH])
def test_subjects_are_one_line(channel: int, text: str, expected: str) -> None:
    """No data adds a header to a mail."""
    assert content.one_line(text) == expected
    made = render(channel, "{{x}}", "b", {"x": text})
    assert (made.subject or made.title) == expected


def test_subjects_are_bounded() -> None:
    """At most the longest line of a mail."""
    assert render(EMAIL, "{{x}}", "b", {"x": "ü" * 2000}).subject == "ü" * 998


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <b>c</b> d", "a c d"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("I <3 you>", "I <3 you>"),
        ("<scr<b>ipt>x", "x"),
        ("a<!-- x -->b", "ab"),
        ("<" * 5 + "i>" * 5, ""),
    ],
)
def test_without_markup(text: str, expected: str) -> None:
    """Tags are taken out of a subject, also those made of others; comparisons stay."""
    assert content.without_markup(text) == expected


@pytest.mark.parametrize(
    ("channel", "body", "size"),
    [(SMS, "{{x}}", 10), (PUSH, "{{x}}", 10), (EMAIL, "{{x}}", 20), (EMAIL, "<p>{{x}}</p>", 27)],
)
def test_output_is_bounded(channel: int, body: str, size: int) -> None:
    """The limit holds for an e-mail's HTML and text together."""
    data = {"x": "1234567890"}
    assert render(channel, "", body, data, limit=size)
    with pytest.raises(OutputTooLargeError):
        render(channel, "", body, data, limit=size - 1)


def test_every_fault_is_found() -> None:
    """Subject and body are both told, with their lines."""
    found = faults(PUSH, "{{", "a\n{{> b}}")
    assert [(fault.field, fault.line) for fault in found] == [("subject", 1), ("body", 2)]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("\n\n" + MAIL.replace("<mj-column>", "<mj-column>\n<mj-include path='x'/>"), 4),
        (MAIL.replace("</mj-section>", ""), 1),
        ("{{#if x}}\n" + MAIL.replace("</mj-body>", "</mj-bodi x=1>") + "\n{{/if}}", 2),
        ("{{#if x}}<p>\n{{else}}\n<mjml>{{x}}\n<mj-body>{{/if}}", 4),
        ("{{! a\n }}<mjml>{{#each x}}\n{{y}}<mj-include />{{/each}}</mjml>", 3),
        ("<mjml><mj-body>{{#if x}}\n\n\n{{/if}}\n<mj-include/></mj-body></mjml>", 5),
    ],
)
def test_markup_is_checked_without_data(body: str, line: int) -> None:
    """Markup wrong with any data is refused, at its line in the template."""
    (fault,) = faults(EMAIL, "", body)
    assert (fault.field, fault.line) == ("body", line)
    assert fault.message.startswith("MJML: ")


@pytest.mark.parametrize(
    ("channel", "body"),
    [
        (EMAIL, MAIL),
        (EMAIL, "<p>not closed"),
        (EMAIL, "{{#if x}}" + MAIL + "{{else}}<p>{{/if}}"),
        (EMAIL, MAIL.replace("{{x}}", "{{#each x}}<b>{{this}}</b>{{/each}}")),
        (SMS, "<mjml><mj-include>"),
        (PUSH, "<mjml><mj-include>"),
    ],
)
def test_good_versions_pass(channel: int, body: str) -> None:
    """Only MJML has rules, and only in e-mails."""
    content.check(Source(channel, "", body))


def test_cost() -> None:
    """What is kept counts for more the more tags it has."""
    costs = [compile_version(SMS, "", "{{x}}" * tags).cost for tags in (1, 10, 1000)]
    assert costs[0] < costs[1] < costs[2]
    assert costs[2] > 1000 * len("{{x}}")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Fault("body", 3, "bad"), "body, line 3: bad"), (Fault("subject", 0, "bad"), "subject: bad")],
)
def test_faults_read_well(fault: Fault, expected: str) -> None:
    """The line is told where it is known."""
    assert str(fault) == expected
