"""One attempt at one delivery, and what follows it. Where the delivery comes from is its caller's part.

The worker attempts what the streams bring, and the senders what waits in their rows (webhooks/parking): with the same
slots, refusals and claims.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, parts, telemetry, tracing
from services.delivery import records, retry
from services.delivery.ports import (
    NO_DETAILS,
    Attempter,
    Claim,
    Claims,
    Delays,
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

ATTEMPT_DEADLINE_S = 20.0

# A message that is sent is recorded within this time, and the clocks of processes differ by less, seconds.
_RECORDED_S = 10.0

_UNDECIDED = (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, trace_pb2.DELIVERY_STATUS_QUEUED)

_ATTEMPTS = Counter("clarion_attempts_total", "Attempts by channel and status.", ["channel", "status"])
_LATENCY = Histogram(
    "clarion_delivery_seconds",
    "From an event's acceptance to its delivery's first success.",
    ["channel"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)

log = logs.get(__name__)


class Made(NamedTuple):
    """An attempt that was made. Times: when it started and had its message prepared, Unix microseconds."""

    result: SendResult
    started_us: int
    prepared_us: int
    details: Details = NO_DETAILS


class Waits(NamedTuple):
    """No attempt was made, and the delivery must wait. reason: "no_slot", or that of the result.

    at_least_s: seconds. is_parked: it waits in a row whatever its channel does (Verdict.PARKED).
    """

    reason: str
    at_least_s: float = 0.0
    is_parked: bool = False


class Repeat(NamedTuple):
    """No attempt was made: the delivery had its first attempt already, or another copy of it has the claim."""


Attempt: TypeAlias = Made | Waits | Repeat

REPEAT = Repeat()
_NO_SLOT = Waits("no_slot")

# Is called with each attempt that was made.
Observer: TypeAlias = Callable[[event_pb2.Delivery, Made], None]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What follows an attempt. steps: its records, its own at the end. retried: the delivery as it is attempted next.

    is_parked: that one waits in a row, not in TIMERS. due_us: when it is due, Unix microseconds.
    """

    decision: retry.Decision
    steps: Sequence[trace_pb2.TraceRecord]
    retried: event_pb2.Delivery | None = None
    due_us: int = 0

    @property
    def record(self) -> trace_pb2.TraceRecord:
        """Return the attempt's own record."""
        return self.steps[-1]


