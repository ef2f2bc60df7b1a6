"""What a version becomes on its channel."""

from typing import Any

import pytest

from services.render import content
from services.render.content import FaultyTemplateError, compile_source
from services.render.frames import EMAIL, PUSH, SMS, Content, Fault, TemplateSource
from services.render.handlebars import OutputTooLargeError
from tests.counting import count_calls

INCLUDE = "<mj-include path='/etc/passwd' type='html'/>"
MAIL = "<mjml><mj-body><mj-section><mj-column><mj-text>{{x}}</mj-text></mj-column></mj-section></mj-body></mjml>"


def render(channel: int, subject: str, body: str, data: dict[str, Any], limit: int = 100_000) -> Content:
    """The content of a version over data."""
    compiled = compile_source(TemplateSource(channel, subject, body))
    return content.render(compiled, data, limit=limit, deadline=content.deadline_after(60))


def faults(channel: int, subject: str, body: str) -> list[Fault]:
    """What is wrong with a version."""
    with pytest.raises(FaultyTemplateError) as refused:
        content.check(TemplateSource(channel, subject, body))
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


@pytest.mark.parametrize("place", ["<mj-text>{{x}}", "<mj-column>", "<mj-body>"])
def test_data_include_nothing(place: str) -> None:
    """The mail is sent, and no file is read for it."""
    made = render(EMAIL, "", MAIL.replace(place, place.replace("{{x}}", "") + "{{{x}}}"), {"x": INCLUDE})
    assert "root:" not in made.html


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
    content.check(TemplateSource(channel, "", body))


def test_cost() -> None:
    """What is kept counts for more the more tags it has."""
    costs = [compile_source(TemplateSource(SMS, "", "{{x}}" * tags)).cost for tags in (1, 10, 1000)]
    assert costs[0] < costs[1] < costs[2]
    assert costs[2] > 1000 * len("{{x}}")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Fault("body", 3, "bad"), "body, line 3: bad"), (Fault("subject", 0, "bad"), "subject: bad")],
)
def test_faults_read_well(fault: Fault, expected: str) -> None:
    """The line is told where it is known."""
    assert str(fault) == expected


LAYOUT = """<mjml>
<mj-body>
{{{content}}}
<mj-section><mj-column><mj-text>{{shop}} {{> footer}}</mj-text></mj-column></mj-section>
</mj-body>
</mjml>"""
SECTION = "<mj-section>\n<mj-column><mj-text>{{x}}</mj-text></mj-column></mj-section>"


def laid_out(body: str = SECTION, **parts: Any) -> TemplateSource:
    """A mail in a layout."""
    return TemplateSource(EMAIL, "S", body, **{"layout": LAYOUT, "partials": {"footer": "bye {{x}}"}, **parts})


def test_layout_and_partials() -> None:
    """The body stands in the layout, both call partials, and all see the data."""
    source = laid_out()
    content.check(source)
    data = {"x": "a & b", "shop": "Acorn", "content": "not this"}
    made = content.render(content.compile_source(source), data, limit=100_000, deadline=content.deadline_after(60))
    assert "a &amp; b" in made.html
    assert made.text == "a & b\n\nAcorn bye a & b"


@pytest.mark.parametrize(
    ("source", "field", "line", "says"),
    [
        pytest.param(laid_out(layout="<mjml></mjml>"), "layout", 0, "exactly once, but contains it 0", id="no-slot"),
        pytest.param(laid_out(layout=LAYOUT + "{{{content}}}"), "layout", 0, "contains it 2 times", id="two-slots"),
        pytest.param(laid_out(layout="{{content}}"), "layout", 0, "0 times", id="escaped-slot"),
        pytest.param(laid_out(layout=LAYOUT.replace("{{shop}}", "{{#if}}")), "layout", 4, "if", id="layout"),
        pytest.param(laid_out(partials={}), "layout", 4, "footer", id="no-such-partial"),
        pytest.param(laid_out(partials={"footer": "a\n{{/if}}"}), "partials.footer", 2, "closing tag", id="partial"),
        pytest.param(
            laid_out(body=SECTION.replace("</mj-text>", "</b>")), "body", 2, "<mj-text> is", id="mjml-in-body"
        ),
        pytest.param(
            laid_out(layout=LAYOUT.replace("</mj-column>", "")), "layout", 4, "<mj-column> is", id="in-layout"
        ),
        pytest.param(laid_out(partials={"footer": "\n<b>"}), "partials.footer", 2, "<b> is not", id="in-partial"),
        pytest.param(TemplateSource(SMS, "", "x", layout=LAYOUT), "layout", 0, "for channel EMAIL only", id="sms"),
        pytest.param(TemplateSource(EMAIL, "", "x", preheader="a\n{{/b}}"), "preheader", 2, "b", id="preheader"),
    ],
)
def test_faults_of_parts(source: TemplateSource, field: str, line: int, says: str) -> None:
    """A fault is told where it is: in the body, its layout, a partial, the preheader."""
    with pytest.raises(FaultyTemplateError) as refused:
        content.check(source)
    (fault, *_) = refused.value.faults
    assert (fault.field, fault.line) == (field, line)
    assert says in fault.message


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(MAIL, id="mjml"),
        pytest.param("<html><body class='a'><p>{{x}}</p></body></html>", id="html"),
        pytest.param("<p>{{x}}</p>", id="fragment"),
        pytest.param(MAIL.replace("<mj-body>", "<mj-head><mj-preview>P</mj-preview></mj-head><mj-body>"), id="its-own"),
        pytest.param(
            MAIL.replace("<mj-body>", "<mj-head><!-- <mj-preview> --><mj-preview>P</mj-preview></mj-head><mj-body>"),
            id="its-own-behind-a-comment",
        ),
    ],
)
def test_preheader(body: str) -> None:
    """The preheader is hidden text before all others, escaped; it replaces MJML's own; the text part has none."""
    source = TemplateSource(EMAIL, "S", body, preheader="Hi <b>{{x}}</b>\n!")
    content.check(source)
    compiled = content.compile_source(source)
    made = content.render(compiled, {"x": "Tom & <i>"}, limit=100_000, deadline=content.deadline_after(60))
    assert made.preheader == "Hi Tom & <i> !"
    assert made.html.count("Hi Tom &amp; &lt;i&gt; !&#847;") == 1
    visible = made.html.partition("<body")[2] or made.html
    assert visible.index("Hi Tom") < visible.index("Tom &amp; &lt;i&gt;")
    assert made.text == "Tom & <i>"
    assert ">P<" not in made.html


def test_conditions_and_their_opposites_are_taken_together() -> None:
    """If and unless are two branches of one thing: markup that is right in both is right."""
    opening = "{{#if x}}<mj-section css-class='x'>{{/if}}{{#unless x}}<mj-section>{{/unless}}"
    content.check(TemplateSource(EMAIL, "", MAIL.replace("<mj-section>", opening)))
    with pytest.raises(FaultyTemplateError):
        content.check(TemplateSource(EMAIL, "", MAIL.replace("<mj-section>", "{{#if x}}<mj-section>{{/if}}")))


def test_partials_that_multiply_are_checked_in_bounded_time() -> None:
    """Even where they hold no text at all."""
    partials = {f"p{number}": f"{{{{> p{number + 1}}}}}" * 4 for number in range(30)} | {"p30": ""}
    source = TemplateSource(EMAIL, "", "{{> p0}}", partials=partials)
    count_calls(lambda: content.check(source), at_most=1_000_000)
