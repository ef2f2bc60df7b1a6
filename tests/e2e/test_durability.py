"""docs/durability.md: what is acknowledged is on disk, as the system calls show."""

import os
import shutil
import subprocess
import sys

import pytest

from stack import processes
from stack.client import Running


def test_the_fsync_comes_before_the_acknowledgement(shared_stack: Running) -> None:
    """`python -m checks.fsync` on a running stack, where strace is and may attach."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not on PATH (Debian: apt-get install strace): the order of fsync and ack is not shown.")
    done = subprocess.run(
        [sys.executable, "-m", "checks.fsync"],
        cwd=processes.ROOT,
        env={**os.environ, "CLARION_DATA": str(shared_stack.data)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "strace may not attach" in done.stdout:
        pytest.skip(f"strace may not attach here: {done.stdout.splitlines()[0]}")
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("4 passed, 0 failed\n")
