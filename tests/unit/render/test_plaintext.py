"""The text part of an e-mail."""

import time

import pytest

from services.render.plaintext import from_html

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
        ("</a>text", "text"),
    ],
)
def test_links(markup: str, expected: str) -> None:
    """The label, then the address where it says more than the label."""
    assert from_html(markup) == expected


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
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>", "a b\nc d"),
        ("x<table><tbody><tr><th>a</th></tr></tbody></table>y", "x\n\na\n\ny"),
        ("<table><tr><td><table><tr><td>a</td></tr></table></td></tr></table>", "a"),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "a\nb"),
    ],
)
def test_tables(markup: str, expected: str) -> None:
    """A line per row, a space between cells."""
    assert from_html(markup) == expected


@pytest.mark.parametrize("name", ["script", "style", "title", "template", "noscript", "textarea", "svg"])
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
    ],
)
@pytest.mark.parametrize("around", ["%s", "<a href='%s'>x</a>", '<p style="none display%s">', "<a href=u>%s</a>"])
def test_hostile_markup_takes_linear_time(piece: str, around: str) -> None:
    """Half a megabyte of anything is read in moments; what is quadratic would take minutes."""
    markup = around.replace("%s", piece * (500_000 // len(piece)))
    started = time.process_time()
    from_html(markup)
    assert time.process_time() - started < 10


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
def test_hostile_structure_takes_linear_time(markup: str) -> None:
    """Long runs and deep nesting too."""
    started = time.process_time()
    from_html(markup)
    assert time.process_time() - started < 5
