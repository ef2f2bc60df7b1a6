"""The siege's memory limits are the kernel's own."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from checks.siege.limits import Groups, open_groups

MIB = 1024**2
# Waits for a line, takes that many MiB, and waits again.
_TAKER = (
    "import sys\nkept = bytearray(int(sys.stdin.readline()) << 20)\nprint(len(kept), flush=True)\nsys.stdin.readline()"
)


@pytest.fixture
def groups() -> Iterator[Groups]:
    """Groups of this machine's kernel."""
    opened = open_groups()
    if opened is None:
        pytest.skip("no memory cgroups here, or no right to make one")
    yield opened
    opened.close()


@pytest.fixture
def taker() -> Iterator["subprocess.Popen[str]"]:
    """A process that takes memory when told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    yield process
    process.kill()
    process.communicate()


def _take(process: "subprocess.Popen[str]", mib: int) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{mib}\n")
    return process.stdout.readline()


def test_what_a_process_takes_is_counted(groups: Groups, taker: "subprocess.Popen[str]") -> None:
    """Without page cache, and nobody is killed."""
    group = groups.group("taker", 256 * MIB)
    group.add(taker.pid)
    assert _take(taker, 64) == f"{64 * MIB}\n"
    assert 64 * MIB <= group.memory() <= 128 * MIB
    assert group.oom_kills() == 0


def test_a_process_over_its_limit_is_killed_and_counted(groups: Groups, taker: "subprocess.Popen[str]") -> None:
    """As Docker would."""
    group = groups.group("taker", 48 * MIB)
    group.add(taker.pid)
    assert not _take(taker, 256)
    assert taker.wait(30) == -signal.SIGKILL
    assert group.oom_kills() == 1
