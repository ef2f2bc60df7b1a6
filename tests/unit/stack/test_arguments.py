"""`python -m stack` starts nothing when it is asked for help, or given what it does not know."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stack import processes


@pytest.mark.parametrize(
    ("argument", "status", "said"),
    [
        ("--help", 0, "CLARION_DATA"),
        ("-h", 0, "CLARION_DATA"),
        ("--port=1", 2, "unrecognized arguments: --port=1"),
        ("start", 2, "unrecognized arguments: start"),
    ],
)
def test_arguments(tmp_path: Path, argument: str, status: int, said: str) -> None:
    """Help names the variables that are the options; anything else is refused. No data folder is made."""
    data = tmp_path / "data"
    done = subprocess.run(
        [sys.executable, "-m", "stack", argument],
        cwd=processes.ROOT,
        env={**os.environ, "CLARION_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, said in done.stdout + done.stderr) == (status, True), done
    assert not data.exists()
