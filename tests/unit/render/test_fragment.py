"""HTML that stays where it is put. A browser's own parser (html5ever, in css-inline) judges."""

import css_inline
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.render.fragment import MAX_DEPTH, FragmentContext, contained
from tests.counting import assert_linear

TEXT, TABLE, ANY = FragmentContext.TEXT, FragmentContext.TABLE, FragmentContext.ANY


@pytest.mark.parametrize(
    "markup",
    [
        "We love you & you &amp; me >",
        "<p>a <b>b</b><br>c<br/><img src='x' alt=\"a>b\"></p><ul><li>a</li></ul>",
        "<p>a<p>b</p>",
        "<BR><IMG SRC=x.png>",
        "<ul><li>a<li>b</ul>",
        "<table><tr><td>a<td>b<tr><td>c</table>",
        "<!-- a -- b --><!--[if mso]><td><table><![endif]--><!--[if !mso]><!--><p>x</p><!--<![endif]-->",
        "<o:p>x</o:p><my-card a=1>y</my-card><v:rect><v:fill></v:fill></v:rect>",
        "<b><p>x</b></p>",
        "<svg viewBox='0 0 1 1'><title>Logo</title><path d='M0 0'></path></svg>",
        '<script type="application/ld+json">{"a": "<b>"}</script><style>a > b{}</style>',
        "<select><option>a<option>b</select>",
        "<?xml:namespace prefix='o' ?><p>Word</p>",
    ],
)
@pytest.mark.parametrize("place", [TEXT, ANY])
def test_what_is_right_stays(markup: str, place: FragmentContext) -> None:
    """Byte for byte, also where XML would not take it."""
    assert contained(markup, place) == markup


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("We <3 our customers", "We &lt;3 our customers"),
        ("5 < 6", "5 &lt; 6"),
        ("I </3 you", "I &lt;/3 you"),
        ("<$100 value", "&lt;$100 value"),
        ("Ada <ada@x.example> <b>x</b>", "Ada &lt;ada@x.example> <b>x</b>"),
        ("see <https://x.example/a>", "see &lt;https://x.example/a>"),
        ("<a href='x", "&lt;a href='x"),
        ("<!-- x <b>y</b>", "&lt;!-- x <b>y</b>"),
        ("<!-- a --> <!-- b", "<!-- a --> &lt;!-- b"),
        ("<script>x", "&lt;script>x"),
        ("<title>x<b>y</b>", "&lt;title>x<b>y</b>"),
        ("<plaintext>x", "&lt;plaintext>x"),
        ("<![CDATA[x]]>", "&lt;![CDATA[x]]>"),
    ],
)
def test_what_is_no_tag_is_text(markup: str, expected: str) -> None:
    """Nothing is lost, and what follows is not swallowed."""
    assert contained(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<b>bold", "<b>bold</b>"),
        ("<div><b><i>x", "<div><b><i>x</i></b></div>"),
        ("<table><tr><td>a", "<table><tr><td>a</td></tr></table>"),
        ("</div></td></tr></table>x", "x"),
        ("<div>a</div></div>b", "<div>a</div>b"),
        ("<td>x</td>", "x"),
        ("<div><table></div>", "<div><table></table></div>"),
        ("<span><div></span>x</div>", "<span><div>x</div></span>"),
        ('<div/>x<a name="y" />', '<div></div>x<a name="y"></a>'),
        ("<a href=http://x/>y</a>", "<a href=http://x/>y</a>"),
        ("<!doctype html><html><head></head><body class='x'><p>a</p></body></html>", "<p>a</p>"),
        ("<noscript>x</noscript>", "x"),
        ("<script><!--<script></script> --></script>", "<script>\\u003c!--<script></script> -->"),
        ("<!-- a --!>b", "<!-- a -->b"),
        ("<!-->a<!--->b", "ab"),
    ],
)
def test_what_is_open_is_closed_and_nothing_else_is(markup: str, expected: str) -> None:
    """However a value ends, what stands around it is not touched."""
    assert contained(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<tr><td>a</td></tr>", "<tr><td>a</td></tr>"),
        ("<tr><td>a", "<tr><td>a</td></tr>"),
        ("</table>x", "x"),
        ("<table><tr><td>a</td></tr></table>", "<tr><td>a</td></tr>"),
        (
            "<tr><td><table><tr><td>a</td></tr></table></td></tr>",
            "<tr><td><table><tr><td>a</td></tr></table></td></tr>",
        ),
    ],
)
def test_rows(markup: str, expected: str) -> None:
    """A table's content holds rows; a table between its cells would end it."""
    assert contained(markup, TABLE) == expected


