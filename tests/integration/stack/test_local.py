"""The whole local stack: start, supervision, doctor, stop; and its refusals."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from stack import processes
from stack.client import Running, start
from stack.faults import StackError
from stack.local import Options
from stack.postgres import server_major
from tests.waiting import eventually, is_alive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_PARTS = ("postgres", "nats", "hub", "ingest", "router", "render", "senders", "realtime", "gateway", "mail")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One stack for this module's tests."""
    running = start(Options(data=tmp_path_factory.mktemp("stack")))
    yield running
    if is_alive(running.supervisor_pid):
        running.stop()


async def _is_healthy(url: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"{url}/healthz") as reply,
        ):
            return reply.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _run(data: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m stack` where it must refuse."""
    return subprocess.run(
        [sys.executable, "-m", "stack"],
        cwd=processes.ROOT,
        env={**os.environ, "CLARION_DATA": str(data), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _descendants(pid: int) -> set[int]:
    """Return the processes below one, the children of children too."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(folder.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found.update(children)
        waiting.extend(children)
    return found


async def test_all_parts_run_and_are_healthy(running: Running) -> None:
    """Ready means ready: the gateway finds every dependency."""
    state = running.state
    assert set(state.processes) == set(_PARTS)
    assert all(is_alive(process.pid) for process in state.processes.values())
    assert state.tenant_id
    assert state.api_key
    await eventually(lambda: _is_healthy(state.url))


def test_the_doctor_finds_nothing_wrong(running: Running) -> None:
    """The local stack is as safe as the doctor wants production to be."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "doctor"],
        env={**os.environ, **running.variables},
        cwd=processes.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " 0 warnings, 0 failed" in done.stdout


async def test_commits_wait_for_the_disk(running: Running) -> None:
    """The stack's own PostgreSQL keeps what is committed even if the machine dies."""
    connection = await asyncpg.connect(running.variables["CLARION_POSTGRES_URL"])
    try:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval(f"SHOW {name}") == "on", name
    finally:
        await connection.close()


def test_secrets_are_private(running: Running) -> None:
    """No file with a secret in it can be read by others."""
    for name in ("secrets.json", "stack.json", "demo.json", "centrifugo.json", "nats/nats.conf"):
        assert (running.data / name).stat().st_mode & 0o077 == 0, name


@pytest.mark.parametrize("name", _PARTS)
async def test_a_killed_part_is_back(running: Running, name: str) -> None:
    """And the whole is healthy again."""
    starts = running.kill(name)
    await running.wait_restarted(name, starts, deadline=20)
    await eventually(lambda: _is_healthy(running.url))


def test_a_second_supervisor_is_refused(running: Running) -> None:
    """The first one goes on."""
    done = _run(running.data)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"Another stack (process {running.supervisor_pid}) uses" in done.stderr
    assert running.state.ready


def test_a_taken_port_is_refused(tmp_path: Path, running: Running) -> None:
    """With the port and what to do."""
    port = running.url.rpartition(":")[2]
    done = _run(tmp_path / "data", CLARION_PORT=port)
    assert done.returncode == 1
    assert done.stderr == (
        f"make run: Port {port} is used by another program: stop it, or set CLARION_PORT to another port.\n"
    )


async def test_another_checkout_runs_beside_it(running: Running, tmp_path: Path) -> None:
    """With ports, data and a tenant of its own, and two processes of a role where asked."""
    other = await asyncio.to_thread(start, Options(data=tmp_path / "other", replicas={"ingest": 2, "gateway": 2}))
    try:
        state = other.state
        assert state.url != running.url
        assert state.tenant_id != running.state.tenant_id
        assert len(state.urls) == 2
        assert "ingest-2" in state.processes
        assert len(state.variables["CLARION_INGEST_ADDRESS"].split(",")) == 2
        for url in (*state.urls, running.url):
            await eventually(lambda: _is_healthy(url))  # noqa: B023 - called at once
    finally:
        pids = _descendants(other.supervisor_pid)
        status = await asyncio.to_thread(other.stop)
    assert status == 0
    await eventually(lambda: not [pid for pid in pids if is_alive(pid)])
    assert not (other.data / "stack.json").exists()


async def test_nothing_outlives_the_supervisor_and_the_next_start_knows_it_all(running: Running) -> None:
    """Kill -9 of the supervisor ends everything; started again there are the same key, address and data."""
    before = running.state
    pids = _descendants(before.pid)
    assert len(pids) > len(_PARTS)
    os.kill(before.pid, signal.SIGKILL)
    await eventually(lambda: not [pid for pid in pids if is_alive(pid)], 30)
    again = await asyncio.to_thread(start, Options(data=running.data))
    try:
        after = again.state
        assert (after.api_key, after.url, after.tenant_id) == (before.api_key, before.url, before.tenant_id)
        await eventually(lambda: _is_healthy(after.url))
    finally:
        await asyncio.to_thread(again.stop)


def test_data_of_another_postgresql_is_refused(tmp_path: Path) -> None:
    """It would not start, and must not be touched."""
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("12\n")
    done = _run(tmp_path)
    assert done.returncode == 1
    assert f"was made by PostgreSQL 12, but this one is {server_major()}" in done.stderr
    assert (folder / "PG_VERSION").read_text() == "12\n"


@pytest.mark.parametrize("name", ["secrets.json", "ports.json"])
def test_a_broken_file_is_named(tmp_path: Path, name: str) -> None:
    """One sentence, no traceback."""
    (tmp_path / name).write_text("{")
    done = _run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{name} cannot be read" in done.stderr


def test_a_stack_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The client's error carries the stack's own sentence."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(StackError, match=f"did not start: make run: Port {port} is used by another program"):
            start(Options(data=tmp_path, port=port))
