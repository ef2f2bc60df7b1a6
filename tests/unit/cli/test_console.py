"""What the commands print."""

import pytest

from cli.console import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada\nsecond line", "Ada\nsecond line"),
        ("Zoë 日本", "Zoë 日本"),
        ("\x1b[2Jgone", "�[2Jgone"),
        ("a\rb\x07\x9b1m", "a�b��1m"),
        ("\u202eevil", "�evil"),
    ],
)
def test_what_a_terminal_obeys_is_replaced(text: str, shown: str) -> None:
    """A provider's answer cannot clear the screen, ring, or reverse what is read."""
    assert printable(text) == shown
