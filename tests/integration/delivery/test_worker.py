"""One delivery through its attempts: retries by schedule, their end, deferrals, repeats, and what is no delivery."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
from nats.aio.client import Client
from prometheus_client import REGISTRY

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from clarion.render.v1 import render_pb2
from runtime import nats, postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.delivery import worker as worker_module
from services.delivery.ports import Prepared, ProviderCall, SendResult, Verdict
from services.domain import topology
from services.ingest.ledger.consumer import LedgerConsumer
from services.ingest.ledger.reader import LedgerReader
from services.ingest.ledger.search import EventFinder
from services.ingest.ledger.servicer import LedgerServicer
from services.ingest.ledger.store import LedgerStore
from services.ingest.retries.store import RetryStore
from tests.conftest import NatsServer
from tests.fakes.delivery import FarSide, Neighbours, delivery, queued
from tests.integration.delivery.conftest import CreateWorker, Trace
from tests.integration.ingest.ledger import CURSORS
from tests.streams import Streams
from tests.waiting import eventually

RETRYING, SENT = trace_pb2.DELIVERY_STATUS_RETRYING, trace_pb2.DELIVERY_STATUS_SENT
DEAD, FAILED = trace_pb2.DELIVERY_STATUS_DEAD, trace_pb2.DELIVERY_STATUS_FAILED
BUSY = SendResult(Verdict.TRANSIENT, "test", reason="provider_timeout")
YES = SendResult(Verdict.SENT, "test")
OLD_US = (topology.DUPLICATE_WINDOW_S + 60) * 1_000_000

Beside: TypeAlias = tuple[Neighbours, str]


async def test_retries_by_schedule(create_worker: CreateWorker, streams: Streams, trace: Trace) -> None:
    """Each attempt comes when it is due, and not before; a success ends them."""
    far_side = FarSide([BUSY, BUSY, YES])
    create_worker(far_side, delays_s=(0.4, 0.8))
    one = delivery()
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, SENT))
    assert [(id_, attempt) for id_, attempt, _ in far_side.calls] == [(one.id, 1), (one.id, 2), (one.id, 3)]
    steps = await trace.steps()
    assert [(step.attempt, step.status) for step in steps] == [(1, RETRYING), (2, RETRYING), (3, SENT)]
    for number, delay in enumerate((0.4, 0.8)):
        due = steps[number].next_attempt_at_us / 1_000_000
        before, after = far_side.calls[number][2], far_side.calls[number + 1][2]
        assert delay <= due - before
        assert due <= after + 0.001
    assert steps[2].next_attempt_at_us == 0
    assert await trace.waiting() == 0
    await eventually(trace.all_acked)


async def test_empty_content_is_not_sent(
    create_worker: CreateWorker, streams: Streams, trace: Trace, neighbours: Beside
) -> None:
    """No provider is asked: skipped, with a sentence, and over."""
    neighbours[0].rendered.content.CopyFrom(render_pb2.Content(text="\u200b", is_empty=True))
    far_side = FarSide([YES])
    create_worker(far_side)
    one = delivery()
    await streams.publish(queued(one))
    [step] = await eventually(trace.steps)
    assert (step.status, step.reason) == (trace_pb2.DELIVERY_STATUS_SKIPPED, "empty_content")
    assert "empty" in step.detail
    assert far_side.calls == []
    await eventually(trace.all_acked)
    assert await trace.waiting() == 0


async def test_retries_are_spread(create_worker: CreateWorker, streams: Streams, trace: Trace) -> None:
    """Deliveries that failed together are not retried together."""
    create_worker(FarSide([BUSY]), delays_s=(600.0,))
    ones = [delivery() for _ in range(40)]
    await streams.publish(*map(queued, ones))
    await eventually(lambda: _equal(trace.waiting(), len(ones)))
    await eventually(lambda: _traced(trace, len(ones)))
    dues = [step.next_attempt_at_us / 1_000_000 for step in await trace.steps()]
    assert max(dues) - min(dues) > 30


async def test_after_the_last_attempt_a_dead_letter_and_its_replay(
    create_worker: CreateWorker, streams: Streams, trace: Trace, connection: Client, postgres_url: str
) -> None:
    """The record carries the delivery whole; the ledger lists it; a replay goes through all attempts anew."""
    far_side = FarSide([BUSY] * 4 + [YES])
    create_worker(far_side, delays_s=(0.1, 0.1))
    one = delivery(variables=b'{"a":1}', recipient=event_pb2.Recipient(user_id="u", phone="+254712345678"))
    pool = await postgres.connect(postgres_url, name="test", size=4)
    ledger = LedgerServicer(RetryStore(pool, pool), LedgerReader(pool), EventFinder(pool), connection, CURSORS)
    consumer = LedgerConsumer(connection, LedgerStore(pool, pool))
    reading = asyncio.create_task(consumer.run())
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, DEAD))
    [*_, last] = await trace.steps()
    assert (last.attempt, last.reason, last.next_attempt_at_us) == (3, "provider_timeout", 0)
    assert (last.dead_letter.variables, last.dead_letter.recipient) == (one.variables, one.recipient)
    assert await trace.waiting() == 0

    async def listed() -> Any:
        return (await ledger.ListDeadLetters(ledger_pb2.ListDeadLettersRequest(), None)).dead_letters

    [letter] = await eventually(listed)
    assert letter.delivery_id == one.id
    await ledger.ReplayDeadLetter(ledger_pb2.ReplayDeadLetterRequest(delivery_id=one.id), None)
    await eventually(lambda: trace.is_over(one.id, SENT))
    assert [attempt for _, attempt, _ in far_side.calls] == [1, 2, 3, 1, 2]
    assert [step.replay for step in await trace.steps()] == [0, 0, 0, 1, 1]
    await consumer.drain()
    await reading
    await pool.close()


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (SendResult(Verdict.PERMANENT, "test", reason="recipient_refused"), FAILED, "recipient_refused"),
        (SendResult(Verdict.SKIPPED, "test", reason="unsubscribed"), trace_pb2.DELIVERY_STATUS_SKIPPED, "unsubscribed"),
        (RuntimeError("a fault of ours"), DEAD, "internal_error"),
    ],
)
async def test_what_ends_at_once(
    create_worker: CreateWorker, streams: Streams, trace: Trace, answer: Any, status: int, reason: str
) -> None:
    """A final no, a late skip, and (with no retries left) our own fault: one record, nothing waits."""
    create_worker(FarSide([answer]), delays_s=())
    one = delivery()
    await streams.publish(queued(one))
    [step] = await eventually(trace.steps)
    assert (step.status, step.reason) == (status, reason)
    await eventually(trace.all_acked)
    assert await trace.waiting() == 0


async def test_render_away_is_no_attempt(
    create_worker: CreateWorker, streams: Streams, trace: Trace, neighbours: Beside
) -> None:
    """It waits in hand without counting; what cannot be rendered is a recorded failure, without asking the provider."""
    neighbours[0].render_away = True
    far_side = FarSide()
    in_hand = await streams.in_hand(topology.DELIVERIES)
    create_worker(far_side)
    one = delivery()
    await streams.publish(queued(one))
    await eventually(lambda: in_hand)
    assert await trace.steps() == []
    assert await trace.waiting() == 0
    neighbours[0].render_away = False
    await eventually(lambda: trace.is_over(one.id, SENT))
    assert [(id_, attempt) for id_, attempt, _ in far_side.calls] == [(one.id, 1)]

    failure = render_pb2.RenderFailure(reason="template_error", detail="line 3")
    neighbours[0].rendered = render_pb2.RenderResult(failure=failure)
    other = delivery()
    await streams.publish(queued(other))
    await eventually(lambda: trace.is_over(other.id, FAILED))
    [step] = await trace.steps(other.id)
    assert (step.reason, step.detail, step.provider) == ("template_error", "line 3", "")
    assert far_side.attempted == [one.id]


async def test_providers_in_vain_are_recorded_before_the_one_that_sent(
    create_worker: CreateWorker, streams: Streams, trace: Trace
) -> None:
    """One attempt, three records: those in vain with no time for another try, in their order."""
    down = SendResult(Verdict.TRANSIENT, "resend", "provider_error", "503")
    wrong = SendResult(Verdict.CREDENTIALS, "sendgrid", "provider_credentials", "401")
    earlier = [ProviderCall(down, ended_us=1_000, took_us=400), ProviderCall(wrong, ended_us=2_000, took_us=500)]
    create_worker(FarSide([SendResult(Verdict.SENT, "smtp", provider_message_id="m1", earlier=earlier)]))
    one = delivery()
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, trace_pb2.DELIVERY_STATUS_SENT))
    steps = await trace.steps(one.id)
    assert [(step.status, step.attempt, step.provider, step.reason) for step in steps] == [
        (trace_pb2.DELIVERY_STATUS_RETRYING, 1, "resend", "provider_error"),
        (trace_pb2.DELIVERY_STATUS_RETRYING, 1, "sendgrid", "provider_credentials"),
        (trace_pb2.DELIVERY_STATUS_SENT, 1, "smtp", ""),
    ]
    assert [step.next_attempt_at_us for step in steps] == [0, 0, 0]
    assert [step.send_us for step in steps[:2]] == [400, 500]


async def test_who_asks_for_time_is_waited_for_without_an_attempt(
    create_worker: CreateWorker, streams: Streams, trace: Trace
) -> None:
    """It comes again as the same attempt, by a timer, and leaves no record of the waiting."""
    far_side = FarSide([SendResult(Verdict.POSTPONED, "resend", "provider_throttled", retry_after_s=0.5), YES])
    create_worker(far_side)
    one = delivery()
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, trace_pb2.DELIVERY_STATUS_SENT))
    assert [attempt for _, attempt, _ in far_side.calls] == [1, 1]
    [step] = await trace.steps(one.id)
    assert step.attempt == 1


async def test_a_hung_far_side_holds_its_own_slots_only(
    create_worker: CreateWorker, streams: Streams, trace: Trace
) -> None:
    """What finds no slot waits in TIMERS, uncounted, and goes out when there is room; the neighbour sees nothing."""
    hung = new_id()
    far_side = FarSide(hung={hung})
    create_worker(far_side, slot_limit=2)
    blocked, others = [delivery(hung) for _ in range(6)], [delivery() for _ in range(20)]
    await streams.publish(*map(queued, blocked))
    await eventually(lambda: _equal(trace.waiting(), 4))
    await streams.publish(*map(queued, others))
    await eventually(lambda: _equal(_sent(trace), {one.id for one in others}))
    assert len([id_ for id_ in far_side.attempted if id_ in {one.id for one in blocked}]) == 2
    far_side.free.set()
    await eventually(lambda: _equal(_sent(trace), {one.id for one in (*blocked, *others)}))
    assert {step.attempt for step in await trace.steps()} == {1}
    assert len(far_side.calls) == 26


async def test_past_the_window_the_ledger_is_asked(
    create_worker: CreateWorker, streams: Streams, trace: Trace, neighbours: Beside
) -> None:
    """What was handled before is dropped, what was not goes out, and without the ledger nothing of that age does."""
    old_us = time.time_ns() // 1000 - OLD_US
    handled, waiting, unknown = [delivery(accepted_at_us=old_us) for _ in range(3)]
    replayed = delivery(accepted_at_us=old_us, replay=1)
    neighbours[0].states = {handled.id: SENT, waiting.id: trace_pb2.DELIVERY_STATUS_QUEUED, replayed.id: DEAD}
    neighbours[0].ledger_away = True
    far_side = FarSide()
    in_hand = await streams.in_hand(topology.DELIVERIES)
    create_worker(far_side)
    young = delivery()
    await streams.publish(*map(queued, (handled, waiting, unknown, young)))
    await eventually(lambda: far_side.attempted and len(in_hand) == 3)  # they wait here, and are not let go
    assert far_side.attempted == [young.id]
    neighbours[0].ledger_away = False
    await streams.publish(queued(replayed))
    await eventually(trace.all_acked)
    assert sorted(far_side.attempted) == sorted(one.id for one in (young, waiting, unknown, replayed))


async def test_a_retry_without_its_timer_is_not_recorded(
    create_worker: CreateWorker, streams: Streams, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker refuses the schedule: no record says that a retry is planned before one is, and no attempt is lost."""
    far_side = FarSide([BUSY, YES])
    worker = create_worker(far_side, delays_s=(0.1,))
    asked = asyncio.Event()

    async def refuse(_: nats.Outgoing) -> nats.PublishAck:
        asked.set()
        raise ClarionError(Code.UNAVAILABLE, "away")

    monkeypatch.setattr(worker._timers, "publish", refuse)
    one = delivery()
    await streams.publish(queued(one))
    await eventually(asked.is_set)
    assert await trace.steps() == []
    monkeypatch.undo()
    await eventually(lambda: trace.is_over(one.id, SENT))
    assert [attempt for _, attempt, _ in far_side.calls] == [1, 2]
    assert [(step.attempt, step.status) for step in await trace.steps()] == [(1, RETRYING), (2, SENT)]


