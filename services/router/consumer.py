"""Reads EVENTS, plans each event, and stores its deliveries and the record of the decision before it acknowledges."""

import asyncio
from collections import Counter as Counted
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, nats, pulling, telemetry, tracing
from runtime.batching import Batcher, BatchLimits
from runtime.errors import ClarionError, Code
from runtime.gate import Gate
from runtime.ids import is_uuid
from runtime.parts import POSTGRES, OwnParts
from runtime.retrying import RetryUntilAccepted, failure_of
from services.domain import channels, delivery_ids, topology
from services.domain.earlier_events import modernise
from services.domain.trace import TraceWriter
from services.router import fan_out, messages, people
from services.router.catalog import Catalog
from services.router.definitions import Definition
from services.router.messages import Plan
from services.router.pace import Pace
from services.router.planner import EventPlanner
from services.router.policies import Erased
from services.router.ports import NewRun, Runs, StoredRecipients
from services.router.runs import erase
from services.router.runs.run import WAITING, first_state, has_run, is_large

_MAX_HELD = 512
# Events of one consumer that may wait for an owner that is away, while others are planned from memory.
_MAX_ASIDE = 1024
# Events to several recipients or endpoints that are planned and not yet stored, each with up to 300 deliveries to
# people and as many to endpoints: of one tenant, and of all. Others wait as events. A waiting event is in hand or
# aside, so their number is bounded elsewhere.
_PLANNED_PER_TENANT, _PLANNED = 8, 32
# The same of events to more endpoints than that, up to services.domain.endpoints.MAX_SUBSCRIBERS.
_MANY_ENDPOINTS = 300
_LARGE_PER_TENANT, _LARGE = 1, 4
_UNBOUNDED = 1_000_000
# Bytes of the events whose runs are stored together.
_MAX_KEPT_BYTES = 4 * 1024 * 1024
# Deliveries that wait to be stored: more than all that are planned at a time.
_MAX_WAITING = 60_000

_ROUTED = Counter("clarion_routed_total", "Deliveries planned, by channel and decision.", ["channel", "decision"])

_UNREADABLE = Counter("clarion_events_unreadable_total", "Messages on EVENTS that are not an event, dropped.")

_OF_LATER_VERSION = Counter(
    "clarion_events_of_later_version_total", "Events released, because only a later version can plan them."
)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Decided:
    """A message, its event, and what was decided about it.

    records: without ids and times.
    """

    held: pulling.Held
    event: event_pb2.Event
    deliveries: Sequence[event_pb2.Delivery]
    records: Sequence[trace_pb2.TraceRecord]


@dataclass(frozen=True, slots=True)
class _Unstored:
    """What may not be stored of a decision, and the error."""

    decided: _Decided
    deliveries: list[nats.Outgoing]
    records: Sequence[trace_pb2.TraceRecord]
    failure: ClarionError


