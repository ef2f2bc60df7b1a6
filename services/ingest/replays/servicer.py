"""Implements the gRPC service ReplayService with the replay store."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import replays_pb2, replays_pb2_grpc
from runtime import clock, logs, postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import audience, channels, statuses
from services.domain.checks import check_id, invalid, tenants_of
from services.domain.paging import page_limit
from services.ingest.database import database_errors
from services.ingest.dead_letters.store import filter_of
from services.ingest.ledger.recipients import recipient_ids_of
from services.ingest.replays.clone import clone_event
from services.ingest.replays.pages import StoredEvent, Subscribed
from services.ingest.replays.runner import ReplayPublisher, ReplayRunner
from services.ingest.replays.store import ReplayStore

NAME = "clarion.ingest.v1.ReplayService"

DEFAULT_PER_SECOND = 50
MAX_PER_SECOND = 1000
# Together with the rest of the call less than the gateway's deadline.
_CONCLUDE_S = 2.0
_MAX_TEXT = 255
# UNSPECIFIED: every event.
_STATUSES = (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, *statuses.REPLAYABLE)

log = logs.get(__name__)


class Subscriptions(Protocol):
    """What endpoints subscribe to."""

    async def of(self, tenant_id: str, endpoint_id: str) -> Subscribed:
        """Return the types that an endpoint subscribes to, perhaps none. Raises NOT_FOUND, UNAVAILABLE."""


class ReplayServicer(replays_pb2_grpc.ReplayServiceServicer):
    """See proto/clarion/ingest/v1/replays.proto."""

    def __init__(
        self,
        store: ReplayStore,
        publisher: ReplayPublisher,
        runner: ReplayRunner,
        subscriptions: Subscriptions | None = None,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        """subscriptions: None: this installation does not tell ingest where the router is."""
        self._subscriptions = subscriptions
        self._store = store
        self._publisher = publisher
        self._runner = runner
        self._now = now

    @database_errors
    async def ReplayEvent(
        self, request: replays_pb2.ReplayEventRequest, context: Any
    ) -> replays_pb2.ReplayEventResponse:
        """Replay one event."""
        check_id("event_id", request.event_id)
        if any(channel not in channels.BY_NUMBER for channel in request.channels):
            raise invalid("channels", f"must be some of {', '.join(channels.BY_PUBLIC_NAME)}")
        if len(request.recipients) > audience.MAX_TARGETS:
            raise invalid("recipients", f"must be at most {audience.MAX_TARGETS}")
        stored = await self._store.stored(request.event_id)
        if stored.event is None:
            raise ClarionError(Code.CONFLICT, "The event's content was deleted by retention.")
        destinations = await self._destinations(stored, stored.event, request.recipients)
        event = clone_event(stored.event, new_id(), self._now(), request.channels, destinations)
        if event is None:
            raise invalid("channels", "must be channels that the caller asked for")
        await self._publisher.publish([event])
        await self._conclude(event, request.channels, destinations)
        log.info("event_replayed", tenant_id=stored.tenant_id, event_id=event.id, replay_of=request.event_id)
        return replays_pb2.ReplayEventResponse(event_id=event.id, tenant_id=stored.tenant_id)

    async def _destinations(
        self, stored: StoredEvent, event: event_pb2.Event, user_ids: Sequence[str]
    ) -> Sequence[str] | None:
        """Return the recipients to narrow the replay to; None: the whole audience. Raises INVALID."""
        if not user_ids:
            return None
        destinations = list(map(audience.of_user, user_ids))
        if stored.is_shared:
            known = await self._store.recipients(stored.id, destinations)
        else:
            known = set(map(audience.of_user, recipient_ids_of(event)))
        if not known.issuperset(destinations):
            raise invalid("recipients", "must be user ids of the event's recipients")
        return destinations if stored.is_shared else None

    @database_errors
    async def StartReplay(
        self, request: replays_pb2.StartReplayRequest, context: Any
    ) -> replays_pb2.StartReplayResponse:
        """Start a replay of many events."""
        check_id("tenant_id", request.tenant_id)
        now = self._now()
        request.until_us = request.until_us or now
        request.per_second = request.per_second or DEFAULT_PER_SECOND
        if not request.since_us:
            raise invalid("since", "is required")
        if request.since_us >= request.until_us:
            raise invalid("since", "must be a time before until")
        if request.until_us > now:
            raise invalid("until", "must not be in the future")
        if not 1 <= request.per_second <= MAX_PER_SECOND:
            raise invalid("per_second", f"must be 1 to {MAX_PER_SECOND}")
        if request.status not in _STATUSES:
            raise invalid("status", f"must be all, {', '.join(map(statuses.name, statuses.REPLAYABLE))}")
        check_id("endpoint_id", request.endpoint_id, required=False)
        _check_narrowing(request)
        replay = await self._store.create(request, await self._subscribed(request))
        self._runner.wake()
        log.info("replay_started", tenant_id=replay.tenant_id, replay_id=replay.id)
        return replays_pb2.StartReplayResponse(replay=replay)

    async def _subscribed(self, request: replays_pb2.StartReplayRequest) -> Subscribed | None:
        """Return the events to send to an endpoint that has missed them; None: the replay is of another kind.

        Raises NOT_FOUND: no such endpoint; CONFLICT: it subscribes to nothing; UNAVAILABLE.
        """
        if not request.endpoint_id or request.status:
            return None
        if self._subscriptions is None:
            raise ClarionError(Code.UNAVAILABLE, "Ingest needs CLARION_ROUTER_ADDRESS to know what an endpoint gets.")
        found = await self._subscriptions.of(request.tenant_id, request.endpoint_id)
        if request.event_type:
            return Subscribed(found.environment_id, [request.event_type])
        if not found.event_types:
            raise ClarionError(Code.CONFLICT, "The endpoint subscribes to no event type.")
        return found

    @database_errors
    async def GetReplay(self, request: replays_pb2.GetReplayRequest, context: Any) -> replays_pb2.GetReplayResponse:
        """Return a replay's progress."""
        check_id("replay_id", request.replay_id)
        return replays_pb2.GetReplayResponse(replay=await self._store.get(request.replay_id))

    @database_errors
    async def ListReplays(
        self, request: replays_pb2.ListReplaysRequest, context: Any
    ) -> replays_pb2.ListReplaysResponse:
        """Return a page of replays."""
        check_id("cursor", request.cursor, required=False)
        limit = page_limit(request.limit)
        tenant_ids = tenants_of(request.tenant_id, request.tenant_ids)
        found = await self._store.page_of(tenant_ids, request.cursor or None, limit)
        return replays_pb2.ListReplaysResponse(replays=found, next_cursor=found[-1].id if len(found) == limit else "")

    @database_errors
    async def CancelReplay(
        self, request: replays_pb2.CancelReplayRequest, context: Any
    ) -> replays_pb2.CancelReplayResponse:
        """Cancel a replay."""
        check_id("replay_id", request.replay_id)
        replay = await self._store.cancel(request.replay_id)
        log.info("replay_cancelled", tenant_id=replay.tenant_id, replay_id=replay.id)
        return replays_pb2.CancelReplayResponse(replay=replay)

    @database_errors
    async def StartDeadLetterReplays(
        self, request: replays_pb2.StartDeadLetterReplaysRequest, context: Any
    ) -> replays_pb2.StartDeadLetterReplaysResponse:
        """Start replays of all dead letters that match."""
        per_second = request.per_second or DEFAULT_PER_SECOND
        if not 1 <= per_second <= MAX_PER_SECOND:
            raise invalid("per_second", f"must be 1 to {MAX_PER_SECOND}")
        wanted = filter_of(request.filter)
        # What dies again is left out, so that no replay goes on for ever.
        until_us = min(wanted.until_us or self._now(), self._now())
        found = await self._store.create_of_letters(wanted, until_us, per_second)
        self._runner.wake()
        for replay in found:
            log.info("replay_started", tenant_id=replay.tenant_id, replay_id=replay.id, found=replay.found)
        return replays_pb2.StartDeadLetterReplaysResponse(replays=found)

    @database_errors
    async def PauseReplay(
        self, request: replays_pb2.PauseReplayRequest, context: Any
    ) -> replays_pb2.PauseReplayResponse:
        """Hold a replay."""
        check_id("replay_id", request.replay_id)
        replay = await self._store.pause(request.replay_id)
        log.info("replay_paused", tenant_id=replay.tenant_id, replay_id=replay.id)
        return replays_pb2.PauseReplayResponse(replay=replay)

    @database_errors
    async def ResumeReplay(
        self, request: replays_pb2.ResumeReplayRequest, context: Any
    ) -> replays_pb2.ResumeReplayResponse:
        """Let a replay go on."""
        check_id("replay_id", request.replay_id)
        replay = await self._store.resume(request.replay_id)
        self._runner.wake()
        log.info("replay_resumed", tenant_id=replay.tenant_id, replay_id=replay.id)
        return replays_pb2.ResumeReplayResponse(replay=replay)

    async def _conclude(
        self, event: event_pb2.Event, channels: Sequence[int], destinations: Sequence[str] | None
    ) -> None:
        """Update the tables after sending. Errors are only logged, else the caller would replay again."""
        try:
            async with asyncio.timeout(_CONCLUDE_S):
                if destinations is None:
                    await self._store.mark_dead_letters([event.replay_of], list(channels))
                else:
                    await self._store.mark_recipients(event.replay_of, destinations, list(channels))
                # If this fails, the janitor's next count does it.
                await self._store.count_backlog(event.tenant_id, 1, event.weight)
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("replay_not_concluded", event_id=event.id, replay_of=event.replay_of, error=repr(error))


def _check_narrowing(request: replays_pb2.StartReplayRequest) -> None:
    """Raise INVALID if what the replay is narrowed to is wrong."""
    for name in ("event_type", "reason", "provider"):
        if len(getattr(request, name)) > _MAX_TEXT:
            raise invalid(name, f"must have at most {_MAX_TEXT} characters")
    if request.channel and request.channel not in channels.BY_NUMBER:
        raise invalid("channel", f"must be one of {', '.join(channels.BY_PUBLIC_NAME)}")
    if not request.status and (request.channel or request.reason or request.provider):
        raise invalid("status", "must be given with channel, reason or provider: these are of deliveries")