async def test_what_is_no_delivery_poisons_nothing(create_worker: CreateWorker, streams: Streams, trace: Trace) -> None:
    """Garbage, an empty message and one without ids are dropped; other deliveries are sent, and none are left."""
    far_side = FarSide()
    create_worker(far_side)
    good = [delivery() for _ in range(2)]
    subject = topology.delivery_subject(event_pb2.CHANNEL_SMS, good[0].tenant_id)
    await streams.publish(
        queued(good[0]),
        nats.Outgoing(subject, b"\xff\xff garbage"),
        nats.Outgoing(subject, b""),
        nats.Outgoing(subject, delivery(event_id="e1").SerializeToString()),
        queued(good[1]),
    )
    await eventually(lambda: len(far_side.calls) == 2)
    await eventually(trace.all_acked)
    assert sorted(far_side.attempted) == sorted(one.id for one in good)


async def test_what_a_later_version_made_is_sent_by_it(
    create_worker: CreateWorker, streams: Streams, trace: Trace
) -> None:
    """This version does not acknowledge what it does not know; a process that knows it gets it."""
    far_side = FarSide()
    older = create_worker(far_side)
    before = _unknown()
    one = delivery(template_version_id="")
    await streams.publish(queued(one))
    await eventually(lambda: _unknown() > before)
    await older.drain()
    assert (far_side.calls, await trace.steps()) == ([], [])
    create_worker(far_side, attempter=_Later(far_side))
    await eventually(lambda: trace.is_over(one.id, SENT))
    await eventually(trace.all_acked)
    assert far_side.attempted == [one.id]


