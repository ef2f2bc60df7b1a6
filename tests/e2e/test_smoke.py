"""`make smoke`: its own verdict on a running stack, and on none."""

import os
import re
import subprocess
import sys
from pathlib import Path

from stack import processes
from stack.client import Running


def _smoke(data: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "checks.smoke", "--push-within", "30"],
        cwd=processes.ROOT,
        env={**os.environ, "CLARION_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_every_check_passes(shared_stack: Running) -> None:
    """A line for each, the sum at the end, status 0."""
    done = _smoke(shared_stack.data)
    *checks, end = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert all(line.startswith("✓ ") for line in checks), done.stdout
    assert re.fullmatch(rf"{len(checks)} passed, 0 failed", end)
    assert len(checks) >= 13


def test_no_stack_is_one_sentence(tmp_path: Path) -> None:
    """Status 1, and what to do."""
    done = _smoke(tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"make smoke: No stack is running in {tmp_path}. Start one with `make run`.\n"
