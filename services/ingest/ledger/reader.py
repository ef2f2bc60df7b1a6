"""Reads the ledger's tables for operators."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, postgres
from services.domain import audience, channels, statuses
from services.ingest.dead_letters import store as letters
from services.ingest.dead_letters.store import LetterFilter
from services.ingest.event_ids import lowest_since, lowest_until
from services.ingest.ledger.counting import OF_WORKFLOWS
from services.ingest.ledger.timeline import Row

_QUERIES = postgres.Queries(Path(__file__).with_name("reading.sql"))
_FIRST_DELIVERIES, _DELIVERIES, _SHARED_DELIVERIES, _DELIVERY = (
    query.replace("{columns}", _QUERIES.delivery_columns)
    for query in (_QUERIES.first_deliveries, _QUERIES.deliveries, _QUERIES.shared_deliveries, _QUERIES.delivery)
)
# By whether they are of one step.
_OF_WORKFLOW = {
    of_one: _QUERIES.workflow_deliveries.replace("{columns}", _QUERIES.delivery_columns).replace("{of_step}", of_step)
    for of_one, of_step in ((False, _QUERIES.of_any_step), (True, _QUERIES.of_one_step))
}
_WORKFLOWS = postgres.Queries(Path(__file__).with_name("workflows.sql"))
_ATTEMPTS, _WEBHOOK_ATTEMPTS = (
    _QUERIES.attempts.replace("{of}", of) for of in (_QUERIES.of_event, _QUERIES.of_webhook)
)
# By the source, and whether they are of one endpoint.
_OF_ENDPOINTS = {
    (source, which == "of_endpoint"): _QUERIES.endpoint_deliveries.replace("{columns}", _QUERIES.delivery_columns)
    .replace("{source}", getattr(_QUERIES, source))
    .replace("{which}", getattr(_QUERIES, which))
    for source in ("source_all", "source_statuses", "source_events")
    for which in ("of_tenant", "of_endpoint")
}
_CHANNELS = {name: number for number, name in channels.NAMES.items()}
# Recipients that are counted of each event of a list.
MOST_COUNTED = 1000
# Smaller and larger than any id.
_FIRST, _LAST = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)
# The statuses of most deliveries, which the index by status leaves out.
_COMMON = {trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_DELIVERED}
# Deliveries that are read for one page of a filtered list, and events with the same labels that are read instead.
SCANNED = 5000
LABELLED = 1000
# A tenant's events among which the newest one of a type is looked for.
NEWEST = 20_000


@dataclass(frozen=True, slots=True)
class DeliverySearch:
    """Filters of the list of deliveries to endpoints; None, empty and 0: any. Times in Unix microseconds.

    metadata: as the events' rows have it. before: the event and the delivery after which the page begins.
    """

    tenant_id: str
    endpoint_id: str | None = None
    statuses: tuple[int, ...] = ()
    event_type: str | None = None
    metadata: str | None = None
    since_us: int = 0
    until_us: int = 0
    before: tuple[str, str] = (str(_LAST), str(_LAST))


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A page, and after which event and delivery the next one begins; None: it is the last."""

    rows: "list[asyncpg.Record]"
    next: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class EventDeliveries:
    """Filters of the list of an event's deliveries; None: any.

    statuses: one of these. recipient: their id or address. step: without a workflow its own name, as of the channel.
    """

    statuses: Sequence[int] | None = None
    recipient: str | None = None
    workflow_id: str | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event's row with its first deliveries, and how many deliveries have each status."""

    row: asyncpg.Record
    deliveries: "list[asyncpg.Record]"
    counts: dict[int, int]

    @property
    def id(self) -> str:
        """The event's id."""
        return str(self.row["id"])


@dataclass(frozen=True, slots=True)
class AcceptedEvent:
    """An event as it was accepted, and when, in Unix microseconds."""

    event: event_pb2.Event
    accepted_at_us: int