def test_depth() -> None:
    """What is deeper than a reader's program could bear is left out, not its text."""
    made = contained("<i>" * 20_000 + "x" + "</i>" * 20_000)
    assert made == "<i>" * MAX_DEPTH + "x" + "</i>" * MAX_DEPTH


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<",
            "<a ",
            '<a "',
            "<!--",
            "<!-->",
            "</",
            "<b>",
            "</b>",
            "<div>",
            "<p>",
            "<li><section>",
            "<svg><p>",
            "<table>",
        ),
        *(
            "<title>",
            "<script>x",
            "<td>",
            "<option>",
            "<b a='1'><i>",
            "<div></span>",
            "<svg><title>",
            "&",
            "<a@b>",
            "<x/>",
        ),
    ],
)
@pytest.mark.parametrize("place", [TEXT, TABLE])
@pytest.mark.timeout(60)
def test_hostile_markup_takes_linear_time(piece: str, place: FragmentContext) -> None:
    """Half a megabyte of anything is read, and the work grows with its length."""
    contained(piece * (500_000 // len(piece)), place)
    assert_linear(lambda size: contained(piece * (size // len(piece)), place))


_NAMES = (
    *("a", "b", "p", "div", "span", "li", "ul", "table", "tr", "td", "tbody", "caption", "col", "select", "option"),
    *("button", "form", "h1", "svg", "math", "title", "style", "script", "textarea", "template", "object", "br", "img"),
    *("foreignObject", "desc", "mi", "noscript", "body", "html", "frameset", "plaintext", "xmp", "o:p", "iframe"),
)
_ODD = (
    *("x", " ", "&lt;", "<", "<3", ">", '"', "'", "<!--", "-->", "--!>", "<!-->", "<!", "<?x?>", "<![CDATA[", "]]>"),
    *("</", "</>", "<a@b.c>", "<!--[if mso]>", "<![endif]-->", "</script", "<style", "<a href='", '<p a="<b>" c>'),
)
_TAGS = st.builds(str.format, st.sampled_from(("<{}>", "</{}>", "<{}/>", "<{} a=b/>")), st.sampled_from(_NAMES))
_SOUP = st.lists(_TAGS | st.sampled_from(_ODD), max_size=9).map("".join)

_BEFORE = '<!DOCTYPE html><html><head></head><body><table><tbody><tr><td id="one">'
_BEHIND = '</td><td id="two">NEXT</td></tr></tbody></table><p id="last">LAST</p></body></html>'


@given(_SOUP)
@example("<a ='x>y'>")
@example("<svg><style><!--</style>")
@example("<svg><![CDATA[x></svg>")
@example("<a title='x>y' =\"z>\">")
@settings(max_examples=400, deadline=None)
def test_nothing_leaves_its_cell(soup: str) -> None:
    """Whatever a value holds: a browser reads the cell behind it, and what follows, as if it were not there."""
    inliner = css_inline.CSSInliner(inline_style_tags=False, keep_style_tags=True, load_remote_stylesheets=False)
    for place, (opens, closes) in ((TEXT, ("<div>", "</div>")), (TABLE, ("<table>", "</table>"))):
        document = inliner.inline(f"{_BEFORE}{opens}{contained(soup, place)}{closes}{_BEHIND}")
        assert document.startswith(_BEFORE)
        assert document.endswith(_BEHIND)
