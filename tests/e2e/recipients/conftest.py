"""A running stack whose tokens last for seconds, and pages that come through a cable which can be cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from checks.client import Client, Tenant, connect
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.conftest import free_port
from tests.exchanges import described

TOKEN_LIFETIME_S = 6
PAGE_PORT = free_port()


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack of this folder."""
    options = Options(
        data=tmp_path_factory.mktemp("stack"),
        port=free_port(),
        allowed_origins=(f"http://127.0.0.1:{PAGE_PORT}",),
    )
    environment = {
        "CLARION_TOKEN_LIFETIME_S": str(TOKEN_LIFETIME_S),
        "CLARION_RETRY_DELAYS_S": "0.2,30",
        "CLARION_EGRESS_ALLOW": "127.0.0.1:9",  # where nobody listens
    }
    with stack_client.started(options, environment=environment) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def client(running: Running) -> AsyncIterator[Client]:
    """The demo tenant and the operator."""
    async with connect(running.state, middlewares=(described,)) as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="session")
async def tenant(client: Client) -> Tenant:
    """A tenant of the test's own, with a push and a text message for "note.info"."""
    made = await client.operator.create_tenant("Notes")
    await client.operator.create_template(made, "note.info", "PUSH", "{{n}}", subject="Note")
    await client.operator.create_template(made, "note.info", "SMS", "Note {{n}}")
    return made


class Cable:
    """A way to the gateway by TCP, which can be cut and mended."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = False
        self.port = free_port()

    async def lay(self) -> asyncio.Server:
        """Begin to pass connections on."""
        return await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def cut(self) -> None:
        """End every connection without a word, and every new one at once."""
        self._is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        """Pass connections on again."""
        self._is_cut = False

    async def pull_out(self) -> None:
        """End everything."""
        self.cut()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        finally:
            for one in (writer, far_writer):
                self._writers.discard(one)
                one.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@pytest_asyncio.fixture(loop_scope="session")
async def cable(running: Running) -> AsyncIterator[Cable]:
    """A cable of the test's own."""
    made = Cable(int(running.url.rpartition(":")[2]))
    server = await made.lay()
    yield made
    server.close()
    await made.pull_out()