class LedgerReader:
    """Reads for operators and for workers; pool: any."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def of_recipient(self, tenant_id: str, user_id: str, before: str | None, limit: int) -> list[str]:
        """Return the ids of up to limit events of one recipient, newest first; before: an event's id."""
        rows = await self._pool.fetch(_QUERIES.of_recipient, tenant_id, user_id, before, limit)
        return [str(row["id"]) for row in rows]

    async def events(
        self,
        event_ids: Sequence[str],
        most_deliveries: int,
        *,
        of_shared: bool = True,
        most_counted: int | None = MOST_COUNTED,
    ) -> list[KnownEvent]:
        """Return those that are known, newest first, each with its first deliveries and their counts at that moment.

        of_shared: also read the deliveries of events with several recipients. most_counted: the most recipients that
        are counted of an event; None: all.
        """
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            rows = await connection.fetch(_QUERIES.events, list(event_ids), most_counted)
            alone = [row["id"] for row in rows if not row["is_shared"]]
            shared = [row["id"] for row in rows if row["is_shared"]] if of_shared else []
            first = await connection.fetch(_FIRST_DELIVERIES, alone, shared, most_deliveries)
            counted = await connection.fetch(_QUERIES.counts, [row["id"] for row in rows])
        by_event: dict[str, list[asyncpg.Record]] = {}
        for row in first:
            by_event.setdefault(str(row["event_id"]), []).append(row)
        counts: dict[str, dict[int, int]] = {}
        for row in counted:
            # What waits in rows of the senders is shown as queued.
            of_event = counts.setdefault(str(row["event_id"]), {})
            status = row["status"] or trace_pb2.DELIVERY_STATUS_QUEUED
            of_event[status] = of_event.get(status, 0) + row["n"]
        return [KnownEvent(row, by_event.get(id_, []), counts.get(id_, {})) for row in rows for id_ in [str(row["id"])]]

    async def settled(self, event_id: str) -> int:
        """Return the number of an event's deliveries of which nothing more is tried."""
        rows = await self._pool.fetch(_QUERIES.counts, [event_id])
        return sum(row["n"] for row in rows if statuses.is_terminal(row["status"]))

    async def row(self, event_id: str) -> "asyncpg.Record | None":
        """Return an event's row."""
        return await self._pool.fetchrow(_QUERIES.events, [event_id], 0)

    async def deliveries(
        self, event: Row, wanted: EventDeliveries, after: str | None, limit: int, offset: int = 0
    ) -> "list[asyncpg.Record]":
        """Return up to limit deliveries of an event, by recipient; of a workflow by step.

        after: a delivery's id. offset: so many are left out.
        """
        page = (event["id"], wanted.statuses, after, limit)
        destinations = None
        if wanted.recipient is not None and event["is_shared"]:
            user = audience.of_user(wanted.recipient)
            found = await self._pool.fetch(_QUERIES.destinations, event["id"], user, wanted.recipient)
            destinations = [row["destination"] for row in found]
        if wanted.workflow_id is not None:
            query = _OF_WORKFLOW[wanted.step is not None]
            return await self._pool.fetch(query, *page, wanted.workflow_id, destinations, wanted.step, offset)
        # A delivery without a workflow has no step in its row if that is its channel's name.
        step = (wanted.step, _CHANNELS.get(wanted.step) if wanted.step is not None else None)
        if not event["is_shared"]:
            return await self._pool.fetch(_DELIVERIES, *page, wanted.recipient is not None, *step, offset)
        return await self._pool.fetch(_SHARED_DELIVERIES, *page, destinations, event["tenant_id"], *step, offset)

    async def of_person(self, event_id: str, user_id: str) -> "list[asyncpg.Record]":
        """Return a user's deliveries of an event with several recipients, at most 1,000."""
        return await self._pool.fetch(
            _SHARED_DELIVERIES, event_id, None, None, 1000, [audience.of_user(user_id)], None, None, None, 0
        )

    async def delivery(self, delivery_id: str) -> "asyncpg.Record | None":
        """Return a delivery's row."""
        return await self._pool.fetchrow(_DELIVERY, delivery_id)

    async def attempts(
        self, event_id: str, delivery_ids: Sequence[str] | None, *, answers: bool = False
    ) -> "list[asyncpg.Record]":
        """Return the attempts of these deliveries of an event, oldest first, at most 1,000; None: of all.

        answers: what endpoints answered, too, to the newest 100.
        """
        ids = list(delivery_ids) if delivery_ids is not None else None
        return await self._pool.fetch(_ATTEMPTS, event_id, ids, answers)

    async def webhook_attempts(self, delivery_id: str) -> "list[asyncpg.Record]":
        """Return the attempts of a delivery to an endpoint, as attempts() does, with the answers."""
        return await self._pool.fetch(_WEBHOOK_ATTEMPTS, delivery_id, None, True)

    async def workflow_steps(
        self, event_id: str, runs: Sequence[object] | None = None, people: Sequence[str] | None = None
    ) -> "list[asyncpg.Record]":
        """Return at most 1,000 steps of an event's workflow runs. runs, people: of these only."""
        of_people = list(people) if people is not None else None
        return await self._pool.fetch(
            _WORKFLOWS.workflow_steps, event_id, list(runs) if runs is not None else None, of_people
        )

    async def conflicts(self, event_id: str, person: str | None = None) -> "list[asyncpg.Record]":
        """Return the contacts of an event whose identifiers belong to two people. person: of this one only."""
        return await self._pool.fetch(_WORKFLOWS.conflicts, event_id, person)

    async def workflow_counts(self, event: Row) -> "list[asyncpg.Record]":
        """Return how many deliveries of an event have each status, by workflow and step, at most 5,000 counts."""
        return await self._pool.fetch(OF_WORKFLOWS, event["id"], event["tenant_id"])

    async def replays(self, event_id: str) -> "list[asyncpg.Record]":
        """Return the events that are replays of this one, oldest first, at most 100."""
        return await self._pool.fetch(_QUERIES.replays_of, event_id)

    async def states(self, delivery_ids: Sequence[str]) -> dict[str, int]:
        """Return the status of each known delivery."""
        rows = await self._pool.fetch(_QUERIES.states, list(delivery_ids))
        return {str(row["id"]): row["status"] for row in rows}

    async def tenant_of(self, *, event_id: str = "", delivery_id: str = "") -> str | None:
        """Return whose an event or a delivery is."""
        if event_id:
            found = await self._pool.fetchval(_QUERIES.tenant_of_event, event_id)
        else:
            found = await self._pool.fetchval(_QUERIES.tenant_of_delivery, delivery_id)
        return str(found) if found is not None else None

    async def payload(self, tenant_id: str, event_id: str) -> event_pb2.Event | None:
        """Return the event as it was accepted; None: deleted, or never read."""
        raw = await self._pool.fetchval(_QUERIES.payload, tenant_id, event_id)
        return event_pb2.Event.FromString(raw) if raw is not None else None

    async def last_payload(self, tenant_id: str, event_type: str) -> AcceptedEvent | None:
        """Return a tenant's newest event of a type that is stored and no test; None: none of its newest is."""
        row = await self._pool.fetchrow(_QUERIES.last_payload, tenant_id, event_type, NEWEST)
        if row is None:
            return None
        return AcceptedEvent(event_pb2.Event.FromString(row["event"]), clock.micros_of(row["accepted_at"]))

    async def endpoint_deliveries(self, search: DeliverySearch, limit: int) -> DeliveryPage:
        """Return a page of a tenant's deliveries to endpoints, newest first.

        With filters by event it reads at most SCANNED deliveries, so a page may be short, or empty, and not the last.
        """
        has_index = bool(search.statuses) and not set(search.statuses) & _COMMON
        # Before since, ids go on for a day with what was accepted earlier: it is read in few pages.
        by_event = search.event_type or search.metadata or search.since_us
        is_filtered = bool(by_event or (search.statuses and not has_index))
        source = "source_statuses" if has_index else "source_all"
        page = await self._scan(search, source, SCANNED if is_filtered else limit, limit)
        if not search.metadata or page.next is None or len(page.rows) == limit:
            return page
        # Few have these labels: if few events of all time do, these are read instead.
        events = [row["id"] for row in await self._pool.fetch(_QUERIES.labelled, search.metadata, LABELLED + 1)]
        return page if len(events) > LABELLED else await self._scan(search, "source_events", SCANNED, limit, events)

    async def _scan(
        self,
        search: DeliverySearch,
        source: str,
        scanned: int,
        limit: int,
        events: "Sequence[uuid.UUID] | None" = None,
    ) -> DeliveryPage:
        rows = await self._pool.fetch(
            _OF_ENDPOINTS[source, bool(search.endpoint_id)],
            search.tenant_id,
            search.endpoint_id,
            *search.before,
            lowest_since(search.since_us),
            lowest_until(search.until_us) if search.until_us else _LAST,
            list(search.statuses) or None,
            search.event_type,
            scanned,
            limit,
            search.metadata,
            events,
            search.since_us or None,
            search.until_us or None,
        )
        found = [row for row in rows if row["id"] is not None]
        first = rows[0]
        if len(found) == limit:
            return DeliveryPage(found, (str(found[-1]["event_id"]), str(found[-1]["id"])))
        if first["read"] < scanned:
            return DeliveryPage(found, None)
        return DeliveryPage(found, (str(first["last_event"]), str(first["last_delivery"])))

    async def dead_letters(
        self, wanted: LetterFilter, before: tuple[int, str] | None, limit: int
    ) -> "list[asyncpg.Record]":
        """Return up to limit dead letters, newest first; before: (died_at in µs, delivery id)."""
        return await letters.page(self._pool, wanted, before, limit)

    async def count_dead_letters(self, wanted: LetterFilter) -> int:
        """Return how many dead letters match; see services.ingest.dead_letters.store.count."""
        return await letters.count(self._pool, wanted)

    async def dead_letter_reasons(self, wanted: LetterFilter) -> list[tuple[str, int]]:
        """Return how many dead letters match by reason; see services.ingest.dead_letters.store.reasons."""
        return await letters.reasons(self._pool, wanted)
