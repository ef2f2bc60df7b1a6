"""The rows of deliveries that wait, in PostgreSQL. Writes of all endpoints are grouped."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from clarion.common.v1 import event_pb2
from runtime import clock, postgres
from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.configuration import ConfigurationOutbox
from runtime.parts import POSTGRES, OwnParts
from services.delivery.ports import ParkedDelivery
from services.domain.reasons import Reason
from services.senders.webhooks.parking import breaker
from services.senders.webhooks.parking.backlogs import Backlogs
from services.senders.webhooks.parking.cancel import Place
from services.senders.webhooks.parking.ports import Ended, EndpointKey, EndpointState, Kept, Row
from services.senders.webhooks.parking.records import (
    columns,
    first_id,
    key_columns,
    published,
    read_key,
    read_row,
    read_state,
    state_key,
)

SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

# Rows and bytes that one transaction stores.
_GROUP, _GROUP_BYTES = 500, 2 * 1024 * 1024
# Between two transactions that park, seconds. What is parked is in no hurry, and many endpoints may fail at a time.
_PACE_S = 0.05
# Rows of a canceled event that are read together.
_PAGE = 200
# So long after its event was accepted a delivery in strict order is sent at the earliest: another router may plan an
# earlier one a moment later. Microseconds.
_SETTLE_US = 250_000
# Below this share of the bound an endpoint is not full any more.
_ROOM = 0.9
# Why rows wait that no process should look at.
_AT_REST = frozenset({Reason.ENDPOINT_DISABLED, Reason.POLLED})


class _New(NamedTuple):
    """A delivery to be parked. bound: how many the endpoint may have."""

    parked: ParkedDelivery
    is_claimed: bool
    bound: int

    @property
    def key(self) -> EndpointKey:
        delivery = self.parked.delivery
        return EndpointKey(delivery.tenant_id, delivery.webhook.endpoint_id)

    @property
    def identity(self) -> tuple[str, int]:
        return self.parked.delivery.id, self.parked.delivery.replay


class ParkedRows:
    """Reads and writes senders.parked. on_parked: is called after rows were added; on_resting: with
    each endpoint that has rows which wait until it changes, and why they do. bound: of an endpoint of a tenant; all
    endpoints of a tenant together may have ENDPOINTS_BOUND times as many.

    outbox: publishes that an endpoint is full. now: PostgreSQL's time. Reads raise UNAVAILABLE.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        outbox: ConfigurationOutbox,
        own: OwnParts,
        *,
        bound: Callable[[str], int],
        on_parked: Callable[[set[EndpointKey]], None] = lambda _: None,
        on_resting: Callable[[EndpointKey, str], None] = lambda *_: None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._own = own
        self._bound = bound
        self.on_parked = on_parked
        self.on_resting = on_resting
        self._backlogs = Backlogs()
        self._now = now
        self._parker: Batcher[_New, bool] = Batcher(
            self._park,
            BatchLimits(items=_GROUP, bytes=_GROUP_BYTES),
            BatchTiming(interval_s=_PACE_S),
            size=lambda new: new.parked.delivery.ByteSize(),
        )
        self._settler: Batcher[Ended | Kept, bool] = Batcher(self._settle, BatchLimits(items=_GROUP))

    async def park(self, parked: ParkedDelivery, *, is_claimed: bool = False) -> bool:
        """See services.delivery.ports.Parking."""
        return await self._parker.enqueue(_New(parked, is_claimed, self._bound(parked.delivery.tenant_id)))

    async def find(self, delivery: event_pb2.Delivery) -> ParkedDelivery | None:
        """See services.delivery.ports.Parking."""
        arguments = (delivery.webhook.endpoint_id, delivery.id, delivery.replay, delivery.attempt)
        row = await self._own.ask(POSTGRES, partial(self._fetchrow, SQL.find, *arguments))
        if row is None:
            return None
        return ParkedDelivery(event_pb2.Delivery.FromString(row["delivery"]), row["reason"], row["due_us"])

    async def due(
        self, key: EndpointKey, until_us: int, *, after: tuple[int, int] = (-1, 0), limit: int = 100
    ) -> list[Row]:
        """See ports.Rows."""
        return await self._readable(key, SQL.due, *after, until_us, limit)

    async def some(self, key: EndpointKey, delivery_ids: Sequence[str]) -> list[Row]:
        """Return the rows of these deliveries; at most 100 ids."""
        with postgres.unavailable_while_down():
            found = await self._pool.fetch(SQL.some_of, *key, delivery_ids)
        return [row for record in found if (row := read_row(record)) is not None]

    async def of_events(self, tenant_id: str, event_ids: Sequence[str], delivery_ids: Sequence[str]) -> list[Row]:
        """See erase.ErasableRows."""
        with postgres.unavailable_while_down():
            found = await self._pool.fetch(SQL.of_events, tenant_id, event_ids, delivery_ids)
        rows = [read_row(record) for record in found]
        return [row for row in rows if row is not None and row.delivery.event_id in event_ids]

    async def aged(self, key: EndpointKey, before_us: int, *, limit: int = 100) -> list[Row]:
        """See ports.Rows."""
        return await self._readable(key, SQL.aged, first_id(before_us), before_us, limit)

    async def of_event(self, tenant_id: str, event_id: str, after: Place) -> tuple[list[Row], Place | None]:
        """See cancel.CancelableRows."""
        with postgres.unavailable_while_down():
            found = await self._pool.fetch(SQL.of_event, tenant_id, event_id, *after, _PAGE)
        rows = [read_row(record) for record in found]
        mine = [row for row in rows if row is not None and row.delivery.event_id == event_id]
        if len(found) < _PAGE:
            return mine, None
        last = found[-1]
        return mine, Place(str(last["delivery_id"]), str(last["endpoint_id"]), last["replay"])

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """See cancel.CancelableRows."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                yield await connection.fetchval(SQL.alone)

    async def oldest_us(self, key: EndpointKey) -> int:
        """Return when the first of an endpoint's deliveries was accepted, to the millisecond; 0: it has none.

        The ids of deliveries begin with the time of their event.
        """
        row = await self._fetchrow(SQL.oldest, *key)
        return event_pb2.Delivery.FromString(row["delivery"]).accepted_at_us if row is not None else 0

    async def settle(self, outcome: Ended | Kept) -> bool:
        """See ports.Rows."""
        return await self._settler.enqueue(outcome)

    async def queue_for_polling(self, key: EndpointKey) -> None:
        """See ports.Rows."""
        moved = 1000
        while moved == 1000:
            with postgres.unavailable_while_down():
                async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                    await connection.fetch(SQL.lock_states, *key_columns([key]))
                    status = await connection.execute(SQL.queue_for_polling, *key)
            moved = int(status.rpartition(" ")[2])

    async def drain(self) -> None:
        """Wait until all writes have ended."""
        await asyncio.gather(self._parker.drain(), self._settler.drain())

    async def _readable(self, key: EndpointKey, query: str, *arguments: Any) -> list[Row]:
        """Return the rows of an endpoint that a query finds; those that cannot be read are set aside."""
        with postgres.unavailable_while_down():
            found = await self._pool.fetch(query, *key, *arguments)
            rows = [read_row(record) for record in found]
            if unreadable := [record for record, row in zip(found, rows, strict=True) if row is None]:
                ids = [record["delivery_id"] for record in unreadable]
                await self._pool.execute(SQL.set_aside, key.endpoint_id, ids)
        return [row for row in rows if row is not None]

    async def _fetchrow(self, query: str, *arguments: Any) -> "asyncpg.Record | None":
        with postgres.unavailable_while_down():
            return await self._pool.fetchrow(query, *arguments)

    async def _park(self, items: list[_New]) -> list[bool]:
        """Store rows in one transaction; return for each whether it is stored."""
        once = {one.identity: one for one in items}
        new = list(once.values())
        keys, now = key_columns(one.key for one in new), self._now()
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(SQL.add_states, *keys)
                states = [read_state(row) for row in await connection.fetch(SQL.lock_states, *keys)]
                room = await self._backlogs.room(
                    partial(_backlogs, connection), {one.key.tenant_id: one.bound for one in new}
                )
                given = columns((*_columns(one, now), room[one.key.tenant_id]) for one in new)
                found = await connection.fetch(SQL.park, *given, now)
                added = defaultdict[EndpointKey, list[ParkedDelivery]](list)
                for one, row in zip(new, found, strict=True):
                    if row["is_new"]:
                        added[one.key].append(one.parked)
                full = {one.key for one, row in zip(new, found, strict=True) if row["is_endpoint_full"]}
                is_published = await self._count(connection, states, added, full, now)
                if empty := [state.key for state in states if not state.parked and state.key not in added]:
                    await connection.fetch(SQL.forget, *key_columns(empty), False)
        self._backlogs.add(Counter(key.tenant_id for key, parked in added.items() for _ in parked))
        if is_published:
            await self._outbox.flush()
        self.on_parked(set(added))
        for key, reason in {(one.key, one.parked.reason) for one in new if one.parked.reason in _AT_REST}:
            self.on_resting(key, reason)
        stored = {one.identity: row["is_stored"] for one, row in zip(new, found, strict=True)}
        return [stored[one.identity] for one in items]

    async def _count(
        self,
        connection: Any,
        states: Sequence[EndpointState],
        added: Mapping[EndpointKey, Sequence[ParkedDelivery]],
        full: Collection[EndpointKey],
        now: int,
    ) -> bool:
        """Count the new rows of each endpoint; return whether something is to be published."""
        changes = []
        newly_full = [state for state in states if state.key in full and not state.is_full]
        for state in newly_full:
            value = published(state.health.state, state.health.since_us, is_full=True)
            await self._outbox.add(connection, state_key(state.key), value)
        for state in states:
            mine = added.get(state.key, ())
            is_full = state.is_full or state.key in full
            changes.append((*state.key, len(mine), is_full, _wake_us(state, mine, now), False))
        await connection.execute(SQL.count_parked, *columns(changes))
        return bool(newly_full)

    async def _settle(self, outcomes: list[Ended | Kept]) -> list[bool]:
        """Store what became of rows, in one transaction; return for each whether it is there, if it is kept."""
        ended = [one.row for one in outcomes if isinstance(one, Ended)]
        kept = [one for one in outcomes if isinstance(one, Kept)]
        # An endpoint is held for its first delivery, which is to be tried again.
        freeing = [one.row for one in outcomes if isinstance(one, Ended) and one.frees]
        freed = {row.key for row in freeing if row.reason == Reason.RETRY}
        are_there: Iterator[bool] = iter(())
        is_published = False
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                keys = key_columns(one.row.key for one in outcomes)
                states = [read_state(row) for row in await connection.fetch(SQL.lock_states, *keys)]
                if kept:
                    *before, probes = columns(_kept_columns(one) for one in kept)
                    found = await connection.fetch(SQL.keep, *before, self._now(), probes)
                    are_there = iter([row["is_there"] for row in found])
                if ended:
                    deleted = await connection.fetch(SQL.end, *columns(map(_ended_columns, ended)))
                    is_published = await self._uncount(connection, states, Counter(map(read_key, deleted)), freed)
        if is_published:
            await self._outbox.flush()
        return [next(are_there) if isinstance(one, Kept) else False for one in outcomes]

    async def _uncount(
        self,
        connection: Any,
        states: Sequence[EndpointState],
        counts: Counter[EndpointKey],
        freed: Collection[EndpointKey],
    ) -> bool:
        """Count fewer rows of endpoints; return whether something is to be published."""
        changes = []
        is_published = False
        for state in states:
            has_room = state.parked - counts[state.key] < self._bound(state.key.tenant_id) * _ROOM
            if state.is_full and has_room:
                value = published(state.health.state, state.health.since_us, is_full=False)
                await self._outbox.add(connection, state_key(state.key), value)
                is_published = True
            is_freed = state.key in freed and counts[state.key] > 0
            wake_us = self._now() if is_freed else None
            changes.append((*state.key, -counts[state.key], state.is_full and not has_room, wake_us, is_freed))
        if changes:
            await connection.execute(SQL.count_parked, *columns(changes))
        return is_published


async def _backlogs(connection: Any, tenant_ids: Sequence[str]) -> dict[str, int]:
    return {str(row["tenant_id"]): row["parked"] for row in await connection.fetch(SQL.backlogs, tenant_ids)}


def _columns(new: _New, now_us: int) -> tuple[Any, ...]:
    delivery = new.parked.delivery
    return (
        *new.key,
        delivery.id,
        delivery.replay,
        delivery.attempt,
        queued_at_us(new.parked, now_us),
        new.parked.reason,
        delivery.SerializeToString(),
        new.is_claimed,
        new.bound,
    )


def queued_at_us(parked: ParkedDelivery, now_us: int) -> int:
    """Return the place of a delivery among those of its endpoint: when it is due, or in which order it came."""
    match parked.reason:
        case Reason.IN_ORDER:
            return parked.delivery.accepted_at_us + _SETTLE_US
        case Reason.POLLED:
            return 0
    return parked.due_us or now_us


def _wake_us(state: EndpointState, added: Sequence[ParkedDelivery], now_us: int) -> int | None:
    """Return when a process must look at an endpoint because of new rows; None: it need not."""
    waking = [queued_at_us(one, now_us) for one in added if one.reason not in _AT_REST]
    if not waking:
        return None
    if state.health.state == breaker.OPEN:
        return state.health.next_probe_us
    return max(min(waking), state.held_until_us)


def _ended_columns(row: Row) -> tuple[Any, ...]:
    return row.key.endpoint_id, row.delivery.id, row.delivery.replay, row.revision


def _kept_columns(kept: Kept) -> tuple[Any, ...]:
    delivery = kept.delivery
    return (
        *_ended_columns(kept.row),
        delivery.attempt,
        kept.due_us,
        kept.reason,
        delivery.SerializeToString(),
        kept.probes,
    )
