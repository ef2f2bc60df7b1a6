"""The text part of an e-mail."""

import pytest

from services.render.plaintext import from_html, has_pictures
from tests.counting import assert_linear

HIDDEN = "<div style='display:none'>"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("", ""),
        ("just text", "just text"),
        ("  a \n\t b  ", "a b"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div><div><p>one</p></div></div>\n\n<p></p><p>two</p>", "one\n\ntwo"),
        ("<h1>Title</h1>text", "Title\n\ntext"),
        ("a<br>b<br/>c<BR />d", "a\nb\nc\nd"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("a<hr>b", "a\n\n---\n\nb"),
        ("<b>bo</b>ld <i> and </i> more", "bold and more"),
        ("a<span> b</span>", "a b"),
        ("a<!-- not <p> this -->b", "ab"),
        ("<!doctype html><?xml?>a", "a"),
        ("a <img src=x alt='a cat'> b <img src=y>", "a a cat b"),
        ("a\xa0&nbsp;b &nbsp; c", "a  b   c"),
        ("<x-y:z>a</x-y:z>", "a"),
    ],
)
def test_text_and_paragraphs(markup: str, expected: str) -> None:
    """White space collapses, blocks are set apart by one empty line."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("&lt;b&gt; &amp;amp; &quot;x&quot;", '<b> &amp; "x"'),
        ("&#65;&#x42;&uuml;&euro;&hellip;", "ABü€…"),
        ("&lt;script>x&lt;/script>", "<script>x</script>"),
        ("AT&T & co &unknown;", "AT&T & co &unknown;"),
        ("<a href='?a=1&amp;b=2'>x</a>", "x (?a=1&b=2)"),
        ("&#" + "1" * 5000 + ";", "&#" + "1" * 5000 + ";"),
    ],
    ids=["basic", "numbers", "tags", "stray", "address", "endless"],
)
def test_entities(markup: str, expected: str) -> None:
    """Written as the characters they stand for, once."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<a href='https://x.y'>Here</a>.", "Here (https://x.y)."),
        ('<A HREF="https://x.y" class=b>Here</A>', "Here (https://x.y)"),
        ("<a href=https://x.y>Here</a>", "Here (https://x.y)"),
        ("<a href='https://x.y'>https://x.y</a>", "https://x.y"),
        ("<a href='https://x.y'><img src=z></a>", "https://x.y"),
        ("<a href='https://x.y'><img src=z alt=Logo></a>", "Logo (https://x.y)"),
        ("<a href='mailto:a@b.c'>a@b.c</a> <a href='tel:+49'>call</a>", "a@b.c call (+49)"),
        ("<a href='#top'>up</a><a href='JavaScript:x()'>do</a><a href='data:,x'>it</a>", "updoit"),
        ("<a name=x>anchor</a> <a href=''>none</a>", "anchor none"),
        ("<a data-href='no'>x</a>", "x"),
        ("<a href='1'>one<a href='2'>two</a></a>", "one (1)two (2)"),
        ("<a href='x\n\n  y'>label</a>", "label (x y)"),
        ("<a data-x1=\"a href='evil'\" href=good>x</a>", "x (good)"),
        ('<a class="b"href="u">x</a>', "x (u)"),
        ("<a/href=u>x</a>", "x (u)"),
        ("<a href=it's>x</a>", "x (it's)"),
        ("</a>text", "text"),
    ],
)
def test_links(markup: str, expected: str) -> None:
    """The label, then the address where it says more than the label."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.example/o?id=7&timestamp=1&region=eu&notification=3",
        "https://shop.example/o?a=1&currency=x&section=1&copy=2&para=3&quote=4",
        "https://shop.example/o?a=1&amp;copy=2&lt=3",
    ],
)
@pytest.mark.parametrize("quote", ['"', "'", ""])
def test_addresses_stay_as_written(address: str, quote: str) -> None:
    """Names of parameters are no characters."""
    assert from_html(f"<a href={quote}{address}{quote}>x</a>") == f"x ({address.replace('&amp;', '&')})"
    assert from_html(f"<img alt={quote}{address}{quote}>") == address.replace("&amp;", "&")


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<ol><li>a<li>b</ol><ol><li>c</ol>", "1. a\n2. b\n\n1. c"),
        ("x<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>y", "x\n\n- a\n  - b\n- c\n\ny"),
        ("<ol><li>a<ul><li>b</ul><li>c</ol>", "1. a\n  - b\n2. c"),
        ("<ul>\n <li>\n  <p>a</p>\n </li>\n <li><p>b</p></li></ul>", "- a\n\n- b"),
        ("<li>alone</li>", "- alone"),
        ("</ul></ol>x", "x"),
    ],
)
def test_lists(markup: str, expected: str) -> None:
    """Bullets and numbers, indented by level."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<ol start="3"><li>c</li><li>d</ol>', "3. c\n4. d"),
        ("<ol start=-1><li>a<li>b<li>c</ol>", "-1. a\n0. b\n1. c"),
        ("<ol start=' +07x'><li>a</ol>", "7. a"),
        ("<ol start=x><li>a</ol><ol start=99999999999><li>a</ol>", "1. a\n\n1. a"),
        ("<ol reversed><li>a<li>b<li>c</ol>", "3. a\n2. b\n1. c"),
        ("<ol reversed start=10><li>a<li>b</ol>", "10. a\n9. b"),
        ("<ol reversed><li>a<ul><li>x</ul><li value=9>b<li>c", "3. a\n  - x\n9. b\n8. c"),
        ("<ol><li>a<li value=7>b<li>c</ol>", "1. a\n7. b\n8. c"),
        ("<ol type=a><li>a<li>b</ol><ol type=A start=26><li>z<li>aa</ol>", "a. a\nb. b\n\nZ. z\nAA. aa"),
        ("<ol type=i start=4><li>a<li>b</ol><ol type=I start=1999><li>c</ol>", "iv. a\nv. b\n\nMCMXCIX. c"),
        ("<ol type=a start=0><li>a</ol><ol type=I start=4000><li>b</ol>", "0. a\n\n4000. b"),
        ("<ol><li type=a>a<li>b</ol>", "a. a\n2. b"),
        ("<ol start=3><li>a<ol type=a><li>b<li>c</ol><li>d</ol>", "3. a\n  a. b\n  b. c\n4. d"),
        ("<ul start=3><li value=4>a</ul><menu><li>b</menu>", "- a\n\n- b"),
        ("<ul style='list-style:none'><li>a<li>b</ul>", "a\nb"),
    ],
)
def test_numbers(markup: str, expected: str) -> None:
    """Items have the numbers that a browser shows."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<pre>Item   Qty\nPen      2</pre>", "Item   Qty\nPen      2"),
        ("a<pre>\n  b\n\n\n\n c\n</pre>d", "a\n\n  b\n\n\n\n c\n\nd"),
        ("<pre>\n\na</pre>", "a"),
        ("x<pre>\n\na</pre>", "x\n\n\na"),
        ("<pre>a<br>b<br/>\nc</pre>", "a\nb\n\nc"),
        ("<pre>a\r\n\tb  \r\nc</pre>", "a\n\tb\nc"),
        ("<pre>a <b>b\n  c</b>  d</pre>  e  f", "a b\n  c  d\n\ne f"),
        ("<pre><code>if a &lt; b:\n    c</code></pre>", "if a < b:\n    c"),
        ("<pre>a</pre><pre>b", "a\n\nb"),
        ("<p style='white-space: pre-wrap'>a  b\nc</p> d  e", "a  b\nc\n\nd e"),
        ("<td style='white-space:pre-line'>a   b \n  c<td> d  e", "a b\nc d e"),
        ("<div style='white-space:pre-line'>a\n<div>b</div></div>", "a\n\nb"),
        ("<span style='white-space:pre'>a\n</span>b", "a\nb"),
        ("<p style='white-space:nowrap'>a  \n b</p>", "a b"),
        ("<listing>a  b</listing>", "a  b"),
        ("<ul><li><pre>a\n b</pre><li>c</ul>", "- a\n b\n\n- c"),
    ],
)
def test_kept_lines(markup: str, expected: str) -> None:
    """Spaces and line ends stay where a reader sees them."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a&nbsp;&nbsp;&nbsp;b", "a   b"),
        ("<p>&nbsp;&nbsp;a</p><p>&nbsp;</p><p>b&nbsp;</p>", "  a\n\nb"),
        ("1&nbsp;234 \n &nbsp; 5", "1 234   5"),
        ("<td>a</td><td>&nbsp;</td><td>b</td>", "a   b"),
    ],
)
def test_no_break_spaces(markup: str, expected: str) -> None:
    """They do not collapse."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>", "a b\nc d"),
        ("x<table><tbody><tr><th>a</th></tr></tbody></table>y", "x\n\na\n\ny"),
        ("<table><tr><td><table><tr><td>a</td></tr></table></td></tr></table>", "a"),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "a\nb"),
    ],
)
def test_tables(markup: str, expected: str) -> None:
    """A line per row, a space between cells."""
    assert from_html(markup) == expected


@pytest.mark.parametrize("name", ["script", "style", "title", "template", "textarea", "svg"])
def test_not_text(name: str) -> None:
    """What no reader sees is left out, also in capitals, and up to the end where it is not closed."""
    assert from_html(f"a<{name} x='1'>if (b < c) {{ '<p>' }}</{name} >d") == "ad"
    assert from_html(f"a<{name.upper()}>b</{name.upper()}>c") == "ac"
    assert from_html(f"a<{name}>b") == "a"


@pytest.mark.parametrize("end", ["</head>", ""])
def test_head(end: str) -> None:
    """The head's title and styles are no text; its end may be missing."""
    head = "<head><meta charset=utf-8><title>T</title><style>a{}</style>"
    assert from_html(f"<html>{head}{end}<body>Hello</body></html>") == "Hello"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (f"{HIDDEN}preview</div>text", "text"),
        ('<div style="font-size:1px;DISPLAY : NONE;">preview</div>text', "text"),
        (f"{HIDDEN}a<div>b</div>c<br><a href=x>l</a></div>text", "text"),
        ("<span style='display:none'>a</span>b", "b"),
        ("<img style='display:none' alt=x>text", "xtext"),  # without an end it hides nothing
        ("<p style='border:none'>shown</p>", "shown"),
        (f"a{HIDDEN}never closed", "a"),
        ("<div hidden>a</div>b<p hidden='x'>c</p>", "b"),
        ("<div style='max-height:0;overflow:hidden'>a</div>b", "b"),
        ("<div style='Max-Height: 0px; OVERFLOW: hidden'>a</div>b", "b"),
        ("<span style='visibility:hidden'>a</span>b", "b"),
        ("<div style='max-height:0.5em;overflow:hidden'>a</div>", "a"),
        ("<div style='max-height:0'>a</div><div style='overflow:hidden'>b</div>", "a\n\nb"),
        ("<p title='display:none' data-hidden='x'>shown</p>", "shown"),
    ],
)
def test_hidden(markup: str, expected: str) -> None:
    """A preheader that is not displayed is no text."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a < b > c", "a < b > c"),
        ("1 <2 and <3", "1 <2 and <3"),
        ("a<p", "a<p"),
        ("a<p class='x", "a<p class='x"),
        ("</p></div></b>a", "a"),
        ("<p>a<p>b<div>c", "a\n\nb\n\nc"),
        ("<a title='>' href='u'>x</a>", "x (u)"),
        ("Ada <ada@x.example> wrote", "Ada <ada@x.example> wrote"),
        ("<p title=it's>a</p>", "a"),
        ("a<!-- b", "a"),
        ("a<!-- b --> c <!-- d", "a c"),
        ("a<!-->b-->c", "ab-->c"),
        ("<>a</>", "<>a</>"),
    ],
)
def test_malformed(markup: str, expected: str) -> None:
    """Nothing is lost that a reader would see."""
    assert from_html(markup) == expected


@pytest.mark.parametrize(
    "piece",
    [
        *("<", "<a ", '<a "', "<a '\"", "<!--", "<!-->", "<!x", "&", "&#1", "<br> ", "<td>", "<ul><li>", "</a>", "- "),
        *("<script>", "<title>x</title>", "<a href=u>t", "<p style='display:none'>", "<p a='display:", " a=", "x\n"),
        *(
            "<pre> ",
            "<pre>\n",
            " ",
            "<ol reversed><li>",
            "<li value=1>",
            "<p hidden>",
            "<p style='white-space:pre-line'> \n",
        ),
    ],
)
@pytest.mark.parametrize("around", ["%s", "<a href='%s'>x</a>", '<p style="none display%s">', "<a href=u>%s</a>"])
@pytest.mark.timeout(60)
def test_hostile_markup_takes_linear_time(piece: str, around: str) -> None:
    """Half a megabyte of anything is read, and the work grows with its length."""
    from_html(around.replace("%s", piece * (500_000 // len(piece))))
    assert_linear(lambda size: from_html(around.replace("%s", piece * (size // len(piece)))))


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param("<a href='x" + " " * 200_000 + "y'>l</a>", id="address"),
        pytest.param("<a href=u>t" * 40_000 + "</a>" * 40_000, id="links"),
        pytest.param("<p style='none;display" + " " * 200_000 + "'>", id="style"),
        pytest.param("<ol><li>" * 40_000 + "x" + "</ol>" * 40_000, id="lists"),
        pytest.param("<div>" * 50_000 + "x" + "</div>" * 50_000, id="blocks"),
        pytest.param("a" + " \t" * 200_000 + "b", id="spaces"),
        pytest.param("a" + "<br>" * 100_000 + "b", id="breaks"),
    ],
)
@pytest.mark.timeout(60)
def test_hostile_structure_takes_linear_time(markup: str) -> None:
    """Long runs and deep nesting too."""
    from_html(markup)
    assert_linear(lambda size: from_html(markup[:size]))


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('<p style="display:none">x<p>Hello', "Hello"),
        ("<div><p hidden>x</div><div>Hello</div>", "Hello"),
        ("<ul><li hidden>a<ul><li>c</ul><li>b</ul>", "- b"),
        ("<table><tr><td hidden>a<td>b</table>", "b"),
        ("<table><tr hidden><td>a<table><tr><td>c</table><tr><td>b</table>", "b"),
        ("<div hidden><p>a</div>b", "b"),
        ("<div hidden><b>a</i></div>b", "b"),
        ("<p hidden>a</b>c</p>b", "b"),
        ("<svg/>Hello", "Hello"),
        ("<noscript>Hello</noscript>", "Hello"),
    ],
)
def test_where_what_is_hidden_ends(markup: str, text: str) -> None:
    """Where a browser shows again what follows, also without an end tag (HTML 13.1.2.4)."""
    assert from_html(markup) == text


def test_what_is_hidden_to_the_end_is_doubtful() -> None:
    """A mail is not kept back because its sender forgot an end tag."""
    assert has_pictures("<div hidden>a<p>Hello")
    assert not has_pictures("<div hidden>a</div>")