class RouterConsumer:
    """Plans one process's share of the events. Planning an event twice is harmless: its deliveries get the same ids.

    erased: Erasures.refusal_of. runs: keeps the events that are planned later, or page by page.
    """

    def __init__(
        self,
        connection: Client,
        catalog: Catalog,
        planner: EventPlanner,
        recipients: StoredRecipients,
        runs: Runs,
        *,
        erased: Erased,
        own: OwnParts | None = None,
        pace: Pace | None = None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._catalog = catalog
        self._planner = planner
        self._stored_people = people.StoredPeople(recipients)
        self._runs = runs
        self._erased = erased
        self._beginning: Batcher[NewRun, None] = Batcher(
            self._begin, BatchLimits(bytes=_MAX_KEPT_BYTES), size=lambda new: new.event.ByteSize()
        )
        self._own = own or OwnParts()
        self._pace = pace or Pace()
        self._many = Gate(per_caller=_PLANNED_PER_TENANT, total=_PLANNED, waiting=_UNBOUNDED)
        self._large = Gate(per_caller=_LARGE_PER_TENANT, total=_LARGE, waiting=_UNBOUNDED)
        self._deliveries = nats.StreamPublisher(connection, max_waiting=_MAX_WAITING)
        self._trace = TraceWriter(nats.StreamPublisher(connection))
        self._retry_until_accepted = RetryUntilAccepted()
        self._now = now
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._pullers = [
            pulling.Puller(
                connection,
                consumer.stream,
                consumer.name,
                max_held=_MAX_HELD,
                max_aside=_MAX_ASIDE,
                ack_wait=topology.ACK_WAIT_S,
                spans=True,
            )
            for consumer in topology.router_consumers()
        ]

    async def run(self) -> None:
        """Route until drain()."""
        async with asyncio.TaskGroup() as group:
            for puller in self._pullers:
                group.create_task(self._consume(puller))

    async def drain(self) -> None:
        """Stop reading; run() returns when all received events are routed, or released while the broker is away."""
        self._stopping = True
        for puller in self._pullers:
            puller.stop()
        self._retry_until_accepted.stop()
        self._own.stop()

    async def _consume(self, puller: pulling.Puller) -> None:
        async for batch in puller.batches():
            self._start(self._handle(batch))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, batch: list[pulling.Held]) -> None:
        """Plan the events that need nothing but memory together; a slow owner must not delay them."""
        started = self._now()
        decided: list[_Decided] = []
        for held in batch:
            try:
                event = await _read(held)
                if event is None:
                    continue
                if (planned := self._planned_at_once(event, held.sequence)) is not None:
                    decided.append(_decided(held, event, planned))
                    continue
            except Exception:  # our own fault delays this event alone; it is delivered again
                log.exception("route_crashed", sequence=held.sequence)
                held.release()
                continue
            work = self._keep if has_run(event) else self._plan_alone
            if not is_large(event):
                self._pace.saw_others()
            self._start(self._handle_alone(held, event, partial(work, held, event, started)))
        if decided:
            self._pace.saw_others()
            await self._conclude(decided, started)

    def _planned_at_once(self, event: event_pb2.Event, sequence: int) -> Plan | None:
        """Return the plan of an event to its only recipient and a few endpoints; None: it needs more than memory."""
        if event.audience or event.exclusions or event.due_at_us:
            return None
        definition = self._catalog.at_hand(event)
        if definition is None:
            return None
        return self._planner.at_once(event, definition, people.only_recipient(event), sequence=sequence)

    async def _handle_alone(
        self, held: pulling.Held, event: event_pb2.Event, work: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            await work()
        except ClarionError as error:
            _release(held, event, error)
        except Exception:  # as in _handle()
            log.exception("route_crashed", event_id=event.id)
            held.release()

    async def _plan_alone(self, held: pulling.Held, event: event_pb2.Event, started: int) -> None:
        """Plan an event that needs an owner, stored recipients, or more room than others."""
        with held.span.current():
            definition, found = await self._own.until_answered(partial(self._facts, event), aside=held)
        async with self._place(held, event, definition):
            named = people.named_directly(event, found)
            planned = await self._planner.whole(event, definition, named, sequence=held.sequence)
            await self._conclude([_decided(held, event, planned)], started)

    async def _facts(self, event: event_pb2.Event) -> tuple[Definition, people.Found]:
        """Return what the event means, and the stored recipients that it names. Raises PartAway."""
        definition = await self._catalog.of_event(event)
        if not (wanted := people.named_ids(event)):
            return definition, {}
        return definition, await self._own.ask(POSTGRES, partial(self._stored_people.find, wanted))

    @asynccontextmanager
    async def _place(self, held: pulling.Held, event: event_pb2.Event, definition: Definition) -> AsyncIterator[None]:
        """Hold the right to plan the event: of those to several people or endpoints only some are planned at a time.

        Raises UNAVAILABLE after drain().
        """
        gate = self._gate(event, definition)
        async with AsyncExitStack() as stack:
            if gate is not None:
                held.set_aside()
                try:
                    await stack.enter_async_context(gate.enter(event.tenant_id))
                finally:
                    held.take_back()
                if self._stopping:  # in turn they might take minutes while the broker is away
                    raise ClarionError(Code.UNAVAILABLE, "This process is to end.")
            yield

    def _gate(self, event: event_pb2.Event, definition: Definition) -> Gate | None:
        endpoints = len(fan_out.endpoint_ids(event, definition))
        if endpoints > _MANY_ENDPOINTS:
            return self._large
        return self._many if endpoints > 1 or len(event.audience) > 1 else None

    async def _keep(self, held: pulling.Held, event: event_pb2.Event, started: int) -> None:
        """Hand the event to its run, which plans it later, or page by page; without who was erased meanwhile."""

        async def begin() -> bool:
            left = erase.without_all(event, lambda user_id: self._is_erased(event, user_id))
            if left is not None:
                await self._own.ask(POSTGRES, partial(self._beginning.submit, NewRun(left, held.sequence)))
            return left is not None

        with held.span.current():
            is_kept = await self._own.until_answered(begin, aside=held)
        if not is_kept:
            await self._plan_alone(held, event, started)  # which says why nobody gets it
            return
        records = []
        if first_state(event, started) == WAITING:
            waiting = trace_pb2.Waiting(until_us=event.due_at_us)
            records = [trace_pb2.TraceRecord(event_id=event.id, tenant_id=event.tenant_id, waiting=waiting)]
        await self._conclude([_Decided(held, event, (), records)], started)

    def _is_erased(self, event: event_pb2.Event, user_id: str) -> bool:
        return bool(self._erased(event.tenant_id, user_id, event.accepted_at_us))

    async def _begin(self, new: Sequence[NewRun]) -> Sequence[None]:
        await self._runs.begin(new)
        return [None] * len(new)

    async def _conclude(self, decided: list[_Decided], started: int) -> None:
        """Store the decisions, then acknowledge."""
        try:
            if unstored := await self._store(decided, started):
                # One by one, so that a message that the broker never accepts delays nothing else.
                await asyncio.gather(*[self._store_until_accepted(one, started) for one in unstored])
                return
            for done in decided:
                await self._finish(done, started)
        except Exception:  # our own fault: release all events
            log.exception("routing_crashed", events=len(decided))
            for left in decided:
                left.held.release()

    async def _store(self, decided: list[_Decided], started: int) -> list[_Unstored]:
        """Return what the broker may not have accepted: all deliveries, or all records, even if it accepted some."""
        ended = self._now()
        records = [record for one in decided for record in one.records]
        for record in records:
            record.at_us = ended
            record.duration_us = ended - started
        deliveries = [[_outgoing(delivery, one.held.span) for delivery in one.deliveries] for one in decided]
        of_deliveries, of_records = await asyncio.gather(
            failure_of(partial(self._deliveries.publish_all, [one for some in deliveries for one in some])),
            failure_of(partial(self._trace.write_all, records)),
        )
        failure = of_deliveries or of_records
        if failure is None:
            return []
        return [
            _Unstored(one, some if of_deliveries else [], one.records if of_records else (), failure)
            for one, some in zip(decided, deliveries, strict=True)
        ]

    async def _store_until_accepted(self, unstored: _Unstored, started: int) -> None:
        """Retry until everything is stored; the event stays unacknowledged.

        If it were planned again, it would publish everything again, and after the duplicate window store it twice.
        """
        held, event = unstored.decided.held, unstored.decided.event
        works: list[Callable[[], Awaitable[object]]] = [
            *[partial(self._deliveries.publish, one) for one in unstored.deliveries],
            *[partial(self._trace.write, one) for one in unstored.records],
        ]
        try:
            await asyncio.gather(
                *[self._retry_until_accepted(work, unstored.failure, event_id=event.id) for work in works]
            )
            await self._finish(unstored.decided, started)
        except ClarionError as error:  # the process is to end
            _release(held, event, error)
        except Exception:  # as in _conclude()
            log.exception("routing_crashed", event_id=event.id)
            held.release()

    async def _finish(self, one: _Decided, started: int) -> None:
        if tracing.is_on():
            for name, value in (("tenant_id", one.event.tenant_id), ("event_id", one.event.id)):
                one.held.span.set(f"clarion.{name}", value)
        await one.held.ack()
        self._report(one, started)

    def _report(self, one: _Decided, started: int) -> None:
        """Count and log what was decided: of each channel, or of several deliveries of one how many were sent."""
        event = one.event
        planned = [planned for record in one.records for planned in record.routed.deliveries]
        decisions = [(channels.NAMES[each.channel], each.reason or "queued") for each in planned]
        for (channel, decision), number in Counted(decisions).items():
            telemetry.labelled(_ROUTED, channel, decision).inc(number)
        shown: dict[str, Any] = dict(decisions)
        if event.audience or len(shown) < len(decisions):
            shown = {"queued": len(one.deliveries), "skipped": len(planned) - len(one.deliveries)}
        log.info(
            "routed",
            event_id=event.id,
            tenant_id=event.tenant_id,
            event_type=event.event_type,
            trace_id=event.trace_id,
            reason=one.records[-1].routed.reason if one.records else "",
            wait_ms=(started - event.accepted_at_us) / 1000,
            ms=(self._now() - started) / 1000,
            **shown,
        )


def _decided(held: pulling.Held, event: event_pb2.Event, planned: Plan) -> _Decided:
    return _Decided(held, event, planned.deliveries, messages.records(event, planned))


def _outgoing(delivery: event_pb2.Delivery, span: tracing.Span) -> nats.Outgoing:
    subject = topology.delivery_subject(delivery.channel, delivery.tenant_id)
    return nats.Outgoing(subject, delivery.SerializeToString(), msg_id=delivery.id, span=span)


async def _read(held: pulling.Held) -> event_pb2.Event | None:
    """Return the message's event in today's form; None: it is not planned here.

    What is not an event is dropped, else it would come again for ever.
    """
    try:
        event = event_pb2.Event.FromString(held.data)
    except DecodeError:
        event = event_pb2.Event()
    if not (is_uuid(event.id) and is_uuid(event.tenant_id) and event.event_type):  # other bytes may parse as one, too
        _UNREADABLE.inc()
        log.error("event_unreadable", sequence=held.sequence, subject=held.subject)
        await held.ack()
        return None
    if not delivery_ids.is_known_scheme(event):
        _OF_LATER_VERSION.inc()
        log.warning("event_of_later_version", event_id=event.id, tenant_id=event.tenant_id, scheme=event.id_scheme)
        held.release()  # it is delivered again after ACK_WAIT_S, to a process of that version if one runs
        return None
    modernise(event)
    return event


def _release(held: pulling.Held, event: event_pb2.Event, error: ClarionError) -> None:
    log.warning("event_released", event_id=event.id, error=error.detail, code=error.code.name)
    held.release()
