"""A real hub with the generated configuration, and the realtime service as a process of its own."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import asyncpg
import grpc.aio
import pytest

from clarion.realtime.v1 import privacy_pb2_grpc, realtime_pb2_grpc
from runtime import postgres
from runtime.grpc import Caller, channel, is_serving
from services.realtime.centrifugo import configuration
from stack.hub.build import hub_binary
from tests.conftest import NatsServer, free_port
from tests.contract.hub.servers import Engine, Server
from tests.integration.senders.processes import TOKEN, neighbours
from tests.keyed import KEY
from tests.spawning import Process, spawn
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
TOKEN_SECRET = "a-token-secret-of-thirty-two-bytes"
PRINCIPAL_SECRET = "a-principal-secret-of-32-bytes-or-so"
API_KEY = "an-api-key"
SERVICE_TOKEN = "a-service-token"

CreateHub = Callable[..., Server]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Our hub, or a real Centrifugo where one is found."""
    return Engine("hub", hub_binary(ROOT / "build", print), "")


@pytest.fixture
def create_hub(engine: Engine, tmp_path: Path) -> Iterator[CreateHub]:
    """Return what makes a hub, not yet started, with changes to the generated configuration."""
    with ExitStack() as stack:

        def create(**changes: Any) -> Server:
            generated = configuration(
                token_secret=TOKEN_SECRET, api_key=API_KEY, allowed_origins=["http://page.test"], port=free_port()
            )
            hub = Server(engine, tmp_path, merged(generated, changes))
            stack.callback(hub.kill)
            return hub

        yield create


@pytest.fixture
def hub(create_hub: CreateHub) -> Server:
    """A running hub as it is generated."""
    hub = create_hub()
    hub.start()
    return hub


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
async def pool(postgres_url: str) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    """A pool as the service makes it."""
    made = await postgres.connect(postgres_url, name="test", size=4)
    yield made
    await made.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For browsers."""
    async with aiohttp.ClientSession() as made:
        yield made


@dataclass
class Service:
    """A process of the realtime service."""

    address: str
    process: Process
    stub: "realtime_pb2_grpc.RealtimeServiceAsyncStub"
    privacy: Any
    log: Path

    async def call(self, method: str, request: Any) -> Any:
        """Call as the gateway does."""
        stub = self.stub if hasattr(self.stub, method) else self.privacy
        return await Caller(SERVICE_TOKEN)(getattr(stub, method), request, deadline=30)

    async def is_serving(self) -> bool:
        """Ask its health."""
        return await is_serving(self.address)

    def stop(self) -> int:
        """End it as an operator would; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()


StartRealtime = Callable[..., Any]


@pytest.fixture
async def start_realtime(postgres_url: str, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[StartRealtime]:
    """Return what starts a realtime process for a hub; serving=False: does not wait for health."""
    async with AsyncExitStack() as stack:

        async def start(hub: Server, *, serving: bool = True, **environment: str) -> Service:
            address = f"127.0.0.1:{free_port()}"
            log = tmp_path / f"realtime-{address.rpartition(':')[2]}.log"
            values = {
                "CLARION_GRPC_ADDRESS": address,
                "CLARION_SERVICE_TOKEN": SERVICE_TOKEN,
                "CLARION_POSTGRES_URL": postgres_url,
                "CLARION_NATS_URL": nats_server.url,
                "CLARION_RENDER_ADDRESS": "127.0.0.1:1",
                "CLARION_INGEST_ADDRESS": "127.0.0.1:1",
                "CLARION_CENTRIFUGO_URL": hub.http_url,
                "CLARION_CENTRIFUGO_API_KEY": API_KEY,
                "CLARION_CENTRIFUGO_TOKEN_SECRET": TOKEN_SECRET,
                "CLARION_PRINCIPAL_SECRET": PRINCIPAL_SECRET,
                "CLARION_PSEUDONYM_KEY": KEY,
                **environment,
            }
            process = spawn("services.realtime", values, log)
            stack.callback(end, process)
            connection = await stack.enter_async_context(channel(address))
            service = Service(
                address, process, _stub(connection), privacy_pb2_grpc.RealtimePrivacyServiceStub(connection), log
            )
            await eventually(service.is_serving if serving else lambda: _answers(address), 60)
            return service

        yield start


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return base with changes laid over it, section by section."""
    result = dict(base)
    for key, value in changes.items():
        result[key] = merged(base[key], value) if isinstance(value, dict) and key in base else value
    return result


def end(process: Process) -> None:
    """Make sure that it is gone."""
    process.kill()
    process.wait()


def _stub(connection: grpc.aio.Channel) -> "realtime_pb2_grpc.RealtimeServiceAsyncStub":
    stub: Any = realtime_pb2_grpc.RealtimeServiceStub(connection)
    return cast("realtime_pb2_grpc.RealtimeServiceAsyncStub", stub)


async def _answers(address: str) -> bool:
    """Whether the port is open, whatever health says."""
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture
async def service(start_realtime: StartRealtime, hub: Server) -> AsyncIterator[Service]:
    """A realtime process beside a render that answers, with retries that are over within a second."""
    async with neighbours() as address:
        yield await start_realtime(
            hub, CLARION_SERVICE_TOKEN=TOKEN, CLARION_RENDER_ADDRESS=address, CLARION_RETRY_DELAYS_S="0.1,0.1"
        )
