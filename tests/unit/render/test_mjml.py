"""MJML to HTML, and what is refused."""

import pytest

from services.render import mjml
from services.render.mjml import MjmlError, faults
from tests.counting import assert_linear

HEAD = "<mjml><mj-body><mj-section><mj-column>"
TAIL = "</mj-column></mj-section></mj-body></mjml>"


def fault(markup: str) -> MjmlError:
    """Why markup is refused."""
    with pytest.raises(MjmlError) as refused:
        mjml.check(markup)
    return refused.value


def test_converts() -> None:
    """Components become HTML that mail programs know; text and links stay as they are."""
    html = mjml.to_html(
        f'{HEAD}<mj-text>Hi &amp; <b>you</b> ü ☃</mj-text><mj-button href="https://x.y/?a=1&amp;b=2">Go</mj-button>{TAIL}'
    )
    assert html.lower().startswith("<!doctype html>")
    assert "Hi &amp; <b>you</b> ü ☃" in html
    assert 'href="https://x.y/?a=1&amp;b=2"' in html
    assert "<table" in html
    assert "<mj-" not in html


def test_title_and_preview() -> None:
    """The head's title and the preview are carried over."""
    head = "<mj-head><mj-title>T1</mj-title><mj-preview>P1</mj-preview></mj-head>"
    html = mjml.to_html((HEAD + "<mj-text>x</mj-text>" + TAIL).replace("<mjml>", "<mjml>" + head))
    assert "<title>T1</title>" in html
    assert "P1" in html


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<mjml></mjml>", True),
        ("\n  <mjml lang='de'>", True),
        ("<!-- a --> <!-- <p> -->\n<mjml>", True),
        ("<mjml", False),
        ("<mjmlx>", False),
        ("<MJML>", False),
        ("<p><mjml></mjml></p>", False),
        ("text <mjml>", False),
        ("<!-- <mjml> -->", False),
        ("<!doctype html><html>", False),
        ("\ufeff<mjml>", True),
        ("<?xml version='1.0' encoding='UTF-8'?>\n<mjml>", True),
        ("<!DOCTYPE mjml>\n<mjml>", True),
        ("\ufeff<?xml version='1.0'?> <!-- a --> <!doctype mjml SYSTEM 'x'>\n<mjml>", True),
        ("<!doctype mjml", False),
        ("\ufeff<p>", False),
        ("", False),
    ],
)
def test_root_decides(markup: str, *, expected: bool) -> None:
    """What does not begin with <mjml> is HTML."""
    assert mjml.is_mjml(markup) is expected


@pytest.mark.parametrize(
    "include",
    [
        '<mj-include path="/etc/passwd" />',
        "<mj-include path='http://127.0.0.1/' type='html'/>",
        '<MJ-Include path="x"></MJ-Include>',
        "<mj-include>",
        '<mj-include\npath="x"\n/>',
    ],
)
@pytest.mark.parametrize("around", ["<mjml><mj-body>%s</mj-body></mjml>", "<mjml><mj-head>%s</mj-head></mjml>"])
def test_includes_are_refused(include: str, around: str) -> None:
    """No file and no address is read, and the place is told."""
    markup = around.replace("%s", include)
    found = fault(markup)
    assert "mj-include is not allowed" in found.message
    assert found.offset == markup.index(include)


def test_includes_in_comments_are_text() -> None:
    """A comment includes nothing."""
    assert "<table" in mjml.to_html(f"{HEAD}<!-- <mj-include path='x' /> --><mj-text>x</mj-text>{TAIL}")


@pytest.mark.parametrize(
    ("markup", "message", "at"),
    [
        ("<mjml><mj-body><mj-section></mj-body></mjml>", "<mj-section> is not closed", "<mj-section>"),
        ("<mjml>ü☃<mj-body></mj-body></mjml>", "", "ü☃"),
        ("<mjml><!-- ü☃ --><mj-body><?x?></mj-body></mjml>", "", "<?x?>"),
        ("<mjml><mj-body><mj-section>", "<mj-section> is not closed", "<mj-section>"),
        ("<mjml><mj-body>", "<mj-body> is not closed", "<mj-body>"),
        ("<mjml><mj-body><mj-section a=b></mj-section></mj-body></mjml>", "attributes of <mj-section>", "<mj-section"),
    ],
)
def test_faults_have_a_place(markup: str, message: str, at: str) -> None:
    """The offset counts characters, not bytes."""
    found = fault(markup)
    assert message in found.message
    assert markup[found.offset :].startswith(at)


@pytest.mark.parametrize(
    ("markup", "message", "offset"),
    [
        ("<a><b></a>", "<b> is not closed before </a>", 3),
        ("<a></a></b>", "</b> has no start tag", 7),
        ("<a><br></a>", None, 0),
        ("<a><b/></a>", None, 0),
        ("<a><!-- <b> --></a>", None, 0),
        ("<a x='1' y=\"2\" z></a>", None, 0),
        ("<a x=1></a>", "the attributes of <a>", 0),
        ("<a><b>", "<b> is not closed", 3),
    ],
)
def test_first_fault(markup: str, message: str | None, offset: int) -> None:
    """Where the converter tells no place, the first tag that is wrong is named."""
    found = faults.first_fault(markup)
    assert (found is None) is (message is None)
    if found is not None and message is not None:
        assert message in found.message
        assert found.offset == offset


