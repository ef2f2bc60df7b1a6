"""A NATS server whose disk fills: restarted once there is room, by the local stack and by the container's script."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from checks.small_disk import SmallDisk
from runtime import nats
from runtime.errors import ClarionError
from runtime.write_probe import fault_of
from services.domain import provision, topology
from stack import broken_store, processes
from stack.http import get_status
from stack.nats import Nats, binary
from stack.supervisor import Child, Spec, Supervisor
from tests.conftest import free_port
from tests.disks import mounted
from tests.waiting import end, eventually, is_alive

_SCRIPT = processes.ROOT / "deploy" / "keep-storing.sh"
_SUBJECT = topology.event_subject("a tenant")


@pytest.fixture
def server(tmp_path: Path) -> Nats:
    """A server that is configured and does not run."""
    made = Nats(tmp_path / "nats", free_port(), free_port(), "a-password")
    made.prepare()
    return made


@pytest.fixture
def disk(server: Nats) -> Iterator[SmallDisk]:
    """The small disk of its store."""
    yield from mounted(server.store, mib=32)


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """What keeps the server running."""
    made = Supervisor(tmp_path, lambda _: None, lambda: None)
    made.started()
    yield made
    await made.close()


async def _connected(server: Nats) -> Client:
    await server.wait()
    connection = await nats.connect(server.url, name="test")
    await provision.apply(connection, max_bytes=64 * 1024**2)
    return connection


async def _publish(connection: Client) -> bool:
    """Store a message of 100 KB; return whether the server says that it did."""
    message = nats.Outgoing(_SUBJECT, os.urandom(100_000))
    try:
        return (await nats.StreamPublisher(connection, deadline=0.5).publish(message)).sequence > 0
    except ClarionError:
        return False


async def _break(connection: Client, disk: SmallDisk, server: Nats) -> None:
    """Fill the disk and publish until the server does not store any more."""
    await asyncio.to_thread(disk.fill)
    await eventually(lambda: _is_refused(connection))
    assert await get_status(server.monitor_port, "/healthz") == 503


async def _is_refused(connection: Client) -> bool:
    return not await _publish(connection)


async def _recovers(
    server: Nats, disk: SmallDisk, pid: Callable[[], int], reports: Callable[[], str], *, why: str
) -> None:
    """Break the store; nothing is restarted while the disk is full; once it has room, all streams store again."""
    connection = await _connected(server)
    try:
        stored = 0
        while stored < 20:
            stored += await _publish(connection)
        first = await eventually(pid)
        await _break(connection, disk, server)
        await eventually(lambda: why in reports())
        assert pid() == first
        disk.empty()
        await eventually(lambda: pid() not in (0, first))
        await eventually(lambda: _publish(connection))
        for store in topology.STORES:
            assert await fault_of(connection, topology.probe_subject(store)) == ""
        info = await connection.jetstream().stream_info(topology.EVENTS)
        assert info.state.messages >= stored + 1
    finally:
        await connection.close()


async def test_the_local_stack_restarts_it_once_there_is_room(
    server: Nats, disk: SmallDisk, supervisor: Supervisor
) -> None:
    """Not before; and what was acknowledged is still there."""
    child = supervisor.start(Spec("nats", tuple(server.command()), dict(os.environ)))
    said: list[str] = []

    async def restart() -> None:
        await supervisor.restart("nats", 10)

    watching = asyncio.create_task(broken_store.keep_storing(server, restart, said.append))
    try:
        await _recovers(
            server, disk, lambda: child.pid, lambda: " ".join(said), why="It is restarted when the disk has room"
        )
    finally:
        await end(watching)
    assert "its disk has room: restarting it" in said[-1]


async def test_one_that_is_frozen_is_left_alone(server: Nats, supervisor: Supervisor) -> None:
    """It does not say that its store is broken; when it goes on, it goes on."""
    child = supervisor.start(Spec("nats", tuple(server.command()), dict(os.environ)))
    looks = 0
    restarts: list[int] = []

    async def restart() -> None:
        restarts.append(child.pid)

    def report(_: str) -> None:
        raise AssertionError("there is nothing to report")

    await server.wait()
    watching = asyncio.create_task(broken_store.keep_storing(server, restart, report))
    try:
        pid = child.pid
        child.signal(signal.SIGSTOP)
        while looks < broken_store._LOOKS + 1:
            looks += await get_status(server.monitor_port, "/healthz") == 0
        child.signal(signal.SIGCONT)
        await eventually(lambda: get_status(server.monitor_port, "/healthz"))
        assert (child.pid, restarts, watching.done()) == (pid, [], False)
    finally:
        await end(watching)


@pytest.fixture
async def container(server: Nats, tmp_path: Path, supervisor: Supervisor) -> AsyncIterator[Child]:
    """The script as Compose runs it, and starts it again when it ends."""
    if shutil.which("wget") is None:
        pytest.skip("the container's script cannot be tried: wget is not installed here")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nats-server").symlink_to(binary())
    command = ("sh", str(_SCRIPT), f"{server.monitor_url}/healthz", str(server.store), "nats-server")
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    yield supervisor.start(Spec("nats", (*command, "--config", str(server.config)), environment))
    await supervisor.stop(["nats"], 20)  # a kill of the script would leave the server


async def test_the_container_ends_once_there_is_room(server: Nats, disk: SmallDisk, container: Child) -> None:
    """Not before; Compose then starts it again."""

    def log() -> str:
        return container.log.read_text(errors="replace")

    await _recovers(server, disk, lambda: container.pid, log, why="Healthcheck failed")
    assert "keep-storing: NATS does not store messages although its disk has room" in log()


def _servers(pid: int) -> list[int]:
    """Return the children of a process that are NATS servers."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in children if Path(f"/proc/{one}/comm").read_text().strip() == "nats-server"]


async def test_the_container_ends_its_server_when_it_is_stopped(server: Nats, container: Child) -> None:
    """A SIGTERM reaches nats-server, whose status is the script's."""
    await server.wait()
    pid = container.pid
    [server_pid] = await eventually(lambda: _servers(pid))
    container.stopping.set()
    container.signal(signal.SIGTERM)
    await asyncio.wait_for(container.ended.wait(), 20)
    assert not is_alive(server_pid)
    assert "Server Exiting" in container.log.read_text()
