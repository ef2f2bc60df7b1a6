"""The audit log in PostgreSQL: one entry per write, deleted after its retention."""

import asyncio
import random
import uuid
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from clarion.ingest.v1 import audit_pb2
from runtime import clock, ids, logs, postgres

SWEEP_INTERVAL_S = 600.0

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """Filters of the list; None: any. Times in Unix microseconds."""

    actor: str | None = None
    tenant_id: str | None = None
    resource: str | None = None
    method: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    before: uuid.UUID | None = None
    # "POST /api/v1/admin/tenants".
    calls: list[str] | None = None
    # How many of the newest are left out.
    offset: int = 0
    tenant_ids: list[str] | None = None


class AuditStore:
    """Reads and writes ingest.audit. pool: with durable commits. retention_days: 0 keeps entries for ever."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, retention_days: int) -> None:
        self._pool = pool
        self._retention_days = retention_days

    async def begin(self, request: audit_pb2.BeginAuditEntryRequest) -> str:
        """Return the new entry's id once it is on disk."""
        entry_id = ids.new_id()
        await self._pool.execute(
            _QUERIES.begin_entry,
            entry_id,
            request.actor,
            request.method,
            request.route,
            request.resource,
            request.trace_id,
            request.tenant_id,
            request.actor_email,
        )
        return entry_id

    async def finish(self, request: audit_pb2.FinishAuditEntryRequest) -> None:
        """Add the answer to an entry; one that has an answer stays as it is."""
        await self._pool.execute(
            _QUERIES.finish_entry,
            request.audit_entry_id,
            request.status,
            request.resource,
            request.tenant_id,
            list(request.fields),
        )

    async def list(self, search: AuditSearch, limit: int) -> list[audit_pb2.AuditEntry]:
        """Return up to limit entries, newest first."""
        rows = await self._pool.fetch(
            _QUERIES.entries,
            search.actor,
            search.tenant_id,
            search.resource,
            search.method,
            search.since_us,
            search.until_us,
            search.before,
            limit,
            search.calls,
            search.offset,
            search.tenant_ids,
        )
        return [_entry(row) for row in rows]

    async def count(self, search: AuditSearch) -> int:
        """Return how many entries there are, wherever the page of the search begins; at most 10,000."""
        found: int = await self._pool.fetchval(
            _QUERIES.count_entries,
            search.actor,
            search.tenant_id,
            search.resource,
            search.method,
            search.since_us,
            search.until_us,
            search.calls,
            search.tenant_ids,
        )
        return found

    async def sweep(self) -> int:
        """Delete up to 5,000 entries past their retention; return their number."""
        if not self._retention_days:
            return 0
        result = await self._pool.execute(_QUERIES.sweep_entries, self._retention_days)
        return int(result.rpartition(" ")[2])

    async def keep_swept(self) -> None:
        """Sweep every ten minutes until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            try:
                while await self.sweep():
                    pass
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("audit_sweep_failed", error=repr(error))


def _entry(row: asyncpg.Record) -> audit_pb2.AuditEntry:
    return audit_pb2.AuditEntry(
        id=str(row["id"]),
        actor=row["actor"],
        actor_email=row["actor_email"],
        method=row["method"],
        route=row["route"],
        resource=row["resource"],
        tenant_id=row["tenant_id"],
        fields=row["fields"],
        trace_id=row["trace_id"],
        status=row["status"],
        begun_at_us=clock.micros_of(row["begun_at"]),
        finished_at_us=clock.micros_of(row["finished_at"]) if row["finished_at"] else 0,
    )
