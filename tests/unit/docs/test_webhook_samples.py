"""The programs that the console shows are those of docs/webhooks.md, which run in a test."""

from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_SAMPLES = sorted((_ROOT / "console/src/screens/endpoints/samples").iterdir())


@pytest.mark.parametrize("sample", _SAMPLES, ids=lambda path: path.name)
def test_the_console_shows_the_programs_of_the_page(sample: Path) -> None:
    """To the last character: the header names, and how a signature is compared."""
    page = (_ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
    program = sample.read_text(encoding="utf-8")
    assert "webhook-id" in program
    assert f"\n{program}```\n" in page


def test_there_are_several_languages() -> None:
    """Python, Node and Go."""
    assert {"go.txt", "node.js.txt", "standardwebhooks.py.txt"} <= {path.name for path in _SAMPLES}