class Attempts:
    """Makes attempts. policies: of each channel. See DeliveryWorker for the rest."""

    def __init__(
        self,
        attempter: Attempter[Any],
        claims: Claims,
        policies: Mapping[event_pb2.Channel.ValueType, RetryPolicy],
        *,
        slots: Slots,
        deadline_s: float = ATTEMPT_DEADLINE_S,
        delays: Delays | None = None,
        refusals: Sequence[Refusal] = (),
        own: parts.OwnParts,
        needs: Sequence[str] = (),
        observe: Observer | None = None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self.policies = policies
        self._attempter = attempter
        self._claims = claims
        self._slots = slots
        self._deadline_s = deadline_s
        self._delays = delays
        self._young_us = int((topology.DUPLICATE_WINDOW_S - deadline_s - _RECORDED_S) * 1_000_000)
        self._refusals = refusals
        self._own = own
        self._needs = needs
        self._observe = observe
        self._now = now

    def through(self, attempter: Attempter[Any]) -> "Attempts":
        """Return these with another attempter, without an observer, and with the same slots."""
        return Attempts(
            attempter,
            self._claims,
            self.policies,
            slots=self._slots,
            deadline_s=self._deadline_s,
            delays=self._delays,
            refusals=self._refusals,
            own=self._own,
            needs=self._needs,
            now=self._now,
        )

    def refusal(self, delivery: event_pb2.Delivery) -> str:
        """Return the reason for not sending this delivery; empty: it may be sent."""
        return next((reason for refuse in self._refusals if (reason := refuse(delivery))), "")

    def may_have_copies(self, delivery: event_pb2.Delivery) -> bool:
        """Return whether the broker may have stored the delivery twice before an attempt that starts now is recorded.

        Retries have none: the record of the attempt before tells the other copies.
        """
        age_us = self._now() - (delivery.decided_at_us or delivery.accepted_at_us)
        return age_us >= self._young_us and delivery.attempt <= 1

    async def is_repeat(self, delivery: event_pb2.Delivery, name: str) -> bool:
        """Return whether the delivery had its first attempt already, or another copy of it has claimed that.

        name: of the copy that asks, see Delivery.claim. Raises PartAway, and UnknownDelivery for a status that this
        version does not know.
        """
        answer = await self._own.ask(
            parts.LEDGER, partial(self._claims.claim, Claim(delivery.id, delivery.replay, name))
        )
        if answer.status in _UNDECIDED:
            return answer.is_held_by_another
        if answer.status not in statuses.BY_NUMBER:
            raise UnknownDelivery(f"status {answer.status}")
        return True

    async def is_over(self, delivery: event_pb2.Delivery) -> bool:
        """Return whether a retry is known to have ended. Raises PartAway."""
        answer = await self._own.ask(parts.LEDGER, partial(self._claims.claim, Claim(delivery.id, delivery.replay, "")))
        return bool(answer.status) and statuses.is_terminal(answer.status)

    async def make(self, delivery: event_pb2.Delivery, name: str, *, is_claimed: bool = False) -> Attempt:
        """Make an attempt in a slot. Raises PartAway, UnknownDelivery.

        name: of the copy; is_claimed: it has the claim. The needed parts are checked before the slot: while one is
        away, every delivery without a slot would go to TIMERS, which has no bound.
        """
        slot, size = self._attempter.slot(delivery), delivery.body_reference.size
        self._own.check(*self._needs)
        if not await self._slots.enter(slot, size):
            return _NO_SLOT
        try:
            return await self._make(delivery, name, is_claimed=is_claimed)
        finally:
            self._slots.leave(slot, size)

    async def _make(self, delivery: event_pb2.Delivery, name: str, *, is_claimed: bool) -> Attempt:
        started = self._now()
        if reason := self.refusal(delivery):
            return Made(SendResult(Verdict.SKIPPED, provider="", reason=reason), started, started)
        prepared, details = await self._attempter.prepare(delivery), NO_DETAILS
        prepared_at = self._now()
        if isinstance(prepared, Prepared):
            is_late = not is_claimed and self.may_have_copies(delivery)  # preparing it took long
            if is_late and await self.is_repeat(delivery, name):
                return REPEAT
            result, details = await self._send(delivery, prepared.message), prepared.details
        else:
            result = prepared
        if result.verdict is Verdict.PARKED:
            return Waits(result.reason, result.retry_after_s, is_parked=True)
        if retry.is_postponed(result, delivery.deferrals, self.policies[delivery.channel]):
            return Waits(result.reason, result.retry_after_s)
        made = Made(result, started, prepared_at, details)
        if self._observe is not None:
            self._observe(delivery, made)
        return made

    async def _send(self, delivery: event_pb2.Delivery, message: object) -> SendResult:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._attempter.send(delivery, message)
        except parts.PartAway:  # no attempt was made
            raise
        except TimeoutError:
            return SendResult(Verdict.TRANSIENT, provider="", reason=Reason.PROVIDER_TIMEOUT)
        except Exception as error:  # a fault of ours must end as a recorded attempt, not as a crash loop
            log.exception("attempt_failed", delivery_id=delivery.id, event_id=delivery.event_id)
            return SendResult(Verdict.TRANSIENT, provider="", reason=Reason.INTERNAL_ERROR, detail=type(error).__name__)

    def conclude(self, delivery: event_pb2.Delivery, made: Made) -> Conclusion:
        """Decide what follows an attempt, and make its records."""
        result = made.result
        decision = retry.decide(result, delivery.attempt, self._policy(delivery))
        ended_us = self._now()
        times = records.AttemptTimes(made.started_us, made.prepared_us, ended_us)
        record = records.attempted(delivery, result, decision.status, times, made.details)
        steps = [*records.earlier_calls(delivery, result), record] if result.earlier else [record]
        delivery.ClearField("claim")  # its first attempt is over
        if decision.status == trace_pb2.DELIVERY_STATUS_DEAD:
            record.attempted.dead_letter.CopyFrom(records.dead_letter(delivery))
        if decision.status != trace_pb2.DELIVERY_STATUS_RETRYING:
            return Conclusion(decision, steps)
        due_us = ended_us + int(decision.delay_s * 1_000_000)
        record.attempted.next_attempt_at_us = due_us
        retried = event_pb2.Delivery()
        retried.CopyFrom(delivery)
        retried.attempt += 1
        retried.planned_at_us = due_us
        return Conclusion(decision, steps, retried, due_us)

    def _policy(self, delivery: event_pb2.Delivery) -> RetryPolicy:
        policy = self.policies[delivery.channel]
        if self._delays is not None and (delays := self._delays(delivery)):
            return dataclasses.replace(policy, delays_s=tuple(delays))
        return policy


def log_outcome(delivery: event_pb2.Delivery, record: trace_pb2.TraceRecord) -> None:
    """Count and log an attempt whose record is stored."""
    step = record.attempted
    channel, status = channels.NAMES[delivery.channel], statuses.name(step.status)
    telemetry.labelled(_ATTEMPTS, channel, status).inc()
    if step.status == trace_pb2.DELIVERY_STATUS_SENT:
        telemetry.labelled(_LATENCY, channel).observe((record.at_us - delivery.accepted_at_us) / 1_000_000)
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
