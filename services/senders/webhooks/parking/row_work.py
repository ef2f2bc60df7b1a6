"""One attempt at a row, and what follows it in the row, in TRACE and in the breaker.

A delivery that ends is recorded before its row is deleted. The row of one that is tried again is changed before the
record: otherwise a crash in between would leave a row whose first attempt the ledger knows already, and it would be
taken for a repeat.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, parts
from runtime.errors import ClarionError
from runtime.retrying import RetryUntilAccepted
from services.delivery import records, retry
from services.delivery.attempts import REPEAT, Attempt, Attempts, Conclusion, Made, Repeat, Waits, log_outcome
from services.delivery.ports import ParkedDelivery, SendResult, UnknownDelivery, Verdict
from services.domain import endpoints
from services.domain.endpoints import Endpoint
from services.domain.reasons import Reason
from services.senders.webhooks.parking import breaker, notices
from services.senders.webhooks.parking.breaker import Observation, Seen
from services.senders.webhooks.parking.places import Places
from services.senders.webhooks.parking.ports import (
    Ended,
    EndpointDirectory,
    EndpointKey,
    EndpointState,
    Kept,
    Row,
    Rows,
    States,
    Trace,
)

# Before something is tried again that this process cannot do now, seconds.
AGAIN_S = 1.0
# Nothing more is sent to an endpoint that is to be disabled, seconds.
_REFUSED_S = 30.0
# A row of a later version is left alone for so long, seconds.
_UNKNOWN_S = 60.0

log = logs.get(__name__)


class LeaseLost(Exception):
    """Another process may have the endpoint, or soon nobody."""


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """at_once: attempts under way at one endpoint. per_s: the most deliveries of an endpoint a second.

    lease_s: how long a lease lasts; attempt_s: an attempt takes less, so one that begins earlier ends within the lease.
    keep_s: how long something waits for an endpoint that is disabled or polled.
    """

    at_once: int
    per_s: float
    lease_s: float
    attempt_s: float
    keep_s: float


@dataclass(frozen=True, slots=True)
class Desk:
    """What all turns of a process work with. attempts: send to ORDERED endpoints, too. now: PostgreSQL's time.

    note_failure: is called with an endpoint whose failure was reported.
    """

    attempts: Attempts
    rows: Rows
    states: States
    trace: Trace
    directory: EndpointDirectory
    places: Places
    limits: TurnLimits
    own: parts.OwnParts
    now: clock.Clock
    note_failure: Callable[[EndpointKey], None]
    until_accepted: RetryUntilAccepted = field(default_factory=RetryUntilAccepted)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


class RowWork:
    """The work on the rows of one endpoint. goes_on: returns whether another attempt may begin."""

    def __init__(self, desk: Desk, state: EndpointState, goes_on: Callable[[], bool]) -> None:
        self.desk = desk
        self.health = state.health
        self._key = state.key
        self._goes_on = goes_on
        # For how long the endpoint takes nothing, seconds; 0: it does, as far as is known.
        self.refused_for_s = 0.0
        # How many attempts may be under way, and how many are.
        self.at_once = 1
        self._under_way = 0
        self._places = asyncio.Condition()
        # Rows that a process before may have sent, because it did not give back its lease.
        self._unsure_before_us = state.unsure_before_us

    async def send(self, row: Row, endpoint: Endpoint) -> None:
        """Attempt a row, and store what follows. Nothing is raised: a row that is left stays as it is."""
        try:
            attempt = await self.attempt(row)
            if isinstance(attempt, Made):
                try:
                    await self.report(attempt, row, endpoint)
                finally:  # a fault in telling the breaker must not lose the result
                    await self.store(row, self.desk.attempts.conclude(row.delivery, attempt))
            elif isinstance(attempt, Repeat):
                await self.settle([Ended(row)])
            else:
                await self.settle([self.waiting(row, attempt)])
        except (ClarionError, LeaseLost) as error:
            log.warning("parked_left", delivery_id=row.delivery.id, error=str(error))
        except Exception:
            log.exception("parked_crashed", delivery_id=row.delivery.id)

    async def store(self, row: Row, conclusion: Conclusion) -> None:
        """Store what follows an attempt: a row that stays first, one that is not needed last.

        Nothing follows if the delivery is to be tried again, and somebody ended it during the attempt.
        """
        if conclusion.retried is None:
            await self.record(conclusion.steps)
            await self.settle([Ended(row)])
        else:
            kept = Kept(row, conclusion.retried, conclusion.due_us, Reason.RETRY, row.probes)
            if not await self.settle([kept]):
                return
            await self.record([*conclusion.steps, self.retry_record(conclusion.retried, conclusion.due_us)])
        log_outcome(row.delivery, conclusion.record)

    def retry_record(self, retried: event_pb2.Delivery, due_us: int) -> trace_pb2.TraceRecord:
        """Return the record that a retry waits."""
        return records.parked(ParkedDelivery(retried, Reason.RETRY, due_us), self.desk.now())

    async def record_probe(self, row: Row, made: Made) -> None:
        """Record a failed probe, with the number of the attempts so far, because it is none."""
        now, retrying = self.desk.now(), trace_pb2.DELIVERY_STATUS_RETRYING
        tried = event_pb2.Delivery()
        tried.CopyFrom(row.delivery)
        tried.attempt -= 1
        times = records.AttemptTimes(made.started_us, made.prepared_us, now)
        probe = records.attempted(tried, made.result, retrying, times)
        await self.record([probe, records.parked(ParkedDelivery(row.delivery, Reason.ENDPOINT_DOWN), now)])

    async def report(self, made: Made, row: Row, endpoint: Endpoint) -> None:
        """Tell the breaker what an attempt shows."""
        result = made.result
        if breaker.is_trouble(result):
            self.desk.note_failure(self._key)
            await self.observe(
                Observation(
                    Seen.FAILED,
                    started_us=made.started_us,
                    wish_s=breaker.wish_s(result),
                    is_ordered=endpoint.mode == endpoints.ORDERED,
                    is_operational=notices.is_operational(row.delivery.event_type),
                    revision=endpoint.revision,
                )
            )
        elif breaker.is_answer(result) and (self.health.failures or self.health.failing_since_us):
            await self.observe(Observation(Seen.SUCCEEDED))
        elif result.reason == Reason.ENDPOINT_ANSWERED_GONE:
            self.refused_for_s = _REFUSED_S
            try:
                await self.desk.states.disable(self._key, "gone", endpoint.revision)
            except ClarionError as error:  # the next delivery shows it again
                log.warning("endpoint_not_disabled", endpoint_id=self._key.endpoint_id, error=error.detail)

    async def attempt(self, row: Row) -> Attempt:
        """Make the attempt once the parts that it needs answer. Raises LeaseLost; PartAway when the process ends."""
        try:
            return await self.desk.own.until_answered(partial(self._make, row))
        except parts.CannotWait as away:
            return Waits(f"{away.part}_away", AGAIN_S)
        except (ClarionError, LeaseLost):
            raise
        except UnknownDelivery as error:
            log.warning("delivery_unknown", delivery_id=row.delivery.id, error=str(error))
            return Waits("unknown", _UNKNOWN_S)
        except Exception as error:  # a fault of ours must end as a recorded attempt, not as a crash loop
            log.exception("attempt_failed", delivery_id=row.delivery.id, event_id=row.delivery.event_id)
            now, detail = self.desk.now(), type(error).__name__
            result = SendResult(Verdict.TRANSIENT, provider="", reason=Reason.INTERNAL_ERROR, detail=detail)
            return Made(result, now, now)

    async def _make(self, row: Row) -> Attempt:
        attempts, delivery = self.desk.attempts, row.delivery
        is_unsure = row.parked_us < self._unsure_before_us
        # An earlier record tells other copies.
        has_record = delivery.attempt > 1 or row.probes > 0
        if has_record and is_unsure and await attempts.is_over(delivery):
            return REPEAT
        is_claimed = not has_record and (is_unsure or attempts.may_have_copies(delivery))
        if is_claimed and await attempts.is_repeat(delivery, delivery.claim):
            return REPEAT
        # First its own place: what waits for that must not hold the places of its tenant's other endpoints.
        async with self._place(), self.desk.places.of(self._key.tenant_id):
            if not self._goes_on():
                raise LeaseLost("the lease ends")
            if self.refused_for_s:
                raise LeaseLost("the endpoint is to be disabled")
            return await attempts.make(delivery, delivery.claim, is_claimed=is_claimed or has_record)

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Hold one of the places of the endpoint for the length of a block."""
        async with self._places:
            await self._places.wait_for(lambda: self._under_way < self.at_once)
            self._under_way += 1
        try:
            yield
        finally:
            async with self._places:
                self._under_way -= 1
                self._places.notify()

    def waiting(self, row: Row, waits: Waits) -> Kept:
        """Return the row of a delivery for which no attempt was made."""
        delivery = event_pb2.Delivery()
        delivery.CopyFrom(row.delivery)
        if waits.is_parked:
            due_us = self.in_us(waits.at_least_s or AGAIN_S)
            return Kept(row, delivery, due_us, waits.reason, row.probes)
        due_us = self.in_us(waits.at_least_s + retry.deferral_s(delivery.deferrals))
        delivery.deferrals += 1
        return Kept(row, delivery, due_us, Reason.ENDPOINT_BUSY, row.probes)

    async def observe(self, observation: Observation) -> None:
        """Tell the breaker something. While the database is away, it is not told."""
        try:
            self.health = await self.desk.states.observe(self._key, observation)
        except ClarionError as error:
            log.warning("endpoint_not_observed", endpoint_id=self._key.endpoint_id, error=error.detail)

    async def record(self, steps: Sequence[trace_pb2.TraceRecord]) -> None:
        """Store records, however often that must be tried. Raises ClarionError when the process ends."""
        await self.desk.until_accepted(partial(self.desk.trace.write_all, steps), endpoint_id=self._key.endpoint_id)

    async def settle(self, outcomes: Iterable[Ended | Kept]) -> bool:
        """Store what becomes of rows, however often that must be tried. Raises ClarionError when the process ends.

        Returns whether all that are kept are there.
        """
        listed = list(outcomes)
        are_there: list[bool] = []

        async def settle() -> None:
            are_there[:] = await asyncio.gather(*map(self.desk.rows.settle, listed))

        if listed:
            await self.desk.until_accepted(settle, endpoint_id=self._key.endpoint_id)
        return all(is_there for one, is_there in zip(listed, are_there, strict=True) if isinstance(one, Kept))

    def in_us(self, seconds: float) -> int:
        """Return the time so many seconds from now."""
        return self.desk.now() + int(seconds * 1_000_000)
