"""Real servers for the tests: one PostgreSQL a session with a database per test, a NATS server per test.

`postgres_url`: a new database, all schemas migrated. `nats_url`: streams and consumers as `clarion migrate`
makes them. `nats_server` and `postgres_server` can be killed and started again.
"""

import asyncio
import contextlib
import os
import random
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from cli import migrate
from cli.configuration import SOURCES
from runtime import migrations
from runtime.configuration import mark_complete
from runtime.nats import connect as nats_connection
from services.domain import provision
from stack import postgres as local_postgres
from stack.folder import is_free
from stack.launch import command_for
from stack.nats import Nats
from stack.postgres import Postgres
from tests import keyed
from tests.run.sharing import ByUnit, ordered
from tests.streams import Streams

# The property of a test that tells which realtime engine it ran against.
ENGINE = "realtime engine"
# The property of a test that found out something worth a line at the end of the run.
REPORT = "report"

_TEMPLATE = "template_migrated"
# Tests kill processes, not the machine: what a process has written, the system keeps. Each test has a database of its
# own, and to wait for the disk takes most of the time to make and remove one.
_WITHOUT_DISK = ("-c", "fsync=off", "-c", "full_page_writes=off")
_STREAM_MAX_BYTES = 64 * 1024**2
# Below the range from which systems take ports for outgoing connections, and beside that of local stacks. Browsers open
# no page on port 10080.
_PORTS = range(10_081, 20_000)
_GIVEN: set[int] = set()
# Which of how many test processes this is: each has ports of its own.
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
# Of the local stacks that tests start.
os.environ["CLARION_PORTS"] = f"{20_000 + _PROCESS * 1000}-{20_999 + _PROCESS * 1000}"


@dataclass
class PostgresServer:
    """The session's PostgreSQL."""

    local: Postgres
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = command_for(
            [*self.local.command(), *_WITHOUT_DISK],
            death_signal=local_postgres.STOP_SIGNAL,
            user=local_postgres.system_user(),
        )
        self.process = _spawn(command, self.log, environment=local_postgres.environment())
        self._wait()

    def _wait(self) -> None:
        try:
            in_thread(self.local.wait(90))
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it as kill -9 does, and wait for its backends: they notice a little later and answer until then."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        backends = [Path("/proc") / pid for pid in (children.read_text().split() if children.exists() else ())]
        self.process.kill()
        self.process.wait()
        until = time.monotonic() + 10
        while left := [one for one in backends if _runs(one)]:
            if time.monotonic() > until:  # their time came, they just did not get any
                for one in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(one.name), signal.SIGKILL)
            time.sleep(0.002)

    def stop(self) -> None:
        """End it in good order."""
        self.process.send_signal(local_postgres.STOP_SIGNAL)
        self.process.wait(60)


@dataclass
class NatsServer:
    """A test's NATS server."""

    local: Nats
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        """Its address, with the credentials in it."""
        return self.local.url

    def start(self) -> None:
        """Start it and wait until it answers. Blocking."""
        self.process = _spawn(command_for(self.local.command(), death_signal=9), self.log)
        try:
            in_thread(self.local.wait())
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in good order: all of its state is in its store."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def kill(self) -> None:
        """End it as kill -9 does."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One PostgreSQL for the session, with a migrated template database."""
    folder = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(Postgres(folder / "data", free_port(), secrets.token_hex(16)), folder / "log")
    server.local.prepare()
    server.start()
    try:
        in_thread(_make_template(server.local))
        yield server
    finally:
        server.stop()


@pytest.fixture
async def empty_postgres_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A new database with nothing in it."""
    async for url in _database(postgres_server.local, "template1"):
        yield url


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A new database with the schemas of all services."""
    async for url in _database(postgres_server.local, _TEMPLATE):
        yield url


@pytest.fixture(scope="session")
def nats_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a server leaves behind in which all streams and consumers were made: each test gets a copy."""
    folder = tmp_path_factory.mktemp("nats")
    server = _nats(folder)
    server.start()
    try:
        in_thread(_apply(server.url))
        server.stop()
    finally:
        server.kill()
    return server.local.folder / "store"


@pytest.fixture
def nats_server(nats_store: Path, tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server of this test's own, with the streams."""
    server = _nats(tmp_path)
    shutil.copytree(nats_store, server.local.folder / "store")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """The address of this test's NATS server."""
    return nats_server.url


@pytest.fixture
async def connection(nats_url: str) -> AsyncIterator[Client]:
    """A connection to this test's NATS server."""
    made = await nats_connection(nats_url, name="test")
    yield made
    await made.close()


@pytest.fixture
def streams(connection: Client, nats_server: NatsServer) -> Streams:
    """This test's streams."""
    return Streams(connection, nats_server)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens; each only once, and no outgoing connection takes it."""
    while True:
        port = random.choice(_PORTS[_PROCESS::_PROCESSES])
        if port not in _GIVEN and is_free(port):
            _GIVEN.add(port)
            return port


def in_thread(work: Coroutine[Any, Any, object]) -> None:
    """Run work to its end on a loop of its own, whatever loop the test has."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


async def _make_template(local: Postgres) -> None:
    admin = await asyncpg.connect(local.url("postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {_TEMPLATE}")
    finally:
        await admin.close()
    for folder in migrate.folders():
        await migrations.migrate(local.url(_TEMPLATE), folder.name, folder)
    await keyed.remember(local.url(_TEMPLATE))


async def _database(local: Postgres, template: str) -> AsyncIterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    await _administer(local, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield local.url(name)
    # By a connection of its own: the test may have killed the server in between.
    await _administer(local, f"DROP DATABASE {name} WITH (FORCE)")


def _runs(process: Path) -> bool:
    try:
        return " Z " not in (process / "stat").read_text()
    except OSError:
        return False


async def _administer(local: Postgres, statement: str) -> None:
    admin = await asyncpg.connect(local.url("postgres"))
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


async def _apply(url: str) -> None:
    connection = await nats.connect(url)
    try:
        await provision.apply(connection, max_bytes=_STREAM_MAX_BYTES)
        # Of a database with nothing in it. A test may start a service without the owners whose data it follows.
        await mark_complete(connection, SOURCES)
        await keyed.announce(connection)
    finally:
        await connection.close()


def _nats(folder: Path) -> NatsServer:
    server = NatsServer(Nats(folder / "nats", free_port(), free_port(), secrets.token_hex(16)), folder / "nats.log")
    server.local.prepare()
    return server


def _spawn(command: list[str], log: Path, environment: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, cwd="/", env=environment, start_new_session=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests that take longest first, so that at the end no process waits for another."""
    if hasattr(config, "workerinput"):
        items[:] = ordered(config.rootpath, items)


@pytest.hookimpl(optionalhook=True)  # pytest may run without pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByUnit:
    """Share the tests among the processes."""
    return ByUnit(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which engines the hub's contract was held against, and what tests found out."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    for line in sorted(
        {str(dict(getattr(report, "user_properties", ())).get(REPORT, "")) for report in reports} - {""}
    ):
        terminalreporter.write_line(line)
    ran = sorted({dict(getattr(report, "user_properties", ())).get(ENGINE, "") for report in reports} - {""})
    if ran:
        real = "" if any(engine.startswith("Centrifugo") for engine in ran) else "; real Centrifugo: none found"
        terminalreporter.write_line(f"hub contract: ran against {' and '.join(ran)}{real}")
