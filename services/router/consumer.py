"""Reads EVENTS, routes each event, and stores its deliveries and the record of the decision before it acknowledges."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, nats, pulling, telemetry, tracing
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from runtime.parts import OwnParts
from runtime.retrying import RetryUntilAccepted, failure_of
from services.domain import channels, topology
from services.domain.reasons import Reason
from services.domain.trace import TraceWriter
from services.router.catalog import Catalog
from services.router.route import Circumstances, Plan, route

_MAX_HELD = 512
# Events of one consumer that may wait for an owner that is away, while others are routed from memory.
_MAX_ASIDE = 1024

_ROUTED = Counter("clarion_routed_total", "Deliveries planned, by channel and decision.", ["channel", "decision"])

_UNREADABLE = Counter("clarion_events_unreadable_total", "Messages on EVENTS that are not an event, dropped.")

# Owners' errors that will not change, and the reason that is recorded.
_FINAL_ERRORS = {Code.NOT_FOUND: Reason.TENANT_UNKNOWN, Code.INVALID: Reason.UNROUTABLE}

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Routed:
    """A message, its event, and the decision."""

    held: pulling.Held
    event: event_pb2.Event
    plan: Plan


@dataclass(frozen=True, slots=True)
class _Unstored:
    """What may not be stored of a decision, and the error."""

    routed: _Routed
    deliveries: list[nats.Outgoing]
    records: list[trace_pb2.TraceRecord]
    failure: ClarionError


class RouterConsumer:
    """Routes one process's share of the events. Routing an event twice is harmless: its deliveries get the same ids."""

    def __init__(
        self, connection: Client, catalog: Catalog, *, own: OwnParts | None = None, now: clock.Clock = clock.now_us
    ) -> None:
        self._catalog = catalog
        self._own = own or OwnParts()
        self._deliveries = nats.StreamPublisher(connection)
        self._trace = TraceWriter(nats.StreamPublisher(connection))
        self._retry_until_accepted = RetryUntilAccepted()
        self._now = now
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
        """Route the events that need no owner together; a slow owner must not delay them."""
        started = self._now()
        routed: list[_Routed] = []
        for held in batch:
            try:
                event = await _read(held)
                if event is None:
                    continue
                known = (
                    None if event.HasField("pinned") else self._catalog.from_memory(event.tenant_id, event.event_type)
                )
                if known is not None:
                    routed.append(_Routed(held, event, self._plan(held, event, known)))
                    continue
            except Exception:  # our own fault delays this event alone; it is delivered again
                log.exception("route_crashed", sequence=held.sequence)
                held.release()
                continue
            self._start(self._handle_unknown(held, event, started))
        if routed:
            await self._conclude(routed, started)

    async def _handle_unknown(self, held: pulling.Held, event: event_pb2.Event, started: int) -> None:
        try:
            with held.span.current():
                circumstances = await self._own.until_answered(partial(self._circumstances, event), aside=held)
            plan = self._plan(held, event, circumstances)
        except ClarionError as error:
            if error.code not in _FINAL_ERRORS:
                _release(held, event, error)
                return
            log.error("event_unroutable", event_id=event.id, tenant_id=event.tenant_id, error=error.detail)
            plan = Plan([], trace_pb2.Routed(reason=_FINAL_ERRORS[error.code]))
        except Exception:  # as in _handle()
            log.exception("route_crashed", event_id=event.id)
            held.release()
            return
        await self._conclude([_Routed(held, event, plan)], started)

    def _plan(self, held: pulling.Held, event: event_pb2.Event, circumstances: Circumstances) -> Plan:
        return route(event, circumstances, self._now(), self._catalog.suppression, sequence=held.sequence)

    async def _circumstances(self, event: event_pb2.Event) -> Circumstances:
        """Return what routing the event needs. Raises PartAway."""
        if event.HasField("pinned"):
            return await self._catalog.pinned(event)
        return await self._catalog.circumstances(event.tenant_id, event.event_type)

    async def _conclude(self, routed: list[_Routed], started: int) -> None:
        """Store the decisions, then acknowledge."""
        try:
            if unstored := await self._store(routed, started):
                # One by one, so that a message that the broker never accepts delays nothing else.
                for one in unstored:
                    self._start(self._store_until_accepted(one, started))
                return
            for done in routed:
                await self._finish(done, started)
        except Exception:  # our own fault: release all events
            log.exception("routing_crashed", events=len(routed))
            for left in routed:
                left.held.release()

    async def _store(self, routed: list[_Routed], started: int) -> list[_Unstored]:
        """Return what the broker may not have accepted: all deliveries, or all records, even if it accepted some."""
        ended = self._now()
        records = [_record(one, started, ended) for one in routed]
        deliveries = [[_outgoing(delivery, one.held.span) for delivery in one.plan.deliveries] for one in routed]
        of_deliveries, of_records = await asyncio.gather(
            failure_of(partial(self._deliveries.publish_all, [one for some in deliveries for one in some])),
            failure_of(partial(self._trace.write_all, records)),
        )
        failure = of_deliveries or of_records
        if failure is None:
            return []
        return [
            _Unstored(one, some if of_deliveries else [], [record] if of_records else [], failure)
            for one, some, record in zip(routed, deliveries, records, strict=True)
        ]

    async def _store_until_accepted(self, unstored: _Unstored, started: int) -> None:
        """Retry until everything is stored; the event stays unacknowledged.

        If it were routed again, it would publish everything again, and after the duplicate window that is stored twice.
        """
        held, event = unstored.routed.held, unstored.routed.event
        works: list[Callable[[], Awaitable[object]]] = [
            *[partial(self._deliveries.publish, one) for one in unstored.deliveries],
            *[partial(self._trace.write, one) for one in unstored.records],
        ]
        try:
            await asyncio.gather(
                *[self._retry_until_accepted(work, unstored.failure, event_id=event.id) for work in works]
            )
            await self._finish(unstored.routed, started)
        except ClarionError as error:  # the process is to end
            _release(held, event, error)
        except Exception:  # as in _conclude()
            log.exception("routing_crashed", event_id=event.id)
            held.release()

    async def _finish(self, one: _Routed, started: int) -> None:
        if tracing.is_on():
            for name, value in (("tenant_id", one.event.tenant_id), ("event_id", one.event.id)):
                one.held.span.set(f"clarion.{name}", value)
        await one.held.ack()
        self._report(one, started)

    def _report(self, one: _Routed, started: int) -> None:
        event, routed = one.event, one.plan.routed
        decisions = {channels.NAMES[planned.channel]: planned.reason or "queued" for planned in routed.deliveries}
        for channel, decision in decisions.items():
            telemetry.labelled(_ROUTED, channel, decision).inc()
        log.info(
            "routed",
            event_id=event.id,
            tenant_id=event.tenant_id,
            event_type=event.event_type,
            trace_id=event.trace_id,
            reason=routed.reason,
            wait_ms=(started - event.accepted_at_us) / 1000,
            ms=(self._now() - started) / 1000,
            **decisions,
        )