def _unknown() -> float:
    return REGISTRY.get_sample_value("clarion_deliveries_unknown_total") or 0.0


@dataclass
class _Later:
    """The attempter of a later version, which knows deliveries without a template version."""

    far_side: FarSide

    def slot(self, one: event_pb2.Delivery) -> str:
        """Return the far side's."""
        return self.far_side.slot(one)

    async def prepare(self, _: event_pb2.Delivery) -> Prepared[render_pb2.Content]:
        """Return content that came with the delivery."""
        return Prepared(render_pb2.Content(text="Hello"))

    async def send(self, one: event_pb2.Delivery, message: render_pb2.Content) -> SendResult:
        """Send it."""
        return await self.far_side.send(one, message)


async def test_what_crashes_us_every_time_ends_as_a_dead_letter(
    create_worker: CreateWorker, streams: Streams, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some tries it is recorded with the delivery in it, and its message is acked."""
    monkeypatch.setattr(worker_module, "_MAX_CRASHES", 2)
    far_side = FarSide()
    worker = create_worker(far_side)

    def crash(_: event_pb2.Delivery) -> str:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(far_side, "slot", crash)
    one = delivery()
    await streams.redeliver_after(2)
    await streams.publish(queued(one))
    [step] = await eventually(trace.steps)
    assert (step.status, step.reason, step.detail) == (DEAD, "internal_error", "KeyError")
    assert step.dead_letter.id == one.id
    await eventually(trace.all_acked)
    assert not worker._tasks


async def test_the_broker_killed_under_retries(
    create_worker: CreateWorker, streams: Streams, trace: Trace, nats_server: NatsServer
) -> None:
    """Kill -9 of NATS while attempts, retries and timers are under way: every delivery ends as sent."""
    far_side = FarSide([BUSY, YES])
    create_worker(far_side, delays_s=(0.5, 0.5, 0.5))
    ones = [delivery() for _ in range(200)]
    await streams.publish(*map(queued, ones))
    await eventually(lambda: len(far_side.calls) > 50, every=0.001)
    nats_server.kill()
    await asyncio.to_thread(nats_server.start)
    await eventually(lambda: _settled(trace, {one.id for one in ones}), 40)
    await eventually(trace.all_acked, 20)


async def _sent(trace: Trace) -> set[str]:
    return {step.delivery_id for step in await trace.steps() if step.status == SENT}


async def _settled(trace: Trace, ids: set[str]) -> bool:
    try:
        return await _sent(trace) == ids
    except (TimeoutError, OSError):  # the server is on its way back
        return False


async def _traced(trace: Trace, count: int) -> bool:
    return len(await trace.steps()) == count


async def _equal(found: Awaitable[object], wanted: object) -> bool:
    return await found == wanted
