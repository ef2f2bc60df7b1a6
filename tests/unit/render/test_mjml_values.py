"""Data in MJML: whatever a value holds, the mail is made."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.render import content, mjml
from services.render.content import compile_source
from services.render.frames import EMAIL, Content, TemplateSource

MAIL = "<mjml><mj-body><mj-section><mj-column>%s</mj-column></mj-section></mj-body></mjml>"
TEXT = MAIL % "<mj-text>{{{note}}}</mj-text><mj-text>Next</mj-text>"


def render(body: str, data: dict[str, Any]) -> Content:
    """The content of a version over data."""
    source = TemplateSource(EMAIL, "s", body)
    content.check(source)
    compiled = compile_source(source)
    return content.render(compiled, data, limit=500_000, deadline=content.deadline_after(60))


@pytest.mark.parametrize(
    ("note", "html", "text"),
    [
        ("We <3 our customers", ">We &lt;3 our customers</div>", "We <3 our customers"),
        ("5 < 6", ">5 &lt; 6</div>", "5 < 6"),
        ("<p>a<p>b</p>", "><p>a<p>b</p></div>", "a\n\nb"),
        ("x<BR>y", ">x<BR>y</div>", "x\ny"),
        ("<ul><li>a<li>b</ul>", "><ul><li>a<li>b</ul></div>", "- a\n- b"),
        ("<img src=x.png>", "><img src=x.png></div>", ""),
        ("<b>bold", "><b>bold</b></div>", "bold"),
        ("<!-- a -- b -->x", "><!-- a -- b -->x</div>", "x"),
        ("Ada <ada@x.example>", ">Ada &lt;ada@x.example></div>", "Ada <ada@x.example>"),
        ("<o:p>Word</o:p>", "><o:p>Word</o:p></div>", "Word"),
        ("<![CDATA[x]]>", ">&lt;![CDATA[x]]></div>", "<![CDATA[x]]>"),
        ("</div></td></tr></table>x", ">x</div>", "x"),
        ("<table><tr><td>x", "><table><tr><td>x</td></tr></table></div>", "x"),
        ("a&nbsp;&copy; b & c", ">a&nbsp;&copy; b & c</div>", "a © b & c"),
        ("<script>x", ">&lt;script>x</div>", "<script>x"),
    ],
)
def test_a_value_is_html(note: str, html: str, text: str) -> None:
    """As MJML 4 has it: the content of an ending tag is HTML. What is no tag is text."""
    made = render(TEXT, {"note": note})
    assert html in made.html
    assert made.text == f"{text}\n\nNext".lstrip("\n")


@pytest.mark.parametrize(
    "around",
    [
        *("<mj-text>%s</mj-text>", '<mj-button href="u">%s</mj-button>', "<mj-table><tr><td>%s</td></tr></mj-table>"),
        *("<mj-raw>%s</mj-raw>", '<mj-navbar><mj-navbar-link href="u">%s</mj-navbar-link></mj-navbar>'),
        '<mj-social><mj-social-element name="facebook">%s</mj-social-element></mj-social>',
        "<mj-accordion><mj-accordion-element><mj-accordion-text>%s</mj-accordion-text></mj-accordion-element></mj-accordion>",
        "<mj-accordion><mj-accordion-element><mj-accordion-title>%s</mj-accordion-title></mj-accordion-element></mj-accordion>",
        *("%s", "<mj-text>x</mj-text>%s<mj-divider />"),
    ],
)
@pytest.mark.parametrize("note", ["We <3 <b>you", "<i>We</i> <3 <b>you</b>", "We <3 <b>you</b><!-- -- -->"])
def test_everywhere(around: str, note: str) -> None:
    """In each ending tag, and between elements too."""
    made = render(MAIL % (around.replace("%s", "{{{note}}}") + "<mj-text>Next</mj-text>"), {"note": note})
    assert "We" in made.html
    assert "&lt;3 <b>you</b>" in made.html
    assert ">Next</div>" in made.html


def test_in_the_head() -> None:
    """A title is text, the preview HTML, styles stay styles."""
    head = "<mj-head><mj-title>{{{x}}}</mj-title><mj-preview>{{{x}}}</mj-preview><mj-style>{{{y}}}</mj-style></mj-head>"
    made = render(
        TEXT.replace("<mj-body>", head + "<mj-body>"),
        {"x": "<b>a</b> <3 </title>", "y": "a>b{} </style><p>", "note": "n"},
    )
    assert "<title>&lt;b>a&lt;/b> &lt;3 &lt;/title></title>" in made.html
    assert "<b>a</b> &lt;3 </div>" in made.html
    assert r"a>b{} <\/style><p></style>" in made.html
    assert made.text == "n\n\nNext"


@pytest.mark.parametrize("value", ['a"b', "a'b", 'x" y="', 'x">', "a<b>c", "a b", "", '"/', "'\"<!--"])
@pytest.mark.parametrize("quote", ['"%s"', "'%s'"])
def test_in_attributes(quote: str, value: str) -> None:
    """What a value makes of a start tag is still a mail, with all that follows."""
    href = quote.replace("%s", "{{{x}}}")
    made = render(MAIL % f"<mj-button href={href}>Go</mj-button><mj-text>Next</mj-text>", {"x": value})
    assert "Next" in made.html
    assert made.html.endswith("</html>")


@pytest.mark.parametrize("place", ["<mj-text>{{{x}}}</mj-text>", "{{{x}}}"])
def test_a_value_as_deep_as_it_likes(place: str) -> None:
    """Neither is the converter's stack used up, nor the reader's program."""
    made = render(MAIL % place, {"x": "<b>" * 20_000 + "deep" + "</b>" * 20_000})
    assert "deep" in made.html
    assert made.html.count("<b>") == 256


def test_mjml_in_values_is_mjml() -> None:
    """A part of the mail may come from data."""
    made = render(MAIL % "{{{x}}}", {"x": "<mj-text>a</mj-text><mj-divider /><mj-text>b <3</mj-text>"})
    assert made.text == "a\n\nb <3"
    assert "<mj-" not in made.html


def test_a_value_cannot_name_places() -> None:
    """What stands for contents while the structure is converted is not to be guessed, and not replaced in contents."""
    made = render(TEXT, {"note": "0x0x <b>1x1x</b>"})
    assert "0x0x <b>1x1x</b>" in made.html


def test_comments_around_elements() -> None:
    """A commented element is no element, also inside of another one."""
    body = MAIL % "<!-- <mj-text>no</mj-text> --><mj-text>a <!-- <mj-text>b</mj-text> --> <i>c</i></mj-text>"
    made = render(body, {})
    assert made.text == "a c"


def test_a_value_with_an_open_comment_hides_nothing_else() -> None:
    """Not the rest of the mail up to the next comment."""
    body = TEXT.replace("</mj-column>", "<!-- end of column --></mj-column>")
    assert render(body, {"note": "<!-- oops"}).text == "<!-- oops\n\nNext"


EVERYWHERE = """<mjml lang="@"><mj-head>@<mj-title>@</mj-title><mj-preview>@</mj-preview>
<mj-attributes>@<mj-all font-family="@" /><mj-class name="@" color="red" /></mj-attributes>@
<mj-style>@</mj-style><mj-style inline="inline">@</mj-style></mj-head><mj-body width="@">@<mj-wrapper>@
<mj-section @ padding="@">@<mj-group>@<mj-column width="@">@<mj-text css-class="@">@</mj-text>
<mj-table>@<tr @><td>@</td></tr></mj-table><mj-button href="@">@</mj-button><mj-raw>@</mj-raw>
<mj-image src="@" /></mj-column></mj-group>@</mj-section></mj-wrapper>@<mj-section><mj-column>
<mj-social>@<mj-social-element name="facebook" href="@">@</mj-social-element></mj-social>
<mj-accordion>@<mj-accordion-element>@<mj-accordion-title>@</mj-accordion-title></mj-accordion-element></mj-accordion>
<mj-carousel>@<mj-carousel-image src="@" /></mj-carousel></mj-column></mj-section>@</mj-body>@</mjml>@"""
_PIECES = EVERYWHERE.split("@")
_NAMES = (
    *("mj-text", "mj-section", "mj-column", "mj-body", "mjml", "mj-head", "mj-raw", "mj-style", "mj-include path='x'"),
    *("mj-attributes", "mj-all", "mj-social", "mj-title", "p", "b", "div", "table", "td", "br", "script", "o:p"),
)
_TAGS = st.builds(str.format, st.sampled_from(("<{}>", "</{}>", "<{} />", "<{} a=b c>")), st.sampled_from(_NAMES))
_ODD = st.sampled_from(('"', "'", "<", ">", "x", "<!--", "-->", "<?x?>", "]]>", "<a b='", "&", "=", "/", "</"))
_VALUES = st.lists(_TAGS | _ODD, min_size=1, max_size=6).map("".join)


@given(st.dictionaries(st.integers(0, len(_PIECES) - 2), _VALUES, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_no_value_in_any_place_fails_the_mail(values: dict[int, str]) -> None:
    """Text, HTML and MJML, whole and in pieces, wherever a template could have a value."""
    markup = "".join(piece + values.get(index, "") for index, piece in enumerate(_PIECES))
    assert mjml.to_html(markup).startswith("<!")


@pytest.mark.parametrize("value", ["a<b", "we sell <a", "Tom & <Jerry", "<a href='", "<mj-text", "</mj-text", "<!--"])
def test_an_open_tag_between_elements_costs_no_content(value: str) -> None:
    """What follows it is there, and nothing that only the program knows."""
    column = f"<mj-column><mj-text>Hi</mj-text>{value}<mj-text><b>Your total: 5</b></mj-text></mj-column>"
    made = mjml.to_html(f"<mjml><mj-body><mj-section>{column}</mj-section></mj-body></mjml>")
    assert "Your total: 5" in made
    assert re.search("[0-9a-f]{16}", made) is None
