"""The pure parts of the console, by Node.js's own test runner."""

import subprocess

from stack import console
from tests.packages import installed


def test_the_unit_tests_of_the_console() -> None:
    """Those in console/test."""
    node = installed(console.FOLDER)
    done = subprocess.run(
        [node, "test.mjs"], cwd=console.FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fail 0" in done.stdout
