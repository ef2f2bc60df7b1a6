"""JavaScript packages that a test needs: what a folder's package-lock.json names, installed when first needed."""

import os
from pathlib import Path

import pytest

from stack import npm
from stack.node import NodeError


def installed(folder: Path) -> str:
    """Install them, one process at a time, and return Node.js. Skips where that is not possible; in CI it fails."""
    try:
        with npm.one_at_a_time(folder) as held:
            return npm.install(folder, held, print).program
    except NodeError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
