"""Finds the events of a list."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from clarion.common.v1 import trace_pb2
from runtime import postgres
from runtime.ids import is_uuid
from services.ingest.event_ids import lowest_since, lowest_until

_QUERIES = postgres.Queries(Path(__file__).with_name("searching.sql"))
_SOURCES = ("of_id", "of_workflow", "of_recipient", "of_reason", "of_trouble", "of_trouble_of_tenants")
_PAGES = {
    source: _QUERIES.page.replace("{source}", getattr(_QUERIES, source)).replace("{wanted}", _QUERIES.wanted)
    for source in _SOURCES
}
# By whose events they are: the rows that are the keys, what says that an event has a key, and the index's order. With
# an equal tenant the order would be that of ids alone, which the primary key has, too.
_RANGES = {
    "of_all": ("(SELECT 1)", "e.id < $3::uuid", "e.id DESC"),
    "of_tenants": (
        "unnest($1::uuid[])",
        "(e.tenant_id, e.id) < (w, $3::uuid) AND e.tenant_id >= w",
        "e.tenant_id DESC, e.id DESC",
    ),
}
_PAGES |= {
    source: _QUERIES.range.replace("{keys}", keys)
    .replace("{of_key}", of_key)
    .replace("{order}", order)
    .replace("{wanted}", _QUERIES.wanted)
    for source, (keys, of_key, order) in _RANGES.items()
}

# Ids that one page reads from its source, over all of its keys. Its first read is small, because that fills most pages.
SCANNED = 10_000
_FIRST_SCAN = 200
# Of each key, however many keys there are.
_LEAST_OF_KEY = 20
# Statuses without an index: most deliveries have them.
_COMMON = {
    trace_pb2.DELIVERY_STATUS_QUEUED,
    trace_pb2.DELIVERY_STATUS_SENT,
    trace_pb2.DELIVERY_STATUS_DELIVERED,
}
# Larger than any id.
_LAST = str(uuid.UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True)
class EventSearch:
    """Filters of the list of events; None and empty: any. Times in Unix microseconds.

    event_id: the event's, or the caller's. metadata: labels, as their column has them. status, channel, reason,
    provider: of one of its deliveries. workflow_id: one of its deliveries is of this stored workflow. before: the id
    after which the page begins.
    """

    tenant_ids: Sequence[str] = ()
    event_type: str | None = None
    recipient: str | None = None
    status: int | None = None
    channel: int | None = None
    reason: str | None = None
    provider: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    event_id: str | None = None
    metadata: str | None = None
    workflow_id: str | None = None
    before: str | None = None

    @property
    def source(self) -> str:
        """The query that gives the fewest events beside those that are wanted."""
        if self.event_id:
            return "of_id"
        if self.workflow_id:
            return "of_workflow"
        if self.recipient:
            return "of_recipient"
        if self.reason:
            return "of_reason"
        is_trouble = self.status is not None and self.status not in _COMMON
        if self.tenant_ids:
            return "of_trouble_of_tenants" if is_trouble else "of_tenants"
        return "of_trouble" if is_trouble else "of_all"

    @property
    def is_filtered(self) -> bool:
        """Whether a source has events that are not wanted."""
        return any(
            (
                self.event_type,
                self.recipient,
                self.status,
                self.channel,
                self.reason,
                self.provider,
                self.event_id,
                self.metadata,
                self.workflow_id,
            )
        )


@dataclass(frozen=True, slots=True)
class EventPage:
    """Ids of events, newest first, and the id after which the next page begins; None: there is none."""

    ids: list[str]
    next: str | None


class EventFinder:
    """Reads the list of events."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def page(self, search: EventSearch, limit: int) -> EventPage:
        """Return up to limit events. It reads a bounded number, with filters also of other events.

        So a page with filters, or of very many tenants, may be short, and not the last.
        """
        found: list[str] = []
        before, left = search.before, SCANNED
        # Without filters a page of each tenant is enough for a page of all.
        scan = _FIRST_SCAN if search.is_filtered else (limit + 1) * max(1, len(search.tenant_ids))
        while True:
            scan = min(scan, left)
            ids, before = await self._scan(search, before, max(scan, limit + 1), limit - len(found))
            found += ids
            left -= scan
            if len(found) == limit:
                return EventPage(found, found[-1])
            if before is None or left <= 0:
                return EventPage(found, before)
            scan *= 10

    async def _scan(
        self, search: EventSearch, before: str | None, scan: int, limit: int
    ) -> tuple[list[str], str | None]:
        """Return events, and where to go on reading; None: nowhere."""
        keys = max(1, len(search.tenant_ids))
        rows = await self._pool.fetch(
            _PAGES[search.source],
            list(search.tenant_ids) or None,
            lowest_since(search.since_us or 0),
            min(before or _LAST, lowest_until(search.until_us) if search.until_us else _LAST),
            max(_LEAST_OF_KEY, scan // keys),
            limit,
            search.event_type,
            search.status,
            search.channel,
            search.reason,
            search.provider,
            search.recipient,
            search.event_id,
            search.event_id if search.event_id and is_uuid(search.event_id) else None,
            search.since_us,
            search.until_us,
            search.metadata,
            search.workflow_id,
        )
        read_from = rows[0]["read_from"]
        return [str(row["id"]) for row in rows if row["id"] is not None], str(read_from) if read_from else None
