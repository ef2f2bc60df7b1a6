"""Tags, attributes and character references as the HTML standard reads them."""

import pytest

from services.render.html_syntax import MARKUP, attribute, attribute_text, attributes, is_element, is_self_closed


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "https://shop.example/o?id=7&timestamp=1&region=eu&notification=3",
            "https://shop.example/o?id=7&timestamp=1&region=eu&notification=3",
        ),
        ("?a&currency=x&section=1&copy=2&para=3&quote=4", "?a&currency=x&section=1&copy=2&para=3&quote=4"),
        ("?a=1&amp;copy=2", "?a=1&copy=2"),
        ("&copy", "©"),
        ("&copy;=1", "©=1"),
        ("&copy &reg", "© ®"),
        ("&copy/&lt?", "©/<?"),
        ("&copy1 &copyx", "&copy1 &copyx"),
        ("&notit; &unknown; &hellip", "&notit; &unknown; &hellip"),
        ("&hellip;&NotEqualTilde;", "…≂̸"),
        ("&#65=&#x42;&#67x", "A=BCx"),
        ("&#128;&#0;", "€�"),
        ("&#" + "1" * 5000 + ";", "&#" + "1" * 5000 + ";"),
        ("a & b &", "a & b &"),
    ],
)
def test_references_in_attributes(written: str, expected: str) -> None:
    """13.2.5.73: a name without ";" in front of "=", a letter or a digit stays as it is."""
    assert attribute_text(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (" a=\"1\" B='2' c=3 d", [("a", "1"), ("b", "2"), ("c", "3"), ("d", "")]),
        ("/href=x", [("href", "x")]),
        (' a="1"b="2"', [("a", "1"), ("b", "2")]),
        (" data-x1=\"a href='evil'\" href=u", [("data-x1", "a href='evil'"), ("href", "u")]),
        (" a = \n 'x>y' @click=\"z\"", [("a", "x>y"), ("@click", "z")]),
        (" a=it's", [("a", "it's")]),
        (" a=", [("a", "")]),
        (' ="x"', [('="x"', "")]),
    ],
)
def test_attributes(written: str, expected: list[tuple[str, str]]) -> None:
    """However they are quoted and set apart; a value never counts as another attribute."""
    assert list(attributes(written)) == expected


def test_the_first_of_a_name_counts() -> None:
    """As in a browser."""
    assert attribute(" href=a href=b", "href") == "a"
    assert attribute(" x", "x") == ""
    assert attribute(" x", "y") is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [("", False), ("/", True), (' a="b"/', True), (" a=b/", False), (" a=b /", True), (" a/", True), (" a=b", False)],
)
def test_self_closing(written: str, *, expected: bool) -> None:
    """The "/" at the end of an address without quotes is the address's."""
    assert is_self_closed(written) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p", True),
        ("h1", True),
        ("o:p", True),
        ("my-card", True),
        ("ada@x.example", False),
        ("https:", False),
        ("mailto:a@b", False),
        ("a,b", False),
    ],
)
def test_names(name: str, *, expected: bool) -> None:
    """An address in angle brackets is no element."""
    assert is_element(name) is expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>a</p>", ["<p>", "</p>"]),
        ("<a title='>' b=\"<x>\">", ["<a title='>' b=\"<x>\">"]),
        ("1 <2 < <", []),
        ("<!-- <p> --><!--><p>--><!--->-->", ["<!-- <p> -->", "<!-->", "<p>", "<!--->"]),
        ("<!-- a --!><p>", ["<!-- a --!>", "<p>"]),
        ("<!doctype html><?x?>", ["<!doctype html>", "<?x?>"]),
        ("<p class='x", ["<p "]),
    ],
)
def test_markup(markup: str, expected: list[str]) -> None:
    """Tags end where a browser ends them; one without an end is found and marked."""
    assert [found[0] for found in MARKUP.finditer(markup)] == expected


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<a '", '<a x="', "<a x=", "<!--", "<!-", "</", "<a =", "<a / ", "&copy"]
)
@pytest.mark.timeout(60)
def test_linear_time(piece: str) -> None:
    """A megabyte of anything is read to its end: at quadratic work that takes ten minutes."""
    markup = piece * (1_000_000 // len(piece))
    covered = sum(len(found[0]) for found in MARKUP.finditer(markup))
    assert covered <= len(markup)
    assert attribute(markup, "none") is None
    assert attribute_text(markup).count("<") == markup.count("<")
