"""The pure parts of the inbox component, by Node.js's own test runner; and the look that pages share."""

import subprocess

from gateway import looks
from stack import console, inbox
from tests.packages import installed


def test_the_unit_tests_of_the_component() -> None:
    """Those in inbox/test."""
    node = installed(inbox.FOLDER)
    done = subprocess.run(
        [node, "build.mjs", "test"], cwd=inbox.FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fail 0" in done.stdout


def test_the_gateways_pages_have_the_look_of_the_console() -> None:
    """`cp console/src/styles/tokens.css gateway/looks/tokens.css` makes it so again."""
    of_console = console.FOLDER / "src" / "styles" / "tokens.css"
    assert looks.style(of_console) == of_console.read_bytes() + b"\n" + of_console.read_bytes()
