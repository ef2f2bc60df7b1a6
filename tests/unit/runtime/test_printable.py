"""A far side's words, made fit to be shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("550 no such user", "550 no such user"),
        ("  550\r\n-no\tsuch\x00user\x7f ", "550 -no such user"),
        ("\x1b[2J\x1b[31mred\x9b0m", "[2J [31mred 0m"),  # what terminals obey
        ("user \u202egpj.exe\u202c", "user gpj.exe"),  # what turns the order round
        ("a\u2066b\u2069c\u200fd\u061ce", "a b c d e"),
        ("one\u2028two\u2029three\u0085four", "one two three four"),
        ("zero\u200bwidth\ufeff", "zero width"),
        ("\U000e0041\U000e0042tags", "tags"),
        ("half \ud83d of a character \udcff", "half of a character"),
        ("größer ≥ 5, 日本語, 🎉", "größer ≥ 5, 日本語, 🎉"),
        ("", ""),
    ],
)
def test_shown(text: str, shown: str) -> None:
    """One line, without what is not seen or leads the reader astray."""
    assert printable(text, 500) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())), st.integers(1, 50))
def test_always_one_bounded_line_of_valid_text(text: str, limit: int) -> None:
    """Whatever came."""
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    shown.encode()


def test_a_novel_is_cut() -> None:
    """And takes no time that grows with it."""
    assert printable("x" * 10_000_000, 500) == "x" * 500