def _record(one: _Routed, started: int, ended: int) -> trace_pb2.TraceRecord:
    return trace_pb2.TraceRecord(
        event_id=one.event.id,
        tenant_id=one.event.tenant_id,
        at_us=ended,
        duration_us=ended - started,
        routed=one.plan.routed,
    )


def _outgoing(delivery: event_pb2.Delivery, span: tracing.Span) -> nats.Outgoing:
    subject = topology.delivery_subject(delivery.channel, delivery.tenant_id)
    return nats.Outgoing(subject, delivery.SerializeToString(), msg_id=delivery.id, span=span)


async def _read(held: pulling.Held) -> event_pb2.Event | None:
    """Return the message's event; None: it is not an event, and was dropped, else it would come again for ever."""
    try:
        event = event_pb2.Event.FromString(held.data)
    except DecodeError:
        event = event_pb2.Event()
    if is_uuid(event.id) and is_uuid(event.tenant_id) and event.event_type:  # other bytes may parse as an event, too
        return event
    _UNREADABLE.inc()
    log.error("event_unreadable", sequence=held.sequence, subject=held.subject)
    await held.ack()
    return None


def _release(held: pulling.Held, event: event_pb2.Event, error: ClarionError) -> None:
    log.warning("event_released", event_id=event.id, error=error.detail, code=error.code.name)
    held.release()
