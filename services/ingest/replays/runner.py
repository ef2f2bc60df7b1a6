"""Runs replays page by page, each page a transaction: any process continues where another one ended."""

import asyncio
import contextlib
import random
from collections.abc import Sequence

import asyncpg
from nats.aio.client import Client
from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, nats, postgres
from runtime.errors import ClarionError
from services.domain import topology
from services.ingest.replays.clone import clone_event, clone_for_endpoint, replayed_id
from services.ingest.replays.pages import ReplayPart
from services.ingest.replays.store import Claim, ReplayStore
from services.ingest.retries.publisher import DeliveryPublisher
from services.ingest.retries.store import Reopened

# Pauses, seconds: while no replay runs (another process may start one), and the longest while one runs.
_IDLE_S = 2.0
_BUSY_S = 0.5

_MARKING = (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, trace_pb2.DELIVERY_STATUS_DEAD)

_REPLAYED = Counter("clarion_replayed_total", "Events replayed by operators.")
_RETRIED = Counter("clarion_retried_total", "Deliveries sent again by replays under their ids.")

log = logs.get(__name__)


class ReplayPublisher:
    """Appends replayed events to EVENTS, with their ids as message ids."""

    def __init__(self, connection: Client) -> None:
        self._publisher = nats.StreamPublisher(connection)

    async def publish(self, events: Sequence[event_pb2.Event]) -> None:
        """Return when all are stored. Raises UNAVAILABLE or OVERLOADED; a repeat stores each once."""
        await self._publisher.publish_all(
            [
                nats.Outgoing(topology.event_subject(event.tenant_id), event.SerializeToString(), msg_id=event.id)
                for event in events
            ]
        )
        _REPLAYED.inc(len(events))


class ReplayRunner:
    """Runs one process's share of the replays."""

    def __init__(
        self,
        store: ReplayStore,
        publisher: ReplayPublisher,
        deliveries: DeliveryPublisher,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._deliveries = deliveries
        self._now = now
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for a due page now."""
        self._wake.set()

    async def run(self) -> None:
        """Run replays until cancelled."""
        while True:
            try:
                pause = await self._next()
            except (ClarionError, *postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("replay_waits", error=repr(error))
                pause = random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
                self._wake.clear()

    async def _next(self) -> float:
        """Send a page that is due; return the seconds to wait."""
        due = await self._store.until_next()
        if due is None:
            return _IDLE_S
        if due > 0:
            return min(due, _BUSY_S)
        counted = reopened = None
        async with self._store.claimed() as claim:
            if claim is None:  # another process has it
                return _BUSY_S * random.uniform(0.2, 1.0)  # noqa: S311
            if obstacle := await claim.obstacle():
                await claim.wait(obstacle)
            elif claim.replay.dead_letters:
                reopened = await self._letters_page(claim)
            elif claim.retries:
                reopened = await self._retry_page(claim)
            else:
                sent = await self._page(claim)
                counted = (claim.replay.tenant_id, len(sent), sum(event.weight for event in sent))
        # Not in the transaction, because every admission needs the row that it locks.
        if counted and counted[1]:
            await self._store.count_backlog(*counted)
        if reopened is not None:
            await self._store.count_backlog(*reopened)
        return 0.001

    async def _page(self, claim: Claim) -> list[event_pb2.Event]:
        """Send the next page; return its events."""
        page = await (claim.missed() if claim.replay.endpoint_id else claim.page())
        named = {replayed_id(claim.replay.id, part.id, part.key): part for part in page.parts}
        known = await claim.known(list(named)) if named else set()
        clones = {
            id_: event for id_, part in named.items() if id_ not in known and (event := self._clone(claim, part, id_))
        }
        events = list(clones.values())
        await self._publisher.publish(events)
        if page.parts and claim.replay.status in _MARKING and not claim.replay.endpoint_id:
            await claim.mark_dead_letters([part for part in page.parts if part.event is not None])
        replayed = len(events) + len(known)
        size = sum(part.size for id_, part in named.items() if id_ in known or id_ in clones)
        left_out = sum(_is_for_nobody(claim, part) for part in page.parts)
        unplayable = len(page.parts) - replayed - left_out
        if await claim.advance(page, replayed=replayed, unplayable=unplayable, size=size):
            _log_end(claim)
        return events

    async def _retry_page(self, claim: Claim) -> Reopened | None:
        """Send the next deliveries to endpoints again; return the events that this reopened."""
        page = await claim.ended()
        found = await claim.requeue(page.deliveries)
        await self._deliveries.publish(found.deliveries)
        _RETRIED.inc(len(found.deliveries))
        await claim.advance_retries(page, replayed=len(found.deliveries), unplayable=len(found.refused))
        if page.is_last:
            _log_end(claim)
        return found.reopened

    async def _letters_page(self, claim: Claim) -> Reopened | None:
        """Send the next dead letters again; return the events that this reopened."""
        found, page = await claim.letters()
        await self._deliveries.publish(found.deliveries)
        _RETRIED.inc(len(found.deliveries))
        if await claim.advance_letters(page, found):
            _log_end(claim)
        return found.reopened

    def _clone(self, claim: Claim, part: ReplayPart, id_: str) -> event_pb2.Event | None:
        if part.event is None or _is_for_nobody(claim, part):
            return None
        if claim.replay.endpoint_id:
            return clone_for_endpoint(part.event, id_, self._now(), claim.replay.endpoint_id)
        return clone_event(part.event, id_, self._now(), part.channels, part.destinations)


def _is_for_nobody(claim: Claim, part: ReplayPart) -> bool:
    """Return whether an event has nobody left whom the replay may send it to.

    It was for endpoints alone and none subscribed. Or the replay is for an endpoint, and the event is of another
    environment, or was sent by name to other endpoints, which may be another customer's.
    """
    event = part.event
    if event is None:
        return False
    if endpoint_id := claim.replay.endpoint_id:
        is_for_others = event.endpoints.is_named and endpoint_id not in event.endpoints.endpoint_ids
        return is_for_others or event.scope not in ("", claim.environment_id)
    return event.HasField("endpoints") and not (
        event.endpoints.endpoint_ids or event.HasField("recipient") or event.audience
    )


def _log_end(claim: Claim) -> None:
    log.info("replay_done", replay_id=claim.replay.id, tenant_id=claim.replay.tenant_id)
