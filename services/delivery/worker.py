"""Takes deliveries from DELIVERIES and TIMERS and makes one attempt at each.

The result of an attempt (its record, its retry, its dead letter) is stored before the message is acknowledged. The
message is held until then; a crash in between repeats the attempt. What is sent, and how, only the attempter knows.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, nats, parts, pulling, telemetry, tracing
from runtime.errors import ClarionError
from runtime.ids import is_uuid
from runtime.retrying import RetryUntilAccepted
from services.delivery import records, retry, timers
from services.delivery.attempts import (
    ATTEMPT_DEADLINE_S,
    Attempts,
    Conclusion,
    Made,
    Observer,
    Waits,
    log_outcome,
)
from services.delivery.ports import Attempter, Claims, Delays, ParkedDelivery, Parking, Refusal, UnknownDelivery
from services.delivery.slots import Slots
from services.domain import channels, topology
from services.domain.reasons import Reason
from services.domain.retry_policy import RetryPolicy
from services.domain.trace import TraceWriter

_DEFERRED = Counter("clarion_deferrals_total", "Deliveries deferred without an attempt.", ["channel", "reason"])
_PARKED = Counter("clarion_parked_total", "Deliveries that were put into a row to wait.", ["channel", "reason"])

# Bytes of the deliveries in hand of one consumer. A delivery holds a body of at most 4 KiB itself.
_LEAST_HELD_BYTES, _BYTES_OF_EACH = 8 * 1024 * 1024, 6 * 1024

# Deliveries of one consumer that wait for a part of Clarion which others may not need.
_MAX_ASIDE = 1024

# A delivery that crashes the worker is tried this often, each time after ACK_WAIT_S.
_MAX_CRASHES = 10

# A delivery that this version does not know is logged every so many times that it comes, about once a minute.
_LOG_UNKNOWN = 10

_UNREADABLE = Counter("clarion_deliveries_unreadable_total", "Dropped messages that are not deliveries.")
_UNKNOWN = Counter(
    "clarion_deliveries_unknown_total", "Deliveries left to processes of a later version, each time that they came."
)

# What is left to do of a delivery when its slot is free again.
_Rest: TypeAlias = Callable[[], Awaitable[None]]

log = logs.get(__name__)


class DeliveryWorker:
    """Makes the attempts of some channels' deliveries, as one of several processes.

    max_held: the most deliveries in hand of one consumer; slot_limit: the most of them in one slot (Attempter.slot).
    attempt_deadline_s: the most that Attempter.send may take. delays_s: replaces those of the channels' retry policies.
    delays: a delivery's own delays, which replace both. refusals: asked before each attempt; the first that gives a
    reason skips the delivery. observe: is called with each attempt that was made.
    parking: where deliveries wait, if their channels' policies park (RetryPolicy.parks).
    own: the parts of Clarion as this process sees them, shared with the attempter. A delivery that needs a part which
    is away waits in hand; that is no attempt.
    needs: the parts that every delivery needs. may_defer: the parts for which only as many deliveries wait as can be
    set aside; the rest goes to TIMERS. retry_scale: multiplies the times of all retry policies.
    """

    def __init__(
        self,
        connection: Client,
        channels: Sequence[event_pb2.Channel.ValueType],
        attempter: Attempter[Any],
        claims: Claims,
        *,
        delays_s: Sequence[float] | None = None,
        delays: Delays | None = None,
        retry_scale: float = 1.0,
        max_held: int = 256,
        slot_limit: int = 256,
        attempt_deadline_s: float = ATTEMPT_DEADLINE_S,
        refusals: Sequence[Refusal] = (),
        own: parts.OwnParts | None = None,
        needs: Sequence[str] = (),
        may_defer: Collection[str] = (),
        observe: Observer | None = None,
        parking: Parking | None = None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._trace = TraceWriter(nats.StreamPublisher(connection))
        self._timers = nats.StreamPublisher(connection)
        self._retry_until_accepted = RetryUntilAccepted()
        self._policies = _policies(channels, delays_s, retry_scale)
        self._own = own or parts.OwnParts()
        self._may_defer = may_defer
        self._parking = parking
        self._now = now
        # Its slots bound what waits in rows as well.
        self.attempts = Attempts(
            attempter,
            claims,
            self._policies,
            slots=Slots(slot_limit),
            deadline_s=attempt_deadline_s,
            delays=delays,
            refusals=refusals,
            own=self._own,
            needs=needs,
            observe=observe,
            now=now,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._pullers = [
            pulling.Puller(
                connection,
                consumer.stream,
                consumer.name,
                max_held=max_held,
                max_held_bytes=max(_LEAST_HELD_BYTES, max_held * _BYTES_OF_EACH),
                max_aside=_MAX_ASIDE,
                ack_wait=topology.ACK_WAIT_S,
                spans=True,
            )
            for channel in channels
            for consumer in topology.delivery_consumers(channel)
        ]

    async def run(self) -> None:
        """Work until drain()."""
        async with asyncio.TaskGroup() as group:
            for puller in self._pullers:
                group.create_task(self._consume(puller))

    async def drain(self) -> None:
        """Take no more deliveries and finish those in hand. What the broker does not store is delivered again."""
        for puller in self._pullers:
            puller.stop()
        self._retry_until_accepted.stop()
        self._own.stop()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _consume(self, puller: pulling.Puller) -> None:
        async for batch in puller.batches():
            for held in batch:
                task = asyncio.create_task(self._handle(held))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _handle(self, held: pulling.Held) -> None:
        """Handle one message: in the end it is acknowledged, or released to be delivered again."""
        with held.span.current():
            await self._handle_in_span(held)

    async def _handle_in_span(self, held: pulling.Held) -> None:
        delivery = _read(held)
        try:
            if delivery is None:  # it would be redelivered for ever
                _UNREADABLE.inc()
                log.error("delivery_unreadable", sequence=held.sequence, subject=held.subject)
                await held.ack()
                return
            if delivery.channel not in self._policies:
                raise UnknownDelivery(f"channel {delivery.channel}")
            telemetry.bind_trace(delivery.trace_id)
            if tracing.is_on():
                tracing.annotate(
                    tenant_id=delivery.tenant_id,
                    event_id=delivery.event_id,
                    delivery_id=delivery.id,
                    channel=channels.NAMES[delivery.channel],
                    attempt=delivery.attempt,
                    trace_id=delivery.trace_id,
                )
            finish = await self._attempt_when_answered(delivery, held)
            await finish()
            await held.ack()
        except ClarionError as error:
            # A part of Clarion is away while this process ends: the result is not stored, so the message is not acked.
            log.warning("delivery_released", error=error.detail, code=error.code.name)
            held.release()
        except UnknownDelivery as error:
            _UNKNOWN.inc()
            if held.deliveries % _LOG_UNKNOWN == 1:
                log.warning("delivery_unknown", sequence=held.sequence, subject=held.subject, error=str(error))
            held.release()
        except Exception as error:
            log.exception("delivery_crashed", sequence=held.sequence, subject=held.subject)
            if delivery is None or held.deliveries < _MAX_CRASHES:
                held.release()
            else:
                await self._make_dead_letter(delivery, held, error)

    async def _attempt_when_answered(self, delivery: event_pb2.Delivery, held: pulling.Held) -> _Rest:
        """Make the attempt once the parts that it needs answer; return what is left to do."""
        try:
            return await self._own.until_answered(
                partial(self._attempt, delivery, held), aside=held, only_aside=self._may_defer
            )
        except parts.CannotWait as away:
            if away.part == parts.LEDGER:  # its timer would ask the ledger as well
                raise
            return partial(self._defer, delivery, held, f"{away.part}_away")

    async def _attempt(self, delivery: event_pb2.Delivery, held: pulling.Held) -> _Rest:
        """Make the attempt, unless it must not be made; return what is left to do. Raises PartAway, UnknownDelivery."""
        parking, name = self._parking, _copy_name(delivery, held)
        may_have_row = parking is not None and _may_have_row(delivery, held)
        # Before the ledger is asked: what has no row any more is known there.
        if parking is not None and may_have_row and (row := await _own_row(parking, delivery, name)):
            return partial(self._record, [records.parked(row, self._now())], delivery)
        is_claimed = self.attempts.may_have_copies(delivery) or (may_have_row and delivery.attempt <= 1)
        if is_claimed:
            is_repeat = await self.attempts.is_repeat(delivery, name)
        else:
            is_repeat = may_have_row and await self.attempts.is_over(delivery)
        if is_repeat:
            return _repeat_dropped(delivery)
        # What is refused need not wait, and a row may outlive what refuses it.
        if parking is not None and (waiting := parking.must_wait(delivery)) and not self.attempts.refusal(delivery):
            return partial(self._park_instead, parking, waiting, held, is_claimed=is_claimed)
        attempt = await self.attempts.make(delivery, name, is_claimed=is_claimed)
        if isinstance(attempt, Made):
            return partial(self._finish, delivery, attempt)
        if not isinstance(attempt, Waits):
            return _repeat_dropped(delivery)
        return partial(self._wait, delivery, held, attempt, is_claimed=is_claimed)

    async def _wait(
        self, delivery: event_pb2.Delivery, held: pulling.Held, attempt: Waits, *, is_claimed: bool
    ) -> None:
        if self._parking is None:
            await self._defer(delivery, held, attempt.reason, at_least_s=attempt.at_least_s)
        else:
            await self._park_instead(self._parking, self._waiting(delivery, attempt), held, is_claimed=is_claimed)

    def _waiting(self, delivery: event_pb2.Delivery, attempt: Waits) -> ParkedDelivery:
        """Return how a delivery waits for which no attempt was made."""
        if attempt.is_parked:
            due_us = self._now() + int(attempt.at_least_s * 1_000_000) if attempt.at_least_s else 0
            return ParkedDelivery(delivery, attempt.reason, due_us)
        wait_s = attempt.at_least_s + retry.deferral_s(delivery.deferrals)
        delivery.deferrals += 1
        return ParkedDelivery(delivery, Reason.ENDPOINT_BUSY, self._now() + int(wait_s * 1_000_000))

    async def _finish(self, delivery: event_pb2.Delivery, made: Made) -> None:
        """Decide what follows the attempt, and store it: first the retry, because a record that names one must have it.

        That holds even after a long outage.
        """
        conclusion = self.attempts.conclude(delivery, made)
        if conclusion.retried is None:
            await self._record(conclusion.steps, delivery)
        elif self._parking is not None and conclusion.decision.is_parked:
            await self._park_retry(self._parking, delivery, conclusion.retried, conclusion)
        else:
            await self._schedule(conclusion.retried, conclusion.due_us)
            await self._record(conclusion.steps, delivery)
        log_outcome(delivery, conclusion.record)

    async def _park_retry(
        self, parking: Parking, delivery: event_pb2.Delivery, retried: event_pb2.Delivery, conclusion: Conclusion
    ) -> None:
        """Store a retry as a row, then the attempt's records and that it waits. Raises ClarionError on drain()."""
        parked = ParkedDelivery(retried, Reason.RETRY, conclusion.due_us)
        is_stored = False

        async def park() -> None:
            nonlocal is_stored
            is_stored = await parking.park(parked)

        await self._store(delivery, park)
        if is_stored:
            _PARKED.labels(channels.NAMES[delivery.channel], parked.reason).inc()
            last = records.parked(parked, self._now())
        else:
            conclusion.record.attempted.next_attempt_at_us = 0
            last = records.backlog_full(delivery, self._now())
        await self._record([*conclusion.steps, last], delivery)

    async def _park_instead(
        self, parking: Parking, parked: ParkedDelivery, held: pulling.Held, *, is_claimed: bool
    ) -> None:
        """Store a delivery as a row without an attempt, then that it waits. Without the database TIMERS keeps it."""
        delivery = parked.delivery
        if delivery.attempt <= 1:
            delivery.claim = _copy_name(delivery, held)
        try:
            is_stored = await parking.park(parked, is_claimed=is_claimed)
        except ClarionError:
            await self._defer(delivery, held, f"{parts.POSTGRES}_away")
            return
        if is_stored:
            _PARKED.labels(channels.NAMES[delivery.channel], parked.reason).inc()
            await self._record([records.parked(parked, self._now())], delivery)
            return
        delivery.ClearField("claim")
        record = records.backlog_full(delivery, self._now())
        await self._record([record], delivery)
        log_outcome(delivery, record)

    async def _record(self, steps: Sequence[trace_pb2.TraceRecord], delivery: event_pb2.Delivery) -> None:
        await self._store(delivery, lambda: self._trace.write_all(steps))

    async def _store(self, delivery: event_pb2.Delivery, store: Callable[[], Awaitable[object]]) -> None:
        """Store it, however often that must be tried: a released delivery would be attempted again.

        max_held bounds how many deliveries wait here. Raises ClarionError on drain().
        """
        await self._retry_until_accepted(store, delivery_id=delivery.id, event_id=delivery.event_id)

    async def _make_dead_letter(self, delivery: event_pb2.Delivery, held: pulling.Held, error: Exception) -> None:
        """Make a dead letter of a delivery that always crashes the worker: otherwise it would stay in the stream."""
        record = records.crashed(delivery, error, self._now())
        try:
            await self._store(delivery, lambda: self._trace.write(record))
        except ClarionError:
            held.release()
            return
        await held.ack()

    async def _defer(
        self, delivery: event_pb2.Delivery, held: pulling.Held, reason: str, *, at_least_s: float = 0.0
    ) -> None:
        due_us = self._now() + int((at_least_s + retry.deferral_s(delivery.deferrals)) * 1_000_000)
        _DEFERRED.labels(channels.NAMES[delivery.channel], reason).inc()
        delivery.deferrals += 1
        if delivery.attempt <= 1:
            delivery.claim = _copy_name(delivery, held)
        delivery.planned_at_us = due_us
        await self._schedule(delivery, due_us)

    async def _schedule(self, delivery: event_pb2.Delivery, due_us: int) -> None:
        timer = timers.timer(delivery, due_us)
        await self._store(delivery, lambda: self._timers.publish(timer))


