"""Sends what waits for one endpoint, for as long as this process has its lease."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import logs
from runtime.errors import ClarionError
from services.delivery import records
from services.delivery.attempts import Made, Repeat, Waits, log_outcome
from services.delivery.ports import Verdict
from services.domain import endpoints
from services.domain.endpoints import Endpoint
from services.domain.reasons import Reason
from services.senders.webhooks.parking import breaker, notices
from services.senders.webhooks.parking.breaker import Observation, Seen
from services.senders.webhooks.parking.pace import Pacer, SlowStart, at_once
from services.senders.webhooks.parking.ports import Ended, EndpointState, Kept, Release, Row
from services.senders.webhooks.parking.row_work import AGAIN_S, Desk, LeaseLost, RowWork

# A lease is renewed so often, seconds.
_RENEW_S = 5.0
# A turn goes on for so long at least before it yields to another endpoint, seconds: longer than a slow start.
YIELD_S = 10.0
# How long a turn waits for more deliveries of an endpoint that gets all of them from rows, seconds.
_LINGER_S = 0.5
_PAGE = 100
# Deliveries in hand for each that is under way: the others wait for claims and records.
_IN_HAND = 8
# Failed probes of one delivery that its timeline shows.
_SHOWN_PROBES = 20
_NEVER_US = 2**62

_PROBES = Counter("clarion_endpoint_probes_total", "Probes of endpoints that are down.", ["outcome"])

log = logs.get(__name__)


@dataclass(slots=True)
class _Batch:
    """What became of rows that were sent in order. steps: their records. made: their attempts."""

    steps: list[trace_pb2.TraceRecord] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    made: list[tuple[Row, trace_pb2.TraceRecord]] = field(default_factory=list)

    def add(self, row: Row, steps: Sequence[trace_pb2.TraceRecord]) -> None:
        """Add an attempt."""
        self.steps += steps
        self.made.append((row, steps[-1]))


class Turn:
    """One lease of one endpoint. is_short: returns whether others wait for the place that it takes."""

    def __init__(
        self, desk: Desk, state: EndpointState, is_short: Callable[[], bool] = lambda: False, yield_s: float = YIELD_S
    ) -> None:
        self._desk = desk
        self._key = state.key
        self._work = RowWork(desk, state, self._goes_on)
        self._held_until_us = state.held_until_us
        self._lease_until = time.monotonic() + desk.limits.lease_s
        self._yields_at = time.monotonic() + yield_s
        self._is_short = is_short
        self._pacer = Pacer(time.monotonic())
        self._slow_start: SlowStart | None = None
        self._woken = asyncio.Event()
        self._is_gone = False

    def wake(self) -> None:
        """Look for more deliveries now."""
        self._woken.set()

    async def run(self) -> None:
        """Work until nothing more is due, and give the lease back. Without the database the lease ends by itself."""
        keeping = asyncio.create_task(self._keep_lease())
        try:
            await self._desk.states.release(await self._until_done())
            if self._is_gone:
                await self._desk.states.forget([self._key], are_gone=True)
        except (ClarionError, LeaseLost) as error:
            log.warning("endpoint_left", endpoint_id=self._key.endpoint_id, error=str(error))
        except Exception:  # our own fault: the endpoint is leased again when the lease ends
            log.exception("endpoint_crashed", endpoint_id=self._key.endpoint_id)
        finally:
            keeping.cancel()

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            asked = time.monotonic()
            with contextlib.suppress(ClarionError):
                state = await self._desk.states.renew(self._key)
                if state is None:
                    self._lease_until = 0.0
                    return
                self._lease_until = asked + self._desk.limits.lease_s
                self._work.health = state.health

    def _goes_on(self) -> bool:
        """Return whether another attempt may begin: it must end within the lease."""
        left = self._lease_until - time.monotonic()
        return left > self._desk.limits.attempt_s and not self._desk.stopping.is_set()

    def _yields(self) -> bool:
        """Return whether it is time to let other endpoints have their turns."""
        return time.monotonic() >= self._yields_at and self._is_short()

    async def _until_done(self) -> Release:
        while self._goes_on():
            endpoint = self._desk.directory.endpoint(self._key)
            if endpoint is None:
                return await self._without_endpoint()
            if endpoint.mode != endpoints.PUSH and self._work.health.state != breaker.CLOSED:
                await self._work.observe(Observation(Seen.NOT_PUSHED))
                self._slow_start = None
            if not endpoint.active or endpoint.mode == endpoints.POLLED:
                return await self._rest(endpoint)
            is_done = not await self._step(endpoint)
            if self._work.refused_for_s or self._yields() or (is_done and not await self._has_more(endpoint)):
                break
        not_before_us = self._work.in_us(self._work.refused_for_s)
        return Release(self._key, not_before_us=not_before_us, held_until_us=self._held_until_us)

    async def _step(self, endpoint: Endpoint) -> bool:
        """Do the next thing; return whether something was done."""
        if endpoint.mode == endpoints.ORDERED:
            return await self._send_in_order(endpoint)
        self._held_until_us = 0
        if self._work.health.state == breaker.OPEN:
            return await self._probe(endpoint)
        return await self._send(endpoint)

    async def _without_endpoint(self) -> Release:
        """End what waits for an endpoint that was deleted."""
        is_gone = partial(self._desk.directory.is_gone, self._key)
        try:
            must_wait = not await self._desk.own.until_answered(is_gone)  # what is published of it has not arrived yet
        except ClarionError as error:
            log.warning("endpoint_left", endpoint_id=self._key.endpoint_id, error=error.detail)
            must_wait = True
        if must_wait:
            return Release(self._key, not_before_us=self._work.in_us(AGAIN_S))
        skipped = trace_pb2.DELIVERY_STATUS_SKIPPED
        while rows := await self._desk.rows.due(self._key, _NEVER_US, limit=_PAGE):
            now = self._desk.now()
            ended = [records.ended_unsent(row.delivery, skipped, Reason.ENDPOINT_GONE, now) for row in rows]
            await self._work.record(ended)
            await self._work.settle(map(Ended, rows))
        self._is_gone = True
        return Release(self._key)

    async def _end_aged(self) -> None:
        """End what has rested for too long as dead letters."""
        before_us = self._work.in_us(-self._desk.limits.keep_s)
        while self._goes_on() and (rows := await self._desk.rows.aged(self._key, before_us, limit=_PAGE)):
            now = self._desk.now()
            ended = [records.backlog_full(row.delivery, now, Reason.PARKED_TOO_LONG) for row in rows]
            await self._work.record(ended)
            await self._work.settle(map(Ended, rows))

    async def _rest(self, endpoint: Endpoint) -> Release:
        await self._end_aged()
        if endpoint.mode == endpoints.POLLED:
            await self._desk.rows.queue_for_polling(self._key)
        if self._work.health.failures or self._work.health.failing_since_us:
            await self._work.observe(Observation(Seen.DISABLED))
        return Release(self._key, is_resting=True)

    async def _has_more(self, endpoint: Endpoint) -> bool:
        """Wait a moment for more, where an endpoint gets all of its deliveries from rows; return whether some came."""
        if endpoint.mode != endpoints.ORDERED and not endpoint.rate_per_s:
            return False
        if self._held_until_us > self._desk.now() or self._work.health.state == breaker.OPEN:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                await self._woken.wait()
        self._woken.clear()
        return bool(await self._desk.rows.due(self._key, self._desk.now(), limit=1))

    # Endpoints that get each delivery by itself.

    async def _send(self, endpoint: Endpoint) -> bool:
        """Send what is due; return whether something was. While some wait for their records, others are sent."""
        if self._work.health.state == breaker.DRAINING and self._slow_start is None:
            self._slow_start = SlowStart(self._desk.limits.per_s, time.monotonic())
        until_us, after, count = self._desk.now(), (-1, 0), 0
        tasks: set[asyncio.Task[None]] = set()
        try:
            while rows := await self._desk.rows.due(self._key, until_us, after=after, limit=_PAGE):
                for row in rows:
                    if not await self._wait_for_place(tasks, endpoint):
                        return count > 0
                    tasks.add(asyncio.create_task(self._work.send(row, endpoint)))
                    count += 1
                after = (rows[-1].due_us, rows[-1].sequence)
                await self._end_slow_start(is_proven=self._is_proven())
        finally:
            if tasks:
                await asyncio.wait(tasks)
        await self._end_slow_start(is_proven=not count)
        return count > 0

    async def _wait_for_place(self, tasks: "set[asyncio.Task[None]]", endpoint: Endpoint) -> bool:
        """Wait until the next delivery may be sent; False: none may any more."""
        failures, per_s = self._work.health.failures, self._per_s()
        self._work.at_once = at_once(per_s, self._desk.limits.at_once)
        await self._pause(self._pacer.wait_s(min(per_s, endpoint.rate_per_s or per_s), time.monotonic()))
        while len(tasks) >= _IN_HAND * self._work.at_once:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            tasks -= {task for task in tasks if task.done()}
        tasks -= {task for task in tasks if task.done()}
        if self._slow_start is not None and self._work.health.failures > failures:
            self._slow_start.slow_down(time.monotonic())
        now = self._desk.directory.endpoint(self._key)
        is_push = now is not None and now.active and now.mode == endpoints.PUSH
        is_spared = self._work.health.state == breaker.OPEN or self._work.refused_for_s > 0
        return is_push and not is_spared and self._goes_on() and not self._yields()

    async def _end_slow_start(self, *, is_proven: bool) -> None:
        """Close the breaker if the endpoint has shown that it takes what comes, or nothing waits any more."""
        if is_proven and self._work.health.state == breaker.DRAINING:
            await self._work.observe(Observation(Seen.DRAINED))
            self._slow_start = None

    def _is_proven(self) -> bool:
        return self._slow_start is not None and self._slow_start.is_over(time.monotonic())

    def _per_s(self) -> float:
        limit = self._desk.limits.per_s
        return self._slow_start.per_s(time.monotonic()) if self._slow_start is not None else limit

    # An endpoint that is down.

    async def _probe(self, endpoint: Endpoint) -> bool:
        """Try a delivery, if it is time; return whether it was.

        A failed probe is no attempt of the delivery: it stays as it is and goes to the end of the line, so that the
        next probe is made with another one.
        """
        if self._desk.now() < self._work.health.next_probe_us:
            return False
        rows = await self._desk.rows.due(self._key, _NEVER_US, limit=1)
        if not rows:
            return False
        row = rows[0]
        try:
            attempt = await self._work.attempt(row)
        except (ClarionError, LeaseLost) as error:  # nothing was sent: the row stays, and the lease is given back
            log.warning("parked_left", delivery_id=row.delivery.id, error=str(error))
            await self._pause(AGAIN_S)
            return False
        if isinstance(attempt, Repeat):
            await self._work.settle([Ended(row)])
        elif isinstance(attempt, Waits):
            await self._work.settle([self._work.waiting(row, attempt)])
            await self._pause(AGAIN_S)
        elif attempt.result.verdict in {Verdict.SENT, Verdict.SKIPPED, Verdict.PERMANENT}:
            await self._work.store(row, self._desk.attempts.conclude(row.delivery, attempt))
            if breaker.is_answer(attempt.result):
                _PROBES.labels("success").inc()
                await self._work.observe(Observation(Seen.PROBE_SUCCEEDED))
            else:
                await self._work.report(attempt, row, endpoint)
            if breaker.is_refusal(attempt.result):  # it would refuse the others, too
                await self._observe_failed_probe(row, attempt, endpoint)
        else:
            await self._note_failed_probe(row, attempt, endpoint)
        return True

    async def _observe_failed_probe(self, row: Row, made: Made, endpoint: Endpoint) -> None:
        _PROBES.labels("failure").inc()
        await self._work.observe(
            Observation(
                Seen.PROBE_FAILED,
                wish_s=breaker.wish_s(made.result),
                is_operational=notices.is_operational(row.delivery.event_type),
                revision=endpoint.revision,
            )
        )

    async def _note_failed_probe(self, row: Row, made: Made, endpoint: Endpoint) -> None:
        await self._observe_failed_probe(row, made, endpoint)
        now = self._desk.now()
        due_us = max(row.due_us, now)
        await self._work.settle([Kept(row, row.delivery, due_us, Reason.ENDPOINT_DOWN, row.probes + 1)])
        if row.probes < _SHOWN_PROBES:
            await self._work.record_probe(row, made)

    # ORDERED endpoints.

    async def _send_in_order(self, endpoint: Endpoint) -> bool:
        """Send the next batch, one by one; return whether all of it is done. One that fails holds up the others."""
        if self._desk.now() < self._held_until_us:
            return False
        rows = await self._desk.rows.due(self._key, self._desk.now(), limit=max(1, endpoint.batch_size))
        self._held_until_us = 0
        batch = _Batch()
        try:
            for row in rows:
                is_over = not self._goes_on() or self._yields() or self._work.refused_for_s
                if is_over or not await self._send_next(row, endpoint, batch):
                    break
        finally:  # also if the process ends, or has lost the lease: what was sent is not sent again
            await self._work.record(batch.steps)
            await self._work.settle(batch.ended)
            for row, record in batch.made:
                log_outcome(row.delivery, record)
        return bool(batch.ended) and not self._held_until_us

    async def _send_next(self, row: Row, endpoint: Endpoint, batch: "_Batch") -> bool:
        """Attempt a row of a batch, and add what follows; return whether the next one may be sent."""
        try:
            attempt = await self._work.attempt(row)
        except (ClarionError, LeaseLost) as error:  # nothing was sent: the row stays, and the lease is given back
            log.warning("parked_left", delivery_id=row.delivery.id, error=str(error))
            self._held_until_us = self._work.in_us(AGAIN_S) if self._goes_on() else 0
            return False
        if isinstance(attempt, Waits):
            waiting = self._work.waiting(row, attempt)
            # It counts how often it waited: what it waits for may never come.
            return not await self._hold(row, waiting.delivery, row.reason, waiting.due_us)
        if isinstance(attempt, Repeat):
            batch.ended.append(Ended(row))
            return True
        conclusion = self._desk.attempts.conclude(row.delivery, attempt)
        if conclusion.retried is None:
            batch.add(row, conclusion.steps)
            batch.ended.append(Ended(row))
            await self._work.report(attempt, row, endpoint)
            return True
        is_held = await self._hold(row, conclusion.retried, Reason.RETRY, conclusion.due_us)
        if is_held:
            batch.add(row, conclusion.steps)
            batch.steps.append(self._work.retry_record(conclusion.retried, conclusion.due_us))
        await self._work.report(attempt, row, endpoint)
        return not is_held

    async def _hold(self, row: Row, delivery: event_pb2.Delivery, reason: str, until_us: int) -> bool:
        """Keep a row in its place, and send nothing before a time; return False if somebody ended the row meanwhile."""
        is_there = await self._work.settle([Kept(row, delivery, row.due_us, reason, row.probes)])
        if is_there:
            self._held_until_us = until_us
        return is_there

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._desk.stopping.wait()
