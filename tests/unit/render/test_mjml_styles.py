"""Styles that are written into the elements, and what else of MJML's head is known."""

import re

import pytest

from services.render import content, mjml
from services.render.content import compile_source
from services.render.frames import EMAIL, TemplateSource
from services.render.mjml import MjmlError

MAIL = (
    "<mjml><mj-head>%s</mj-head><mj-body><mj-section><mj-column>"
    '<mj-text css-class="box"><p class="red">a</p> <!--[if mso]><i>b</i><![endif]--></mj-text>'
    "</mj-column></mj-section></mj-body></mjml>"
)
RED = '<mj-style inline="inline">.red{color:#ff0000}</mj-style>'


def test_inline_styles_are_inlined() -> None:
    """Into the elements that they are for; the other styles and Outlook's comments stay."""
    html = mjml.to_html(MAIL % f"{RED}<mj-style>.blue{{color:blue}}</mj-style>")
    assert '<p class="red" style="color: #ff0000;">a</p>' in html
    assert ".red{" not in html
    assert ".blue{color:blue}" in html
    assert "<!--[if mso]><i>b</i><![endif]-->" in html
    assert html.lower().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        (".box p{margin:0}", '<p class="red" style="margin: 0;">'),
        ("p{color:blue}</mj-style><mj-style inline='inline'>.red{color:red}", '<p class="red" style="color: red;">'),
        ("@media print{.red{color:red}}", '<p class="red">'),
        (".red:hover{color:red}", '<p class="red">'),
        ("}}{ .red{color", '<p class="red"'),
        ("", '<p class="red">'),
    ],
)
def test_rules(css: str, expected: str) -> None:
    """In the order of the document; what cannot stand in an attribute, or is no rule, is left out."""
    assert expected in mjml.to_html(MAIL % f'<mj-style inline="inline">{css}</mj-style>')


def test_an_elements_own_style_comes_first() -> None:
    """As for every rule of a document."""
    markup = (MAIL % RED).replace('class="red"', 'class="red" style="color:blue;margin:0"')
    found = re.search(r'<p class="red" style="([^"]*)"', mjml.to_html(markup))
    assert found is not None
    assert [rule.strip() for rule in found[1].split(";") if rule.strip()] == ["color: blue", "margin: 0"]


def test_values_are_styled_too() -> None:
    """Whatever they hold; nothing is loaded for them."""
    source = TemplateSource(EMAIL, "s", (MAIL % RED).replace("a</p>", "{{{x}}}</p>"))
    content.check(source)
    value = "<b class=red>x <3<link rel='stylesheet' href='/etc/passwd'>" + "<i>" * 10_000
    made = content.render(compile_source(source), {"x": value}, limit=200_000, deadline=content.deadline_after(60))
    assert '<b class="red" style="color: #ff0000;">x &lt;3' in made.html
    assert "root:" not in made.html


def test_styles_from_values() -> None:
    """They style, and do no more."""
    markup = (
        MAIL % '<mj-style inline="inline">.red{color:red}</style><script>x</script>@import url(/etc/passwd);</mj-style>'
    )
    html = mjml.to_html(markup)
    assert "<script>" not in html
    assert "root:" not in html


@pytest.mark.parametrize(
    "markup",
    [
        '<mj-html-attributes><mj-selector path=".box"></mj-selector></mj-html-attributes>',
        '<mj-selector path=".box"></mj-selector>',
        '<mj-html-attribute name="id">x</mj-html-attribute>',
    ],
)
def test_attributes_by_selector_are_refused(markup: str) -> None:
    """With a sentence that says what to do, at the element."""
    with pytest.raises(MjmlError, match="mj-html-attributes> is not supported: write the attributes") as refused:
        mjml.check(MAIL % markup)
    assert refused.value.offset == (MAIL % markup).index(markup)


@pytest.mark.parametrize(
    "before",
    [
        *("\ufeff", '<?xml version="1.0" encoding="UTF-8"?>\n', "<!DOCTYPE mjml>", "<!-- a -- b --> "),
        "\ufeff<?xml version='1.0'?>\r\n<!-- <mjml> --><!DOCTYPE mjml [ ]>\n",
    ],
)
def test_what_stands_before_the_root(before: str) -> None:
    """A byte order mark, a declaration, a doctype, comments: none of them is sent."""
    source = TemplateSource(EMAIL, "s", before + MAIL % "")
    content.check(source)
    made = content.render(compile_source(source), {}, limit=200_000, deadline=content.deadline_after(60))
    assert made.html.startswith("<!doctype html><html")
    assert made.text == "a"


def test_faults_behind_a_declaration_have_their_place() -> None:
    """Counted from the start of the text."""
    markup = "<?xml version='1.0'?>\n" + (MAIL % "").replace("<mj-column>", "<mj-column><mj-x>")
    with pytest.raises(MjmlError) as refused:
        mjml.check(markup)
    assert markup[refused.value.offset :].startswith("<mj-x>")
    broken = "<?xml version='1.0'?>\n" + (MAIL % "").replace("</mj-column>", "")
    with pytest.raises(MjmlError) as refused:
        mjml.check(broken)
    assert broken[refused.value.offset :].startswith("<mj-column>")


def test_byte_order_marks_of_parts() -> None:
    """Files of editors that write one may be a layout, a body, a partial."""
    layout = "\ufeff" + MAIL.replace("<mj-text", "{{{content}}}{{> p}}<mj-text") % ""
    source = TemplateSource(
        EMAIL, "\ufeffs", "\ufeff<mj-text>x</mj-text>", layout=layout, partials={"p": "\ufeff<mj-divider />"}
    )
    content.check(source)
    made = content.render(compile_source(source), {}, limit=200_000, deadline=content.deadline_after(60))
    assert "\ufeff" not in made.html + made.subject
    assert made.text.startswith("x")


@pytest.mark.parametrize("style", ["bold", "red", "}"])
def test_a_style_of_a_value_that_cannot_be_read(style: str) -> None:
    """The mail is sent, with its rules in the head."""
    body = f'<mj-column><mj-text><p style="{style}">Hello</p></mj-text></mj-column>'
    head = '<mj-head><mj-style inline="inline">p{color:red} /*</style>*/</mj-style></mj-head>'
    made = mjml.to_html(f"<mjml>{head}<mj-body><mj-section>{body}</mj-section></mj-body></mjml>")
    assert "Hello" in made
    assert "color:red" in made.replace(" ", "")
    assert "</style>*/" not in made