def _may_have_row(delivery: event_pb2.Delivery, held: pulling.Held) -> bool:
    """Return whether the delivery may have been put into a row already.

    A process that died had the message; or the row was stored and the answer lost, so that the delivery was deferred.
    """
    return held.deliveries > 1 or delivery.deferrals > 0


async def _own_row(parking: Parking, delivery: event_pb2.Delivery, name: str) -> ParkedDelivery | None:
    """Return the row that this copy of the delivery has; None: there is none. Raises PartAway.

    A row with the name of another copy is not enough: if this one has the claim, the row would be dropped as a repeat.
    """
    row = await parking.find(delivery)
    return row if row is not None and (row.delivery.attempt > 1 or row.delivery.claim == name) else None


def _repeat_dropped(delivery: event_pb2.Delivery) -> Callable[[], Awaitable[None]]:
    """Return what is left to do for a copy that is not sent: nothing."""
    log.info("delivery_repeat_dropped", delivery_id=delivery.id, event_id=delivery.event_id)
    return _nothing_to_do


async def _nothing_to_do() -> None:
    """Do nothing."""


def _copy_name(delivery: event_pb2.Delivery, held: pulling.Held) -> str:
    """Return which copy of the delivery this is: see Delivery.claim.

    Empty: a worker of an earlier version deferred it, so the ledger may know the copy by a name that this is not.
    """
    return delivery.claim if held.subject.startswith("timers.") else f"{topology.DELIVERIES}.{held.sequence}"


def _read(held: pulling.Held) -> event_pb2.Delivery | None:
    """Return the message's delivery; None: the message is not a valid one."""
    try:
        delivery = event_pb2.Delivery.FromString(held.data)
    except DecodeError:
        return None
    return delivery if all(map(is_uuid, (delivery.id, delivery.event_id, delivery.tenant_id))) else None


def _policies(
    numbers: Sequence[event_pb2.Channel.ValueType], delays_s: Sequence[float] | None, scale: float
) -> Mapping[event_pb2.Channel.ValueType, RetryPolicy]:
    """Return the retry policy of each channel. delays_s: replaces theirs. scale: multiplies all times."""
    policies = {number: channels.BY_NUMBER[number].retry.scaled(scale) for number in numbers}
    if delays_s is None:
        return policies
    return {number: dataclasses.replace(policy, delays_s=tuple(delays_s)) for number, policy in policies.items()}
