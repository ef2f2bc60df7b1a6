"""Takes deliveries from DELIVERIES and TIMERS and makes one attempt at each.

The result of an attempt (its record, its retry, its dead letter) is stored before the message is acknowledged. The
message is held until then; a crash in between repeats the attempt. What is sent, and how, only the attempter knows.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, nats, parts, pulling, telemetry, tracing
from runtime.errors import ClarionError
from runtime.ids import is_uuid
from runtime.retrying import RetryUntilAccepted
from services.delivery import records, retry, timers
from services.delivery.claims import Claim, LedgerClaims
from services.delivery.ports import (
    NO_DETAILS,
    Attempter,
    Details,
    Prepared,
    Refusal,
    SendResult,
    UnknownDelivery,
    Verdict,
)
from services.delivery.slots import Slots
from services.domain import channels, statuses, topology
from services.domain.reasons import Reason
from services.domain.retry_policy import RetryPolicy
from services.domain.trace import TraceWriter

ATTEMPT_DEADLINE_S = 20.0

_UNDECIDED = (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, trace_pb2.DELIVERY_STATUS_QUEUED)

_ATTEMPTS = Counter("clarion_attempts_total", "Attempts by channel and status.", ["channel", "status"])
_DEFERRED = Counter("clarion_deferrals_total", "Deliveries deferred without an attempt.", ["channel", "reason"])
_LATENCY = Histogram(
    "clarion_delivery_seconds",
    "From an event's acceptance to its delivery's first success.",
    ["channel"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)

# A message that is sent is recorded within this time, and the clocks of processes differ by less, seconds.
_RECORDED_S = 10.0

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

log = logs.get(__name__)


class DeliveryWorker:
    """Makes the attempts of some channels' deliveries, as one of several processes.

    max_held: the most deliveries in hand of one consumer; slot_limit: the most of them in one slot (Attempter.slot).
    attempt_deadline_s: the most that Attempter.send may take. delays_s: replaces those of the channels' retry policies.
    refusals: asked before each attempt; the first that gives a reason skips the delivery.
    own: the parts of Clarion as this process sees them, shared with the attempter. A delivery that needs a part which
    is away waits in hand; that is no attempt.
    needs: the parts that every delivery needs. may_defer: the parts for which only as many deliveries wait as can be
    set aside; the rest goes to TIMERS.
    """

    def __init__(
        self,
        connection: Client,
        channels: Sequence[event_pb2.Channel.ValueType],
        attempter: Attempter[Any],
        claims: LedgerClaims,
        *,
        delays_s: Sequence[float] | None = None,
        max_held: int = 256,
        slot_limit: int = 256,
        attempt_deadline_s: float = ATTEMPT_DEADLINE_S,
        refusals: Sequence[Refusal] = (),
        own: parts.OwnParts | None = None,
        needs: Sequence[str] = (),
        may_defer: Collection[str] = (),
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._attempter = attempter
        self._claims = claims
        self._trace = TraceWriter(nats.StreamPublisher(connection))
        self._timers = nats.StreamPublisher(connection)
        self._retry_until_accepted = RetryUntilAccepted()
        self._policies = _policies(channels, delays_s)
        self._attempt_deadline_s = attempt_deadline_s
        self._young_us = int((topology.DUPLICATE_WINDOW_S - attempt_deadline_s - _RECORDED_S) * 1_000_000)
        self._refusals = refusals
        self._own = own or parts.OwnParts()
        self._needs = needs
        self._may_defer = may_defer
        self._slots = Slots(slot_limit)
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()
        self._pullers = [
            pulling.Puller(
                connection,
                consumer.stream,
                consumer.name,
                max_held=max_held,
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

    async def _attempt_when_answered(
        self, delivery: event_pb2.Delivery, held: pulling.Held
    ) -> Callable[[], Awaitable[None]]:
        """Make the attempt once the parts that it needs answer; return what is left to do."""
        try:
            return await self._own.until_answered(
                partial(self._attempt_in_slot, delivery, held), aside=held, only_aside=self._may_defer
            )
        except parts.CannotWait as away:
            if away.part == parts.LEDGER:  # its timer would ask the ledger as well
                raise
            return partial(self._defer, delivery, held, f"{away.part}_away")

    def _may_have_copies(self, delivery: event_pb2.Delivery) -> bool:
        """Return whether the broker may have stored the delivery twice before an attempt that starts now is recorded.

        Retries have none: the record of the attempt before tells the other copies.
        """
        age_us = self._now() - (delivery.decided_at_us or delivery.accepted_at_us)
        return age_us >= self._young_us and delivery.attempt <= 1

    async def _is_repeat(self, delivery: event_pb2.Delivery, held: pulling.Held) -> bool:
        """Return whether the delivery had its first attempt already, or another copy of it has claimed that.

        Raises PartAway, and UnknownDelivery for a status that this version does not know.
        """
        claim = Claim(delivery.id, delivery.replay, _copy(delivery, held))
        answer = await self._own.ask(parts.LEDGER, partial(self._claims.claim, claim))
        if answer.status in _UNDECIDED:
            return answer.is_held_by_another
        if answer.status not in statuses.BY_NUMBER:
            raise UnknownDelivery(f"status {answer.status}")
        return True

    async def _attempt_in_slot(self, delivery: event_pb2.Delivery, held: pulling.Held) -> Callable[[], Awaitable[None]]:
        """Make the attempt in a slot; return what is left to do without the slot. Raises PartAway.

        The needed parts are checked first: while one is away, every delivery without a slot would go to TIMERS, which
        has no bound.
        """
        is_claimed = self._may_have_copies(delivery)
        if is_claimed and await self._is_repeat(delivery, held):
            return _repeat_dropped(delivery)
        slot, size = self._attempter.slot(delivery), delivery.body_reference.size
        self._own.check(*self._needs)
        if not await self._slots.enter(slot, size):
            return partial(self._defer, delivery, held, "no_slot")
        try:
            return await self._attempt(delivery, held, is_claimed=is_claimed)
        finally:
            self._slots.leave(slot, size)

    async def _attempt(
        self, delivery: event_pb2.Delivery, held: pulling.Held, *, is_claimed: bool
    ) -> Callable[[], Awaitable[None]]:
        """Make the attempt; return what is left to do without the slot. Raises PartAway, UnknownDelivery."""
        started = self._now()
        for refuse in self._refusals:
            if reason := refuse(delivery):
                skipped = SendResult(Verdict.SKIPPED, provider="", reason=reason)
                return partial(self._finish, delivery, skipped, started, started)
        prepared, details = await self._attempter.prepare(delivery), NO_DETAILS
        prepared_at = self._now()
        if isinstance(prepared, Prepared):
            is_late = not is_claimed and self._may_have_copies(delivery)  # preparing it took long
            if is_late and await self._is_repeat(delivery, held):
                return _repeat_dropped(delivery)
            result, details = await self._send(delivery, prepared.message), prepared.details
        else:
            result = prepared
        if retry.is_postponed(result, delivery.deferrals, self._policies[delivery.channel]):
            return partial(self._defer, delivery, held, result.reason, at_least_s=result.retry_after_s)
        return partial(self._finish, delivery, result, started, prepared_at, details)

    async def _send(self, delivery: event_pb2.Delivery, message: object) -> SendResult:
        try:
            async with asyncio.timeout(self._attempt_deadline_s):
                return await self._attempter.send(delivery, message)
        except parts.PartAway:  # no attempt was made
            raise
        except TimeoutError:
            return SendResult(Verdict.TRANSIENT, provider="", reason=Reason.PROVIDER_TIMEOUT)
        except Exception as error:  # a fault of ours must end as a recorded attempt, not as a crash loop
            log.exception("attempt_failed", delivery_id=delivery.id, event_id=delivery.event_id)
            return SendResult(Verdict.TRANSIENT, provider="", reason=Reason.INTERNAL_ERROR, detail=type(error).__name__)

    async def _finish(
        self,
        delivery: event_pb2.Delivery,
        result: SendResult,
        started: int,
        prepared_at: int,
        details: Details = NO_DETAILS,
    ) -> None:
        """Decide what follows the attempt, and store it."""
        decision = retry.decide(result, delivery.attempt, self._policies[delivery.channel])
        times = records.AttemptTimes(started, prepared_at, self._now())
        record = records.attempted(delivery, result, decision.status, times, details)
        await self._store_outcome(delivery, decision, [*records.earlier_calls(delivery, result), record])
        self._log_outcome(delivery, decision, record)

    async def _store_outcome(
        self, delivery: event_pb2.Delivery, decision: retry.Decision, steps: Sequence[trace_pb2.TraceRecord]
    ) -> None:
        """Store the attempt's records and its retry or dead letter. The last record is the attempt's own."""
        record = steps[-1]
        delivery.ClearField("claim")  # its first attempt is over
        if decision.status == trace_pb2.DELIVERY_STATUS_DEAD:
            record.attempted.dead_letter.CopyFrom(delivery)
        if decision.status != trace_pb2.DELIVERY_STATUS_RETRYING:
            await self._store(delivery, lambda: self._trace.write_all(steps))
            return
        due_us = self._now() + int(decision.delay_s * 1_000_000)
        record.attempted.next_attempt_at_us = due_us
        retried = event_pb2.Delivery()
        retried.CopyFrom(delivery)
        retried.attempt += 1
        retried.planned_at_us = due_us
        # The timer first: a record that names a next attempt must have one, even after a long outage.
        await self._schedule(retried, due_us)
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
            delivery.claim = _copy(delivery, held)
        delivery.planned_at_us = due_us
        await self._schedule(delivery, due_us)

    async def _schedule(self, delivery: event_pb2.Delivery, due_us: int) -> None:
        timer = timers.timer(delivery, due_us)
        await self._store(delivery, lambda: self._timers.publish(timer))

    def _log_outcome(
        self, delivery: event_pb2.Delivery, decision: retry.Decision, record: trace_pb2.TraceRecord
    ) -> None:
        channel = channels.NAMES[delivery.channel]
        status = statuses.name(decision.status)
        telemetry.labelled(_ATTEMPTS, channel, status).inc()
        if decision.status == trace_pb2.DELIVERY_STATUS_SENT:
            telemetry.labelled(_LATENCY, channel).observe((record.at_us - delivery.accepted_at_us) / 1_000_000)
        step = record.attempted
        if tracing.is_on():
            tracing.annotate(status=status, reason=step.reason, provider=step.provider)
        log.info(
            "delivery",
            event_id=delivery.event_id,
            delivery_id=delivery.id,
            tenant_id=delivery.tenant_id,
            channel=channel,
            attempt=delivery.attempt,
            status=status,
            reason=step.reason,
            provider=step.provider,
            wait_ms=step.wait_us / 1000,
            render_ms=step.render_us / 1000,
            send_ms=step.send_us / 1000,
        )


def _repeat_dropped(delivery: event_pb2.Delivery) -> Callable[[], Awaitable[None]]:
    """Return what is left to do for a copy that is not sent: nothing."""
    log.info("delivery_repeat_dropped", delivery_id=delivery.id, event_id=delivery.event_id)
    return _nothing_to_do


async def _nothing_to_do() -> None:
    """Do nothing."""


def _copy(delivery: event_pb2.Delivery, held: pulling.Held) -> str:
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
    numbers: Sequence[event_pb2.Channel.ValueType], delays_s: Sequence[float] | None
) -> Mapping[event_pb2.Channel.ValueType, RetryPolicy]:
    """Return the retry policy of each channel. delays_s: replaces theirs."""
    policies = {number: channels.BY_NUMBER[number].retry for number in numbers}
    if delays_s is None:
        return policies
    return {number: dataclasses.replace(policy, delays_s=tuple(delays_s)) for number, policy in policies.items()}
