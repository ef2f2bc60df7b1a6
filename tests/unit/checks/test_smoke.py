"""`make smoke` beside a stack that is not up."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from stack import processes
from stack.state import StackState


def _smoke(data: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "checks.smoke"],
        cwd=processes.ROOT,
        env={**os.environ, "CLARION_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_stack_that_is_still_starting(tmp_path: Path) -> None:
    """One sentence says to wait, and no traceback that its gateway does not listen yet."""
    state = StackState(
        ready=False,
        pid=os.getpid(),
        data=str(tmp_path),
        url="http://127.0.0.1:1",
        urls=[],
        admin_token="a",
        tenant_id="",
        api_key="",
        user_id="",
        variables={},
        processes={},
    )
    (tmp_path / "stack.json").write_bytes(msgspec.json.encode(state))
    done = _smoke(tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"make smoke: The stack on {tmp_path} is not ready yet: wait until `make run` says so.\n"


def test_no_stack(tmp_path: Path) -> None:
    """And how to start one."""
    done = _smoke(tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"make smoke: No stack is running in {tmp_path}. Start one with `make run`.\n"
