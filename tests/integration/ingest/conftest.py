"""Ingest on real PostgreSQL and NATS, as processes where it matters."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, tenants_pb2
from runtime import postgres
from runtime.ids import new_id
from services.ingest.ledger.reader import LedgerReader
from services.ingest.ledger.search import EventFinder
from services.ingest.ledger.servicer import LedgerServicer
from services.ingest.ledger.store import LedgerStore
from services.ingest.retries.store import RetryStore
from tests.conftest import NatsServer
from tests.integration.ingest import builders
from tests.integration.ingest.ledger import CURSORS, Ledger
from tests.integration.ingest.processes import Service, StartService, starter

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


@pytest.fixture
async def ledger(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client) -> Ledger:
    """A ledger, and a tenant with one unfinished event of ten bytes."""
    tenant, store = new_id(), LedgerStore(pool, pool)
    await builders.insert_tenant(pool, tenant, unfinished=1)
    await pool.execute("UPDATE ingest.backlog SET unfinished_bytes = 10")
    return Ledger(
        tenant,
        pool,
        store,
        LedgerServicer(RetryStore(pool, pool), LedgerReader(pool), EventFinder(pool), connection, CURSORS),
    )
