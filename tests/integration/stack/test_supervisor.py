"""The supervisor, with small processes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stack import supervisor as module
from stack.faults import StackError
from stack.launch import command_for
from stack.supervisor import Child, Spec, Supervisor
from tests.waiting import eventually, is_alive

_NEVER_S = 1_000_000.0
_FOR_EVER = "import time\nwhile True: time.sleep(60)"
_STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n{_FOR_EVER}"


def _spec(name: str, code: str) -> Spec:
    return Spec(name, (sys.executable, "-c", code), dict(os.environ))


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """A supervisor that has nothing yet; it ends what it has."""
    supervisor = Supervisor(tmp_path, lambda _: None, lambda: None)
    yield supervisor
    await supervisor.close()


async def _running(child: Child) -> int:
    return await eventually(lambda: child.pid)


async def test_a_killed_process_is_back(supervisor: Supervisor) -> None:
    """And again, when it is killed again."""
    child = supervisor.start(_spec("a", _FOR_EVER))
    for _ in range(3):
        pid = await _running(child)
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: child.pid not in (0, pid), 20)  # noqa: B023 - called at once


async def test_one_that_keeps_failing_is_tried_less_and_less(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three failures the third pause is kept: a pause that never ends lets it be started no more."""
    monkeypatch.setattr(module, "_BACK_OFF_S", (0.0, 0.0, 0.0, _NEVER_S))
    supervisor.started()
    child, steady = supervisor.start(_spec("a", "raise SystemExit(3)")), supervisor.start(_spec("b", _FOR_EVER))
    await eventually(lambda: child.failures == 3)
    for _ in range(3):  # meanwhile another one is started again and again
        pid = await _running(steady)
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: steady.pid not in (0, pid), 20)  # noqa: B023 - called at once
        steady.failures = 0
    assert child.starts == 3
    assert not child.ended.is_set()


async def test_one_that_cannot_start_ends_the_start(supervisor: Supervisor) -> None:
    """With its last words."""
    supervisor.start(_spec("a", "raise SystemExit('no such table')"))
    with pytest.raises(StackError, match=r"a cannot start: no such table \(see .*a\.log\)"):
        await supervisor.unless_hopeless(asyncio.sleep(30))


async def test_stop_asks_first_and_kills_after_the_deadline(supervisor: Supervisor) -> None:
    """One that ignores SIGTERM does not hold the others up."""
    stubborn = supervisor.start(_spec("stubborn", _STUBBORN))
    await eventually(lambda: stubborn.log.exists() and "up" in stubborn.log.read_text())
    pid = stubborn.pid
    await supervisor.stop(["stubborn"], 0.2)
    assert not is_alive(pid)
    assert supervisor.children == {}


async def test_stop_does_not_wait_for_the_back_off(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for its next try is not tried again: stop() returns though that wait never ends."""
    monkeypatch.setattr(module, "_BACK_OFF_S", (0.0, 0.0, 0.0, _NEVER_S))
    supervisor.started()
    child = supervisor.start(_spec("a", "raise SystemExit(3)"))
    await eventually(lambda: child.failures >= 3)
    await supervisor.stop(["a"], _NEVER_S)
    assert supervisor.children == {}


async def test_a_log_is_bounded_and_the_last_one_kept(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that says too much does not fill the disk."""
    monkeypatch.setattr(module, "_LOG_LIMIT_BYTES", 10_000)
    monkeypatch.setattr(module, "_LOG_CHECK_S", 0.05)
    bounded = Supervisor(tmp_path, lambda _: None, lambda: None)
    try:
        child = bounded.start(_spec("a", "while True: print('x' * 100, flush=True); import time; time.sleep(0.001)"))
        await eventually(lambda: child.log.with_suffix(".log.1").exists())
        await eventually(lambda: child.log.stat().st_size < 10_000)
    finally:
        await bounded.close()


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    """Not even kill -9 of the supervisor leaves its processes behind."""
    pid_file = tmp_path / "pid"
    child = f"import os; open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n{_FOR_EVER}"
    parent = (
        "import subprocess, sys, time\n"
        "from stack.launch import command_for\n"
        f"subprocess.Popen(command_for([sys.executable, '-c', {child!r}], death_signal=9), start_new_session=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent]) as process:
        try:
            asyncio.run(_until(lambda: pid_file.exists() and pid_file.read_text() != ""))
            pid = int(pid_file.read_text())
        finally:
            process.kill()
    asyncio.run(_until(lambda: not is_alive(pid)))


def test_a_launcher_whose_parent_is_gone_starts_nothing() -> None:
    """The parent may die before the kernel is told to watch it."""
    command = command_for(["/bin/true"], death_signal=9)
    command[5] = str(os.getpid() + 1)
    assert subprocess.run(command, check=False).returncode == 1


async def _until(predicate: object) -> None:
    assert callable(predicate)
    await eventually(predicate)


def test_what_is_killed_is_started_anew_at_once() -> None:
    """Three times in a row within two seconds of waiting; only then the pauses grow."""
    assert module._BACK_OFF_S[0] == 0
    assert sum(module._BACK_OFF_S[:4]) < 2
    assert sorted(module._BACK_OFF_S) == list(module._BACK_OFF_S)
