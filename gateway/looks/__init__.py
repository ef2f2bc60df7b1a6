"""The look that the gateway's own pages share with the console: colors, type and spacing.

tokens.css is a copy of console/src/styles/tokens.css; a test compares the two.
"""

from pathlib import Path

_TOKENS = Path(__file__).with_name("tokens.css")


def style(path: Path) -> bytes:
    """Return a style sheet with the shared tokens before it."""
    return _TOKENS.read_bytes() + b"\n" + path.read_bytes()
