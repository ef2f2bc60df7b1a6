"""Takes deliveries from DELIVERIES and TIMERS and sees each through one attempt.

Everything an attempt leaves behind (its record, its retry, its dead letter) is stored before the
message is acknowledged, and the message stays in hand until it is; a crash in between repeats the attempt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.render.v1 import render_pb2
from runtime import clock, logs, nats, parts, pulling, telemetry
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from runtime.insisting import Insister
from services.delivery import records, retry, timers
from services.delivery.bodies import Bodies
from services.delivery.ports import Attempter, Result, Verdict
from services.delivery.renderer import Renderer
from services.delivery.slots import Slots
from services.delivery.states import LedgerStates
from services.domain import channels, statuses, topology
from services.domain.reasons import Reason
from services.domain.trace import TraceWriter

ATTEMPT_DEADLINE_S = 20.0

_UNDECIDED = (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, trace_pb2.DELIVERY_STATUS_QUEUED)

_ATTEMPTS = Counter("clarion_attempts_total", "Attempts by channel and what came of them.", ["channel", "status"])
_DEFERRED = Counter("clarion_deferrals_total", "Deliveries put off without an attempt.", ["channel", "reason"])
_LATENCY = Histogram(
    "clarion_delivery_seconds",
    "From an event's acceptance to its delivery's first success.",
    ["channel"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)

_NO_CONTENT = render_pb2.Content()

# How often a delivery waits for an event's body that neither EVENTS nor the ledger has: about a quarter of an hour.
_MAX_BODY_DEFERRALS = 20

# Of one consumer, while they wait for a part of ours that others may not need.
_MAX_ASIDE = 1024

# Our own faults are tried again this often, each after ACK_WAIT_S.
_MAX_CRASHES = 10

_UNREADABLE = Counter("clarion_deliveries_unreadable_total", "Messages that are no delivery, dropped.")

log = logs.get(__name__)


class DeliveryWorker:
    """One process's share of the deliveries of some channels.

    max_held bounds what one consumer hands out at a time; slot_limit, of that, what one slot
    (Attempter.slot) may hold. attempt_deadline_s bounds Attempter.attempt. delays_s: see retry.decide.
    refuse: says why a delivery is not sent after all, empty: nothing speaks against it; asked before
    each attempt, so it must answer from memory.
    own: the process's parts, as the attempter asks them; what finds one away waits in hand, and that is no attempt.
    needs: those that every delivery needs, beside render. may_defer: those for which no more deliveries wait than may
    be set aside, so that others get on; the rest goes to TIMERS.
    """

    def __init__(
        self,
        connection: Client,
        channels: Sequence[event_pb2.Channel.ValueType],
        attempter: Attempter,
        renderer: Renderer,
        states: LedgerStates,
        bodies: Bodies,
        *,
        delays_s: Sequence[float] = retry.DEFAULT_DELAYS_S,
        max_held: int = 256,
        slot_limit: int = 256,
        attempt_deadline_s: float = ATTEMPT_DEADLINE_S,
        refuse: Callable[[event_pb2.Delivery], str] | None = None,
        own: parts.Parts | None = None,
        needs: Sequence[str] = (),
        may_defer: Collection[str] = (),
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._attempter = attempter
        self._renderer = renderer
        self._states = states
        self._bodies = bodies
        self._trace = TraceWriter(nats.Publisher(connection))
        self._timers = nats.Publisher(connection)
        self._insister = Insister()
        self._delays_s = delays_s
        self._attempt_deadline_s = attempt_deadline_s
        self._refuse = refuse
        self._own = own or parts.Parts()
        self._needs = (*needs, parts.RENDER)
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
        """Take no more, and see to the end what is in hand; what the broker does not take now comes again."""
        for puller in self._pullers:
            puller.stop()
        self._insister.stop()
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
        """See one message through; whatever happens, it is acked, put off, or left to come again."""
        delivery = _read(held)
        try:
            if delivery is None:  # it would come again for ever
                _UNREADABLE.inc()
                log.error("delivery_unreadable", sequence=held.sequence, subject=held.subject)
                await held.ack()
                return
            telemetry.bind_trace(delivery.trace_id)
            conclude = await self._attempted(delivery, held)
            await conclude()
            await held.ack()
        except ClarionError as error:
            # A part of ours is away while we are to end: what was not stored is not acked, and comes again.
            log.warning("delivery_left", error=error.detail, code=error.code.name)
            held.release()
        except Exception as error:
            log.exception("delivery_crashed", sequence=held.sequence, subject=held.subject)
            if delivery is None or held.deliveries < _MAX_CRASHES:
                held.release()
            else:
                await self._bury(delivery, held, error)

    async def _attempted(self, delivery: event_pb2.Delivery, held: pulling.Held) -> Callable[[], Awaitable[None]]:
        """Make the attempt, as soon as the parts of ours that it needs are there; return what is left to do."""
        try:
            return await self._own.until_answered(
                partial(self._in_slot, delivery, held), aside=held, only_aside=self._may_defer
            )
        except parts.CannotWait as away:
            if away.part == parts.LEDGER:  # a timer is not asked about, so this may not become one
                raise
            return partial(self._defer, delivery, f"{away.part}_away")

    async def _is_repeat(self, delivery: event_pb2.Delivery, held: pulling.Held) -> bool:
        """Past the duplicate window only the ledger knows what was handled before."""
        age_us = self._now() - delivery.accepted_at_us
        if age_us < topology.DUPLICATE_WINDOW_S * 1_000_000 or held.subject.startswith("timers.") or delivery.replay:
            return False
        state = await self._own.ask(parts.LEDGER, partial(self._states.state, delivery.id))
        return state not in _UNDECIDED

    async def _in_slot(self, delivery: event_pb2.Delivery, held: pulling.Held) -> Callable[[], Awaitable[None]]:
        """Make the attempt in a slot; return what is left to do without it. Raises PartAway.

        While the broker takes nothing, or a part of ours is away, all who find no slot would move to TIMERS, which has
        no bound.
        """
        if await self._is_repeat(delivery, held):
            log.info("delivery_repeat_dropped", delivery_id=delivery.id, event_id=delivery.event_id)
            return _nothing_left
        slot, size = self._attempter.slot(delivery), delivery.body_reference.size
        self._own.check(*self._needs)
        if not await self._slots.enter(slot, size):
            return partial(self._defer, delivery, "no_slot")
        try:
            return await self._attempt(delivery)
        finally:
            self._slots.leave(slot, size)

    async def _attempt(self, delivery: event_pb2.Delivery) -> Callable[[], Awaitable[None]]:
        """Make the attempt; return what is left to do, which needs no slot."""
        started = self._now()
        if self._refuse is not None and (reason := self._refuse(delivery)):
            skipped = Result(Verdict.SKIPPED, provider="", reason=reason)
            return partial(self._settle, delivery, skipped, started, started)
        try:
            whole = await self._bodies.complete(delivery)
        except parts.PartAway:
            raise
        except ClarionError as error:
            return self._without_body(delivery, error, started)
        try:
            rendered = await self._own.ask(parts.RENDER, partial(self._renderer.render, whole))
        except parts.PartAway:
            raise
        except ClarionError as error:  # it is there, and has no time for this one
            log.warning("render_busy", delivery_id=delivery.id, error=error.detail)
            return partial(self._defer, delivery, "render_busy")
        del whole
        rendered_at = self._now()
        result = await self._ask(delivery, rendered)
        if result.verdict is Verdict.POSTPONED and delivery.deferrals < retry.MAX_POSTPONEMENTS:
            return partial(self._defer, delivery, result.reason, at_least_s=result.retry_after_s)
        return partial(self._settle, delivery, result, started, rendered_at, rendered.content)

    def _without_body(
        self, delivery: event_pb2.Delivery, error: ClarionError, started: int
    ) -> Callable[[], Awaitable[None]]:
        """Wait for what the event carried: that is no attempt. Fail only where it stays away, deleted."""
        log.warning("body_unread", delivery_id=delivery.id, event_id=delivery.event_id, error=error.detail)
        if error.code is not Code.NOT_FOUND or delivery.deferrals < _MAX_BODY_DEFERRALS:
            return partial(self._defer, delivery, "body_away")
        failed = Result(Verdict.PERMANENT, provider="", reason=Reason.CONTENT_DELETED)
        return partial(self._settle, delivery, failed, started, started)

    async def _settle(
        self,
        delivery: event_pb2.Delivery,
        result: Result,
        started: int,
        rendered_at: int,
        content: render_pb2.Content = _NO_CONTENT,
    ) -> None:
        """Decide what follows, and leave it behind."""
        decision = retry.decide(result, delivery.attempt, self._delays_s)
        times = records.Times(started, rendered_at, self._now())
        record = records.attempted(delivery, result, decision.status, times, content)
        await self._conclude(delivery, decision, [*records.asked_before(delivery, result), record])
        self._report(delivery, decision, record)

    async def _ask(self, delivery: event_pb2.Delivery, rendered: render_pb2.RenderResult) -> Result:
        if rendered.HasField("failure"):
            failure = rendered.failure
            return Result(Verdict.PERMANENT, provider="", reason=failure.reason, detail=failure.detail)
        if rendered.content.is_empty:
            return Result(Verdict.SKIPPED, provider="", reason=Reason.EMPTY_CONTENT, detail=Reason.EMPTY_CONTENT.text)
        try:
            async with asyncio.timeout(self._attempt_deadline_s):
                return await self._attempter.attempt(delivery, rendered.content)
        except parts.PartAway:  # no attempt: it is not the provider's fault
            raise
        except TimeoutError:
            return Result(Verdict.TRANSIENT, provider="", reason=Reason.PROVIDER_TIMEOUT)
        except Exception as error:  # our own fault; it must end as a recorded attempt, not as a crash loop
            log.exception("attempt_failed", delivery_id=delivery.id, event_id=delivery.event_id)
            return Result(Verdict.TRANSIENT, provider="", reason=Reason.INTERNAL_ERROR, detail=type(error).__name__)

    async def _conclude(
        self, delivery: event_pb2.Delivery, decision: retry.Decision, steps: Sequence[trace_pb2.TraceRecord]
    ) -> None:
        """Store what the attempt leaves behind; the last step is its own, those before are of providers that failed."""
        record = steps[-1]
        if decision.status == trace_pb2.DELIVERY_STATUS_DEAD:
            record.attempted.dead_letter.CopyFrom(delivery)
        if decision.status != trace_pb2.DELIVERY_STATUS_RETRYING:
            await self._store(delivery, lambda: self._trace.write_all(steps))
            return
        due_us = self._now() + int(decision.delay_s * 1_000_000)
        record.attempted.next_attempt_at_us = due_us
        again = event_pb2.Delivery()
        again.CopyFrom(delivery)
        again.attempt += 1
        again.planned_at_us = due_us
        # In this order: a record without its timer would read, after a long outage, as if all were well.
        await self._schedule(again, due_us)
        await self._store(delivery, lambda: self._trace.write_all(steps))

    async def _store(self, delivery: event_pb2.Delivery, store: Callable[[], Awaitable[object]]) -> None:
        """Return when it is stored: let go, the delivery would be attempted again every time it came back.

        What is held meanwhile is bounded by max_held: then no more is taken. Raises ClarionError on drain().
        """
        await self._insister.until_done(store, delivery_id=delivery.id, event_id=delivery.event_id)

    async def _bury(self, delivery: event_pb2.Delivery, held: pulling.Held, error: Exception) -> None:
        """Make a dead letter of what crashes us every time: unacked for ever, it would keep its stream full."""
        record = records.crashed(delivery, error, self._now())
        try:
            await self._store(delivery, lambda: self._trace.write(record))
        except ClarionError:
            held.release()
            return
        await held.ack()

    async def _defer(self, delivery: event_pb2.Delivery, reason: str, *, at_least_s: float = 0.0) -> None:
        due_us = self._now() + int((at_least_s + retry.deferral_s(delivery.deferrals)) * 1_000_000)
        _DEFERRED.labels(channels.NAMES[delivery.channel], reason).inc()
        delivery.deferrals += 1
        delivery.planned_at_us = due_us
        await self._schedule(delivery, due_us)

    async def _schedule(self, delivery: event_pb2.Delivery, due_us: int) -> None:
        timer = timers.timer(delivery, due_us)
        await self._store(delivery, lambda: self._timers.publish(timer))

    def _report(self, delivery: event_pb2.Delivery, decision: retry.Decision, record: trace_pb2.TraceRecord) -> None:
        channel = channels.NAMES[delivery.channel]
        status = statuses.name(decision.status)
        telemetry.labelled(_ATTEMPTS, channel, status).inc()
        if decision.status == trace_pb2.DELIVERY_STATUS_SENT:
            telemetry.labelled(_LATENCY, channel).observe((record.at_us - delivery.accepted_at_us) / 1_000_000)
        step = record.attempted
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


async def _nothing_left() -> None:
    """Do nothing: the delivery had its attempt before."""


def _read(held: pulling.Held) -> event_pb2.Delivery | None:
    """Return the message's delivery; None: it is none, though its bytes may be readable as one."""
    try:
        delivery = event_pb2.Delivery.FromString(held.data)
    except DecodeError:
        return None
    ids = (delivery.id, delivery.event_id, delivery.tenant_id)
    return delivery if all(map(is_uuid, ids)) and delivery.channel in channels.NAMES else None
