"""JavaScript packages that a test needs: what a folder's package-lock.json names, installed when first needed."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund")
_DEADLINE_S = 300


def installed(folder: Path) -> str:
    """Install them, one process at a time, and return Node.js. Skips where it or npm is missing; in CI it fails."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        reason = "node and npm are needed on PATH"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    lock = folder / "package-lock.json"
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (folder / "node_modules" / ".package-lock.json").exists():
            subprocess.run([npm, "ci", *_FLAGS], cwd=folder, check=True, capture_output=True, timeout=_DEADLINE_S)
    return node
