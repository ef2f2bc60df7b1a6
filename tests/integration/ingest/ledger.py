"""The ledger of one tenant, as ingest wires it."""

import base64
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2
from runtime.encryption import Vault
from services.ingest.ledger.cursor import Cursors
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item
from services.ingest.ledger.servicer import LedgerServicer
from services.ingest.ledger.store import LedgerStore
from tests.integration.ingest import builders

CURSORS = Cursors(Vault(base64.b64encode(bytes(32)).decode()).tags)
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass
class Ledger:
    """Store and servicer of one tenant, as ingest wires them."""

    tenant: str
    pool: Pool
    store: LedgerStore
    servicer: LedgerServicer

    async def call(self, method: str, **fields: Any) -> Any:
        """Call "ListDeliveries" or its like."""
        request = getattr(ledger_pb2, f"{method}Request")(**fields)
        return await getattr(self.servicer, method)(request, None)

    async def write(self, *items: Item) -> None:
        """Write a group."""
        await self.store.write(merge(items))

    async def event(self, event_id: str) -> ledger_pb2.EventSummary:
        """Return an event as operators see it."""
        event: ledger_pb2.EventSummary = (await self.call("GetEvent", event_id=event_id)).event
        return event

    async def every_delivery(self, event_id: str, **fields: Any) -> list[ledger_pb2.DeliverySummary]:
        """Return all pages."""
        found: list[ledger_pb2.DeliverySummary] = []
        cursor = ""
        while True:
            page = await self.call("ListDeliveries", event_id=event_id, limit=100, cursor=cursor, **fields)
            found += page.deliveries
            cursor = page.next_cursor
            if not cursor:
                return found

    async def count(self, query: str, event_id: str) -> dict[int, int]:
        """Return deliveries by status."""
        return {row["status"]: row["n"] for row in await self.pool.fetch(query, event_id)}

    async def backlog(self) -> tuple[int, int, int]:
        """Return the tenant's unfinished events, their bytes, and its waiting events."""
        row = await self.pool.fetchrow("SELECT unfinished, unfinished_bytes, scheduled FROM ingest.backlog")
        assert row is not None
        return row["unfinished"], row["unfinished_bytes"], row["scheduled"]


def user_ids(count: int) -> list[str]:
    """Return so many user ids."""
    return [f"u{number:05}" for number in range(count)]


def shared_event(tenant: str, users: list[str]) -> event_pb2.Event:
    """Return an event for people whom the caller describes, or for a group if there are more than an event may name."""
    targets = [builders.person(user) for user in users] if len(users) <= 100 else [builders.group("all")]
    return builders.shared_event(tenant, *targets, weight=10)
