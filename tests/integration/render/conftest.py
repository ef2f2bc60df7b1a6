"""The render service's parts, put together as in its wiring, on real servers and real workers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from clarion.render.v1 import (
    locales_pb2_grpc,
    parts_pb2_grpc,
    render_pb2,
    render_pb2_grpc,
    templates_pb2,
    templates_pb2_grpc,
)
from runtime import postgres
from runtime.grpc import Caller, GrpcServer, channel
from services.render.__main__ import add_services
from services.render.frames import WorkerLimits
from services.render.part_store import PostgresParts
from services.render.pool import WorkerPool
from services.render.process import WORKER
from services.render.render import TemplateRenderer
from services.render.samples.store import PostgresSamples
from services.render.sources import CachedTemplateSources
from services.render.store import PostgresTemplates
from tests.conftest import free_port
from tests.integration.outboxes import PatientOutbox
from tests.waiting import end

LIMITS = WorkerLimits(cpu_s=0.3, output=256 * 1024, memory=64 * 1024 * 1024)
TOKEN = "token-of-the-tests"
# Converts without the depth check, so that the converter can really crash.
RECKLESS = "tests.integration.render.reckless_worker"


@dataclass
class Deaths:
    """The reasons for which workers died."""

    reasons: list[str] = field(default_factory=list)


@asynccontextmanager
async def running_pool(
    module: str = WORKER, *, workers: int = 1, limits: WorkerLimits = LIMITS
) -> AsyncIterator[WorkerPool]:
    """A pool at work; its deaths in pool_deaths."""
    pool = WorkerPool(limits, workers=workers, on_restart=lambda _: None, module=module)
    task = asyncio.create_task(pool.serve())
    await pool.ready()
    try:
        yield pool
    finally:
        await end(task)


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """One worker."""
    async with running_pool() as started:
        yield started


@pytest.fixture
async def reckless_pool() -> AsyncIterator[WorkerPool]:
    """One worker without the depth check."""
    async with running_pool(RECKLESS) as started:
        yield started


@pytest.fixture
async def database(postgres_url: str) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    """A pool on this test's database."""
    opened = await postgres.connect(postgres_url, name="render", size=4)
    yield opened
    opened.terminate()


@pytest.fixture
async def broker(nats_url: str) -> AsyncIterator[Client]:
    """A connection to this test's NATS."""
    connection = await nats.connect(nats_url)
    yield connection
    await connection.close()


@pytest.fixture
async def store(database: "asyncpg.Pool[asyncpg.Record]", broker: Client) -> PostgresTemplates:
    """The store, publishing to the bucket."""
    return PostgresTemplates(database, PatientOutbox(database, "render", broker))


@dataclass
class Service:
    """A running service and how to call it."""

    address: str
    pool: WorkerPool
    store: PostgresTemplates
    render: "render_pb2_grpc.RenderServiceAsyncStub"
    templates: "templates_pb2_grpc.TemplateServiceAsyncStub"
    parts: "parts_pb2_grpc.PartServiceAsyncStub"
    locales: "locales_pb2_grpc.LocaleServiceAsyncStub"
    caller: Caller

    async def call(self, method: Callable[..., Awaitable[Any]], request: Any, *, deadline: float = 10.0) -> Any:
        """Call a method as the other services do."""
        return await self.caller(method, request, deadline=deadline)

    async def batch(
        self, *items: tuple[str, bytes] | tuple[str, bytes, bytes], deadline: float = 10.0
    ) -> list[render_pb2.RenderResult]:
        """Render (version, variables[, fallback]) items."""
        request = render_pb2.RenderBatchRequest(
            items=[
                render_pb2.RenderItem(
                    template_version_id=item[0], variables=item[1], fallback=item[2] if len(item) > 2 else b""
                )
                for item in items
            ]
        )
        return list((await self.call(self.render.RenderBatch, request, deadline=deadline)).results)

    async def create(self, channel_: int, body: str, **fields: Any) -> templates_pb2.TemplateVersion:
        """Create a template of tenant "t1", event type "order.confirmed", unless said otherwise."""
        values = {"tenant_id": "t1", "event_type": "order.confirmed", **fields}
        request = templates_pb2.CreateTemplateRequest(channel=channel_, body=body, **values)  # type: ignore[arg-type]
        answer = await self.call(self.templates.CreateTemplate, request)
        template: templates_pb2.TemplateVersion = answer.template
        return template


@pytest.fixture
async def service(
    store: PostgresTemplates, broker: Client, pool: WorkerPool, database: "asyncpg.Pool[asyncpg.Record]"
) -> AsyncIterator[Service]:
    """The whole service on a port of its own."""
    renderer = TemplateRenderer(pool, CachedTemplateSources(store, broker))
    address = f"127.0.0.1:{free_port()}"
    server = GrpcServer(address, token=TOKEN)
    add_services(server, renderer, store, PostgresParts(database), PostgresSamples(database))
    await server.start()
    async with channel(address) as connection:
        yield Service(
            address,
            pool,
            store,
            render_pb2_grpc.RenderServiceStub(connection),
            templates_pb2_grpc.TemplateServiceStub(connection),
            parts_pb2_grpc.PartServiceStub(connection),
            locales_pb2_grpc.LocaleServiceStub(connection),
            Caller(TOKEN),
        )
    await server.stop(0)
