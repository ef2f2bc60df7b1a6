"""Text from another server, made safe to show."""

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
    """One line, without invisible or misleading characters."""
    assert printable(text, 500) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())), st.integers(1, 50))
def test_always_one_bounded_line_of_valid_text(text: str, limit: int) -> None:
    """For any input."""
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    shown.encode()


def test_a_long_text_is_cut() -> None:
    """In a time that does not grow with it."""
    assert printable("x" * 10_000_000, 500) == "x" * 500
