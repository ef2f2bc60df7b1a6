"""The router as a process, on real NATS, with owners of the configuration that answer over real gRPC."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import tenants_pb2_grpc
from clarion.render.v1 import templates_pb2_grpc
from clarion.senders.v1 import senders_pb2_grpc
from runtime import bucket_keys, grpc, postgres
from services.domain import channels, topology
from tests.conftest import NatsServer, free_port
from tests.fakes.router import Owners
from tests.integration.ingest.processes import TOKEN, StartService, starter
from tests.integration.router.recipient_world import Api
from tests.integration.router.run_world import World
from tests.integration.router.workflow_world import WorkflowWorld
from tests.streams import Streams
from tests.waiting import eventually


class Bucket:
    """The configuration as its owners publish it."""

    def __init__(self, connection: Client) -> None:
        self._jetstream = connection.jetstream(timeout=60)

    async def put(self, key: str, value: Any) -> None:
        """Publish a value as JSON."""
        bucket = await self._jetstream.key_value(bucket_keys.BUCKET)
        await bucket.put(key, msgspec.json.encode(value))

    async def tenant(self, tenant_id: str, *, channels: tuple[str, ...] = ()) -> None:
        """A tenant with a channel policy and a provider each for e-mail and SMS."""
        await self.put(topology.tenant_key(tenant_id), {"id": tenant_id, "delivery_channels": channels})
        providers = [{"id": "p-mail", "channel": "EMAIL"}, {"id": "p-sms", "channel": "SMS"}]
        await self.put(topology.providers_key(tenant_id), providers)

    async def templates(self, tenant_id: str, event_type: str, **versions: str) -> None:
        """The active templates: EMAIL="v1"."""
        value = [{"channel": channel, "template_version_id": version} for channel, version in versions.items()]
        await self.put(topology.templates_key(tenant_id, event_type), value)


class Routed:
    """What the router left behind."""

    def __init__(self, streams: Streams, connection: Client) -> None:
        self._streams = streams
        self._jetstream = connection.jetstream(timeout=60)

    async def deliveries(self) -> list[event_pb2.Delivery]:
        """All of DELIVERIES."""
        return [event_pb2.Delivery.FromString(data) for data in await self._streams.messages(topology.DELIVERIES)]

    async def records(self) -> dict[str, trace_pb2.Routed]:
        """What was decided of each event, as TRACE tells it."""
        return {record.event_id: record.routed for record in await self.all_records()}

    async def all_records(self) -> list[trace_pb2.TraceRecord]:
        """All of TRACE."""
        batches = [trace_pb2.TraceBatch.FromString(data) for data in await self._streams.messages(topology.TRACE)]
        return [record for batch in batches for record in batch.records]

    async def decisions(self, event_id: str) -> dict[str, str]:
        """The reason for each channel, "" where it is used, as soon as it is decided."""

        async def decided() -> trace_pb2.Routed | None:
            return (await self.records()).get(event_id)

        routed = await eventually(decided)
        assert routed is not None
        return {channels.NAMES[one.channel]: one.reason for one in routed.deliveries}

    async def all_acked(self) -> bool:
        """Whether nothing is left to route."""
        infos = [await self._jetstream.consumer_info(one.stream, one.name) for one in topology.router_consumers()]
        return not any(info.num_pending or info.num_ack_pending for info in infos)


@pytest.fixture
def bucket(connection: Client) -> Bucket:
    """This test's configuration."""
    return Bucket(connection)


@pytest.fixture
def routed(streams: Streams, connection: Client) -> Routed:
    """What the router left behind."""
    return Routed(streams, connection)


@pytest.fixture
def owners() -> Owners:
    """Owners who know nothing yet."""
    return Owners()  # type: ignore[abstract]  # the other methods are never called


@pytest.fixture
async def start(
    nats_server: NatsServer, postgres_url: str, tmp_path: Path, owners: Owners
) -> AsyncIterator[StartService]:
    """Return what starts a router."""
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token=TOKEN)
    server.add(tenants_pb2_grpc.add_TenantServiceServicer_to_server, owners, "clarion.ingest.v1.TenantService")
    server.add(templates_pb2_grpc.add_TemplateServiceServicer_to_server, owners, "clarion.render.v1.TemplateService")
    server.add(senders_pb2_grpc.add_ProviderServiceServicer_to_server, owners, "clarion.senders.v1.ProviderService")
    await server.start()
    try:
        async with starter(
            tmp_path,
            CLARION_POSTGRES_URL=postgres_url,
            CLARION_NATS_URL=nats_server.url,
            CLARION_INGEST_ADDRESS=address,
            CLARION_RENDER_ADDRESS=address,
            CLARION_SENDERS_ADDRESS=address,
        ) as start_service:
            yield start_service
    finally:
        await server.stop(0)


@pytest.fixture
async def pool(postgres_url: str) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    """The router's."""
    made = await postgres.connect(postgres_url, name="test", size=8, bitmap_scans=False)
    yield made
    await made.close()


@pytest.fixture
def world(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, streams: Streams, bucket: Bucket) -> World:
    """One router, nobody stored."""
    return World(pool, connection, streams)


@pytest.fixture
async def api(postgres_url: str) -> AsyncIterator[Api]:
    """Stored recipients, segments and imports on this test's database."""
    pool = await postgres.connect(postgres_url, name="test", size=8, deadline=30.0)
    yield Api(pool)
    pool.terminate()


@pytest.fixture
def flow(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, streams: Streams, bucket: Bucket) -> WorkflowWorld:
    """One router with stored workflows, nobody stored."""
    return WorkflowWorld(pool, connection, streams)
