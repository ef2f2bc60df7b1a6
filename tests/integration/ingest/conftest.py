"""Ingest on real PostgreSQL and NATS, as processes where it matters."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg, StreamConfig

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, tenants_pb2
from runtime import nats, postgres
from services.domain import provision, topology
from tests.conftest import NatsServer
from tests.integration.ingest.processes import Service, StartService, starter
from tests.streams import count, messages_of
from tests.waiting import eventually

# Past its deadline each process admits for itself, and no count over several of them is exact.
PATIENT = {"CLARION_ADMISSION_DEADLINE_S": "30"}


@dataclass(frozen=True)
class Ingest:
    """One ingest process."""

    service: Service

    async def call(self, method: str, request: Any, **options: Any) -> Any:
        """See Service.call."""
        return await self.service.call(method, request, **options)

    async def tenant(self, **fields: Any) -> tenants_pb2.CreateTenantResponse:
        """Create a tenant."""
        request = tenants_pb2.CreateTenantRequest(name="Acme", **fields)
        answer: tenants_pb2.CreateTenantResponse = await self.call("TenantService.CreateTenant", request)
        return answer

    async def accept(self, tenant_id: str, *events: ingest_pb2.NewEvent) -> list[ingest_pb2.AcceptResult]:
        """Hand in events as the gateway does."""
        items = [ingest_pb2.AcceptItem(tenant_id=tenant_id, event=event) for event in events]
        answer = await self.call("IngestService.AcceptEvents", ingest_pb2.AcceptEventsRequest(items=items))
        return list(answer.results)


def new_event(key: str = "", user_id: str = "u1", **fields: Any) -> ingest_pb2.NewEvent:
    """An event as a caller describes it."""
    return ingest_pb2.NewEvent(
        event_type="order.confirmed",
        recipient=event_pb2.Recipient(user_id=user_id, email="ada@example.org"),
        idempotency_key=key,
        **fields,
    )


class Streams:
    """What stands in the streams."""

    def __init__(self, connection: Client, server: NatsServer) -> None:
        self._connection = connection
        self._server = server
        self._jetstream = connection.jetstream(timeout=60)
        self._impatient = connection.jetstream()

    async def redeliver_after(self, seconds: float) -> None:
        """Shorten each consumer's ack_wait: what is not acknowledged is delivered again sooner than in the product."""
        for consumer in topology.consumers():
            config = (await self._jetstream.consumer_info(consumer.stream, consumer.name)).config
            await self._jetstream.add_consumer(consumer.stream, config.evolve(ack_wait=seconds))

    async def events(self) -> list[event_pb2.Event]:
        """All of EVENTS."""
        return [event_pb2.Event.FromString(data) for data in await self.messages(topology.EVENTS)]

    async def messages(self, stream: str) -> list[bytes]:
        """The payloads of a stream, oldest first."""
        return [message.data or b"" for message in await self._raw(stream)]

    async def headers(self, stream: str) -> list[dict[str, str]]:
        """The headers of each message."""
        return [message.headers or {} for message in await self._raw(stream)]

    async def subjects(self, stream: str) -> list[str]:
        """The subject of each message."""
        return [message.subject or "" for message in await self._raw(stream)]

    async def count(self, stream: str) -> int:
        """How many messages a stream holds; 0 while nobody answers."""
        try:
            return await count(self._impatient, stream)
        except (TimeoutError, errors.Error):
            return 0

    async def refuse(self, stream: str) -> None:
        """Have a stream take nothing more, as a full one does."""
        await self._limit(stream, 1)

    async def relent(self, stream: str) -> None:
        """Make room in it again."""
        await self._limit(stream, topology.GIB)

    async def remember_nothing(self, stream: str) -> None:
        """Have a stream forget message ids at once, as it does after its duplicate window."""
        config = self._config(stream, topology.GIB)
        config.duplicate_window = 0.1  # the least there is
        await self._jetstream.update_stream(config)

    async def in_hand(self, stream: str) -> set[int]:
        """The sequences that are reported as in progress from now on: consumers still have them after two seconds."""
        found: set[int] = set()

        async def note(msg: Msg) -> None:
            if msg.data == b"+WPI":
                found.add(int(msg.subject.split(".")[-4]))

        await self._connection.subscribe(f"$JS.ACK.{stream}.>", cb=note)
        await self._connection.flush()
        return found

    async def forget(self) -> None:
        """Empty EVENTS and make the broker forget its ids, as ten minutes and the janitor do."""
        await self._jetstream.purge_stream(topology.EVENTS)
        self._server.kill()  # a server knows the ids of stored messages when it starts, and no others
        await asyncio.to_thread(self._server.start)
        await eventually(lambda: self._connection.is_connected)

    async def _limit(self, stream: str, max_bytes: int) -> None:
        await self._jetstream.update_stream(self._config(stream, max_bytes))

    @staticmethod
    def _config(stream: str, max_bytes: int) -> StreamConfig:
        return next(one for one in provision.streams(replicas=1, max_bytes=max_bytes) if one.name == stream)

    async def _raw(self, stream: str) -> list[RawStreamMsg]:
        return await messages_of(self._jetstream, stream)

    async def publish(self, *messages: nats.Outgoing) -> None:
        """Store messages as a service does: those of each stream together."""
        for of_trace in (True, False):
            part = [message for message in messages if (message.subject == topology.TRACE_SUBJECT) is of_trace]
            await nats.StreamPublisher(self._connection, deadline=60).publish_all(part)


@pytest.fixture
async def pool(postgres_url: str) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    """Connections as the service has them."""
    made = await postgres.connect(postgres_url, name="test", size=4)
    yield made
    await made.close()


@pytest.fixture
async def start(postgres_url: str, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[StartService]:
    """Return what starts a service at this test's servers."""
    async with starter(tmp_path, CLARION_POSTGRES_URL=postgres_url, CLARION_NATS_URL=nats_server.url) as start_service:
        yield start_service


@pytest.fixture
async def ingest(start: StartService) -> Ingest:
    """One ingest process."""
    return Ingest(await start("services.ingest"))


@pytest.fixture
async def pair(start: StartService) -> list[Ingest]:
    """Two ingest processes beside each other, which count together however slow PostgreSQL is."""
    starts = [start("services.ingest", **PATIENT) for _ in range(2)]
    return [Ingest(service) for service in await asyncio.gather(*starts)]