def test_nesting() -> None:
    """A template may be 256 tags deep, 257 is refused at the tag."""
    inside = faults.MAX_NESTING - 5
    markup = "{}<mj-text>{}x{}</mj-text>{}"
    mjml.check(markup.format(HEAD, "<i>" * inside, "</i>" * inside, TAIL))
    deep = markup.format(HEAD, "<i>" * (inside + 1), "</i>" * (inside + 1), TAIL)
    found = fault(deep)
    assert "nested more than 256 deep" in found.message
    assert found.offset == deep.rindex("<i>")


def test_siblings_do_not_nest() -> None:
    """Many tags side by side, void and closed ones too, are no depth."""
    tags = "<br><i>x</i><img src='a' />" * 400
    html = mjml.to_html(f"{HEAD}<mj-text>{tags}</mj-text>{TAIL}")
    assert html.count("<i>x</i>") == 400


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param("<div>" * 20_000, id="open"),
        pytest.param("<div>" * 20_000 + "</div>" * 20_000, id="nested"),
        pytest.param("<mj-text>" * 20_000 + "</mj-text>" * 20_000, id="components"),
        pytest.param("<BR>" * 20_000, id="capitals"),
        pytest.param("<div/ >" * 20_000, id="slash"),
        pytest.param("<div a=/>" * 20_000, id="unquoted"),
        pytest.param("<div '" * 20_000, id="quotes"),
        pytest.param("</div>" * 20_000 + "<div>" * 20_000, id="closing first"),
        pytest.param("<![CDATA[ <!-- ]]>" + "<div>" * 20_000, id="cdata"),
        pytest.param("<?x <!-- ?>" + "<div>" * 20_000, id="instruction"),
        pytest.param("<mj-raw><!--" * 20_000, id="comments"),
        pytest.param("<" * 100_000, id="brackets"),
        pytest.param("<a" + " b" * 100_000, id="attributes"),
        pytest.param("<div a='>" + "<div>" * 20_000, id="open quote"),
    ],
)
@pytest.mark.timeout(60)
def test_hostile_markup_is_refused(inside: str) -> None:
    """As a template; as data it is sent. The converter's stack does not crash, and the work grows with the length."""

    def both(size: int) -> None:
        markup = f"<mjml><mj-body>{inside[:size]}</mj-body></mjml>"
        assert fault(markup).message
        assert mjml.to_html(markup).endswith("</html>")

    both(len(inside))
    assert_linear(both)


@pytest.mark.parametrize(
    ("markup", "says", "offset"),
    [
        pytest.param("<p>a<mj-text>b</mj-text>", "is outside of <mjml>", 4, id="no-root"),
        pytest.param(HEAD + "<mj-text>a</mj-test>" + TAIL, "<mj-test>", None, id="misspelt-end"),
        pytest.param(HEAD + "<mj-txt>a</mj-txt>" + TAIL, "<mj-txt> is not an MJML element", None, id="misspelt"),
        pytest.param(HEAD + "<mj-text><b>a</i></mj-text>" + TAIL, "<b> is not closed before </i>", None, id="crossed"),
        pytest.param(HEAD + "<mj-text>a</mj-text></div>" + TAIL, "</div>", None, id="closes-nothing"),
        pytest.param(HEAD + "<mj-text>a < b</mj-text>" + TAIL, "write &lt;", len(HEAD) + 11, id="less-than"),
        pytest.param(HEAD + "<!-- < --><b x='1>" + TAIL, "write &lt;", len(HEAD) + 10, id="open-quote"),
        pytest.param(HEAD + TAIL + " x", "nothing may follow", len(HEAD + TAIL), id="trailing"),
        pytest.param(HEAD + TAIL + HEAD + TAIL, "nothing may follow", len(HEAD + TAIL), id="two-documents"),
    ],
)
def test_check_refuses_what_the_converter_takes(markup: str, says: str, offset: int | None) -> None:
    """Tags that do not match, elements that there are not, MJML without its root."""
    with pytest.raises(MjmlError) as refused:
        mjml.check(markup)
    assert says in refused.value.message
    assert offset is None or refused.value.offset == offset
    assert refused.value.offset >= 0


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param("<p>one<p>two<br>", id="html"),
        pytest.param(HEAD + "<mj-text>a<br>b<img src='x'> &amp;</mj-text>" + TAIL, id="void"),
        pytest.param(HEAD + "<mj-raw><div></div></mj-raw>" + TAIL, id="raw"),
        pytest.param("<!-- <mj-x> --><p>", id="comment"),
    ],
)
def test_check_takes(markup: str) -> None:
    """HTML has no rules here but MJML's elements."""
    mjml.check(markup)


def test_preview() -> None:
    """MJML's own hidden text can be read and left out."""
    markup = "<mjml><mj-head><mj-preview>a b</mj-preview></mj-head></mjml>"
    assert mjml.preview(markup) == "a b"
    assert mjml.without_preview(markup) == "<mjml><mj-head></mj-head></mjml>"
    assert (mjml.preview("<mj-preview>a"), mjml.without_preview("<mj-preview>a")) == ("", "<mj-preview>a")
