"""Replays in PostgreSQL: their rows, and the events to replay."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import replays_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain.reasons import NOT_REPLAYED, Reason
from services.ingest.dead_letters.store import Letter, LetterFilter
from services.ingest.event_ids import lowest_id, lowest_since, lowest_until
from services.ingest.replays import letters
from services.ingest.replays.pages import EndedPage, ReplayPage, ReplayPart, StoredEvent, Subscribed
from services.ingest.replays.sql import (
    ENDED_OF_ENDPOINT,
    ENDED_OF_TENANT,
    EVENT_PAGE,
    EVENTS,
    LAST_ID,
    MISSED_PAGE,
    PAGE,
    QUERIES,
    SCANNED,
    replay_of,
)
from services.ingest.retries.delivery import RETRYABLE_SKIPS
from services.ingest.retries.store import Requeued, requeue


class ReplayStore:
    """Reads and writes replays. durable: a pool with durable commits. fast: one without, for the quota's count."""

    def __init__(self, durable: "asyncpg.Pool[asyncpg.Record]", fast: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._durable = durable
        self._fast = fast

    async def create(
        self, request: replays_pb2.StartReplayRequest, subscribed: Subscribed | None = None
    ) -> replays_pb2.Replay:
        """Store a new replay. Raises CONFLICT: the tenant has a running one; NOT_FOUND: no such tenant.

        subscribed: of a replay to an endpoint without a status.
        """
        if await self._durable.fetchrow(QUERIES.room, request.tenant_id) is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")
        try:
            row = await self._durable.fetchrow(
                QUERIES.insert_replay,
                new_id(),
                request.tenant_id,
                request.since_us,
                request.until_us,
                request.status,
                request.per_second,
                lowest_since(request.since_us),
                request.endpoint_id or None,
                request.event_type,
                subscribed.event_types if subscribed is not None else None,
                subscribed.environment_id if subscribed is not None else None,
                request.channel or None,
                request.reason,
                request.provider,
                EVENTS,
                0,
            )
        except asyncpg.UniqueViolationError as error:
            raise ClarionError(Code.CONFLICT, "Such a replay of this tenant is running; cancel it first.") from error
        return replay_of(row)

    async def get(self, replay_id: str) -> replays_pb2.Replay:
        """Return a replay. Raises NOT_FOUND."""
        return replay_of(await self._durable.fetchrow(QUERIES.replay, replay_id))

    async def create_of_letters(self, wanted: LetterFilter, until_us: int, per_second: int) -> list[replays_pb2.Replay]:
        """Store replays of dead letters; see services.ingest.replays.letters.create."""
        return [replay_of(row) for row in await letters.create(self._durable, wanted, until_us, per_second)]

    async def page_of(self, tenant_ids: list[str] | None, before: str | None, limit: int) -> list[replays_pb2.Replay]:
        """Return up to limit replays, newest first."""
        return [replay_of(row) for row in await self._durable.fetch(QUERIES.replays, tenant_ids, before, limit)]

    async def pause(self, replay_id: str) -> replays_pb2.Replay:
        """Pause a running replay. Raises NOT_FOUND, and CONFLICT: it is not running."""
        done = await self._durable.fetchval(QUERIES.pause_replay, replay_id)
        replay = await self.get(replay_id)
        if done is None:
            raise ClarionError(Code.CONFLICT, "This replay is not running.")
        return replay

    async def resume(self, replay_id: str) -> replays_pb2.Replay:
        """Let a paused replay go on. Raises NOT_FOUND, and CONFLICT: it is not paused, or another one like it runs."""
        try:
            done = await self._durable.fetchval(QUERIES.resume_replay, replay_id)
        except asyncpg.UniqueViolationError as error:
            detail = "Another replay like this one of this tenant is running; cancel it or wait for it first."
            raise ClarionError(Code.CONFLICT, detail) from error
        replay = await self.get(replay_id)
        if done is None:
            raise ClarionError(Code.CONFLICT, "This replay is not paused.")
        return replay

    async def cancel(self, replay_id: str) -> replays_pb2.Replay:
        """Cancel a running replay. Raises NOT_FOUND, and CONFLICT: it is not running."""
        done = await self._durable.fetchval(QUERIES.cancel_replay, replay_id)
        replay = await self.get(replay_id)
        if done is None:
            raise ClarionError(Code.CONFLICT, "This replay has ended.")
        return replay

    async def stored(self, event_id: str) -> StoredEvent:
        """Return an event. Raises NOT_FOUND, and CONFLICT: the tenant is inactive, or the event still waits."""
        row = await self._durable.fetchrow(QUERIES.payload, event_id)
        if row is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such event, or the ledger has not read it yet.")
        if not row["active"]:
            raise ClarionError(Code.CONFLICT, "The event's tenant is not active.")
        if row["is_waiting"]:
            raise ClarionError(
                Code.CONFLICT, "The event still waits for its time. It can be replayed when it was sent."
            )
        return StoredEvent(event_id, str(row["tenant_id"]), _event(row["event"]), row["is_shared"])

    async def recipients(self, event_id: str, destinations: Sequence[str]) -> set[str]:
        """Return which of these recipients an event with several recipients has."""
        rows = await self._durable.fetch(QUERIES.recipients, event_id, list(destinations))
        return {row["destination"] for row in rows}

    async def mark_recipients(self, event_id: str, destinations: Sequence[str], channels: list[int]) -> None:
        """Mark the dead letters of some of an event's recipients as replayed. channels: empty: all."""
        rows = await self._durable.fetch(QUERIES.deliveries_of, event_id, list(destinations), channels)
        await self._durable.execute(QUERIES.mark_dead_deliveries, [row["id"] for row in rows])

    async def mark_dead_letters(self, event_ids: list[str], channels: list[int]) -> None:
        """Mark the dead letters of these events as replayed. channels: empty: all."""
        await self._durable.execute(QUERIES.mark_dead_letters, event_ids, channels)

    async def count_backlog(self, tenant_id: str, events: int, size: int) -> None:
        """Add events and their bytes to the tenant's unfinished ones, as admission does."""
        await self._fast.execute(QUERIES.count_backlog, tenant_id, events, size)

    async def until_next(self) -> float | None:
        """Return the seconds until the next page of any replay is due; None: no replay runs."""
        seconds: float | None = await self._durable.fetchval(QUERIES.next_page)
        return seconds

    @asynccontextmanager
    async def claimed(self) -> "AsyncIterator[Claim | None]":
        """Lock one replay whose next page is due, in a transaction; None: there is none."""
        async with self._durable.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(QUERIES.claim)
            yield Claim(connection, row) if row is not None else None


class Claim:
    """A locked replay. All changes are in one transaction."""

    def __init__(self, connection: Any, row: asyncpg.Record) -> None:
        self._connection = connection
        self._row = row
        self.replay = replay_of(row)

    async def obstacle(self) -> str:
        """Return why the next page must wait, such as for new events; empty: it need not."""
        row = await self._connection.fetchrow(QUERIES.room, self.replay.tenant_id)
        if row is None or not row["active"]:
            return "tenant_inactive"
        is_busy = 2 * row["unfinished"] > row["most"] or 2 * row["unfinished_bytes"] > row["most_bytes"]
        return "backlog" if is_busy else ""

    async def wait(self, reason: str) -> None:
        """Store the reason, and try again in two seconds."""
        await self._connection.execute(QUERIES.wait, self.replay.id, reason)

    @property
    def environment_id(self) -> str:
        """The environment of the endpoint that this sends events to which it has missed."""
        return self._row["environment_id"] or ""

    @property
    def retries(self) -> bool:
        """Whether the next page holds deliveries to endpoints, which are sent again under their ids."""
        has_status = self.replay.status != trace_pb2.DELIVERY_STATUS_UNSPECIFIED
        return has_status and bool(self.replay.endpoint_id or self._row["stage"])

    async def ended(self) -> EndedPage:
        """Return the next deliveries to endpoints that ended as the replay says."""
        replay = self.replay
        is_skipped = replay.status == trace_pb2.DELIVERY_STATUS_SKIPPED
        is_early = str(self._row["position"]) < lowest_id(replay.since_us)
        is_filtered = is_skipped or is_early or bool(replay.event_type or replay.reason or replay.provider)
        rows = await self._connection.fetch(
            ENDED_OF_ENDPOINT if self.replay.endpoint_id else ENDED_OF_TENANT,
            self.replay.tenant_id,
            self.replay.endpoint_id or None,
            int(self.replay.status),
            self._row["position"],
            self._row["position_destination"] or LAST_ID,
            lowest_until(self.replay.until_us),
            list(RETRYABLE_SKIPS),
            SCANNED if is_filtered else PAGE,
            PAGE,
            replay.event_type,
            *self._narrowing(),
            *self._accepted(),
        )
        found = [row for row in rows if row["is_end"] is None]
        read = next(row for row in rows if row["is_end"] is not None)
        last = max(found, key=_place) if len(found) == PAGE else read
        if last["id"] is None:
            return EndedPage([], str(self._row["position"]), self._row["position_destination"], is_last=True)
        is_last = read["is_end"] and len(found) < PAGE
        return EndedPage([str(row["id"]) for row in found], str(last["event_id"]), str(last["id"]), is_last=is_last)

    async def letters(self) -> "tuple[Requeued, Sequence[Letter]]":
        """Note that the next dead letters are sent again; return them, and what was read."""
        return await letters.send_page(self._connection, self._row)

    async def advance_letters(self, page: "Sequence[Letter]", sent: Requeued) -> bool:
        """Store the new position; return whether this was the last page."""
        return await letters.advance(self._connection, self._row, page, sent)

    async def requeue(self, delivery_ids: Sequence[str]) -> Requeued:
        """Note that these deliveries to endpoints are sent again."""
        return await requeue(self._connection, self.replay.tenant_id, delivery_ids)

    async def missed(self) -> ReplayPage:
        """Return the next events of which the endpoint has no delivery."""
        own = self.replay.id[:13]
        rows = await self._connection.fetch(
            MISSED_PAGE,
            self.replay.tenant_id,
            self._row["position"],
            lowest_until(self.replay.until_us),
            SCANNED,
            PAGE,
            self._row["event_types"],
            self.replay.endpoint_id,
            f"{own}-0000-0000-000000000000",
            f"{own}-ffff-ffff-ffffffffffff",
            *self._accepted(),
        )
        found = sorted(row["id"] for row in rows if row["is_end"] is None)
        read = next(row for row in rows if row["is_end"] is not None)
        payloads = await self._payloads(found)
        parts = [ReplayPart(str(id_), payloads.get(id_)) for id_ in found]
        is_full = len(found) == PAGE
        position = str(found[-1] if is_full else read["id"] or self._row["position"])
        return ReplayPage(parts, position, None, is_last=read["is_end"] and not is_full)

    async def page(self) -> ReplayPage:
        """Return the next events."""
        end = lowest_until(self.replay.until_us)
        own = self.replay.id[:13]
        rows = await self._connection.fetch(
            EVENT_PAGE,
            self.replay.tenant_id,
            self._row["position"],
            end,
            SCANNED,
            PAGE,
            int(self.replay.status),
            self.replay.status == trace_pb2.DELIVERY_STATUS_SKIPPED,
            NOT_REPLAYED,
            Reason.NOT_REQUESTED,
            self._row["position_destination"],
            f"{own}-0000-0000-000000000000",
            f"{own}-ffff-ffff-ffffffffffff",
            self.replay.event_type,
            *self._narrowing(),
            *self._accepted(),
        )
        last = next(row for row in rows if row["is_end"] is not None)
        found = [row for row in rows if row["is_end"] is None]
        found.sort(key=lambda row: (row["id"].int, row["destination"] or ""))
        parts = await self._parts(found)
        if len(found) == PAGE:
            return ReplayPage(parts, str(found[-1]["id"]), found[-1]["destination"], is_last=False)
        position = str(last["id"] or self._row["position"])
        return ReplayPage(parts, position, None, is_last=last["is_end"])

    async def _parts(self, found: "list[asyncpg.Record]") -> list[ReplayPart]:
        """Return the events to make: one for all recipients of an event who missed it on the same channels."""
        payloads = await self._payloads(list({row["id"] for row in found}))
        grouped: dict[tuple[Any, ...], list[asyncpg.Record]] = {}
        for row in found:
            key = (row["id"], tuple(row["channels"]), row["destination"] is None)
            grouped.setdefault(key, []).append(row)
        return [
            ReplayPart(
                str(id_),
                payloads.get(id_),
                channels,
                None if is_whole else tuple(row["destination"] for row in rows),
                tuple(str(one) for row in rows for one in row["deliveries"]),
            )
            for (id_, channels, is_whole), rows in grouped.items()
        ]

    async def _payloads(self, event_ids: "list[uuid.UUID]") -> dict[uuid.UUID, event_pb2.Event | None]:
        rows = await self._connection.fetch(QUERIES.payloads, self.replay.tenant_id, event_ids)
        return {row["event_id"]: _event(row["event"]) for row in rows}

    async def known(self, event_ids: list[str]) -> set[str]:
        """Return which of these ids the ledger has: a crash may have interrupted a page."""
        return {str(row["id"]) for row in await self._connection.fetch(QUERIES.known, event_ids)}

    async def mark_dead_letters(self, parts: Sequence[ReplayPart]) -> None:
        """Mark the dead letters of these as replayed."""
        whole = [part.id for part in parts if not part.deliveries]
        await self._connection.execute(QUERIES.mark_dead_letters, whole, [])
        deliveries = [one for part in parts for one in part.deliveries]
        await self._connection.execute(QUERIES.mark_dead_deliveries, deliveries)

    async def advance(self, page: ReplayPage, *, replayed: int, unplayable: int, size: int) -> bool:
        """Store the new position; return whether this was the last page.

        The next page is due after the time that this one takes at per_second. size: recipients that it was sent to.
        After all events of a status the replay goes on with the deliveries to endpoints that ended so.
        """
        size = max(size, 1) if page.parts else 0
        if page.is_last and self.replay.status and not self.replay.endpoint_id:
            start = lowest_since(self.replay.since_us)
            await self._connection.execute(
                QUERIES.next_stage, self.replay.id, start, replayed, unplayable, self._seconds(size)
            )
            return False
        await self._advance(page.position, page.destination, page, replayed, unplayable, size)
        return page.is_last

    async def advance_retries(self, page: EndedPage, *, replayed: int, unplayable: int) -> None:
        """Store the new position, as advance() does."""
        await self._advance(page.event_id, page.delivery_id, page, replayed, unplayable, len(page.deliveries))

    async def _advance(
        self,
        position: str,
        destination: str | None,
        page: ReplayPage | EndedPage,
        replayed: int,
        unplayable: int,
        size: int,
    ) -> None:
        await self._connection.execute(
            QUERIES.advance,
            self.replay.id,
            position,
            replayed,
            unplayable,
            self._seconds(size),
            page.is_last,
            None if page.is_last else destination,
        )

    def _narrowing(self) -> tuple[int | None, str | None, str | None]:
        """Return the channel, the reason and the kind of provider that this is for; None: any."""
        return self.replay.channel or None, self.replay.reason or None, self.replay.provider or None

    def _accepted(self) -> tuple[datetime, datetime]:
        """Return from and before which time the events were accepted that this is for."""
        return self._row["since"], self._row["until"]

    def _seconds(self, size: int) -> float:
        return size / self.replay.per_second


def _place(row: asyncpg.Record) -> tuple[uuid.UUID, uuid.UUID]:
    return row["event_id"], row["id"]


def _event(raw: bytes | None) -> event_pb2.Event | None:
    return event_pb2.Event.FromString(raw) if raw is not None else None
