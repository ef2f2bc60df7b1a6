"""Deliveries that wait in rows: when the worker parks, in which order it stores what, and what it does with repeats."""

import dataclasses
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import new_id
from services.delivery.ports import ParkedDelivery, SendResult, Verdict
from services.domain import channels, topology
from services.domain.reasons import Reason
from services.domain.retry_policy import WEBHOOKS
from tests.fakes.parking import MemoryParking
from tests.unit.delivery.desk import (
    BUSY,
    DEAD,
    NOW_US,
    RETRYING,
    SENT,
    SKIPPED,
    YES,
    YOUNG_US,
    Desk,
    Signer,
    a_delivery,
)
from tests.waiting import eventually

S = 1_000_000


class Endpoint(Signer):
    """Gives answers to what is sent."""

    def __init__(self, *answers: SendResult) -> None:
        super().__init__()
        self.answers = list(answers) or [YES]

    async def send(self, delivery: event_pb2.Delivery, message: bytes) -> SendResult:
        """Note it and answer."""
        await super().send(delivery, message)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def parking(monkeypatch: pytest.MonkeyPatch) -> MemoryParking:
    """Rows; and the desk's channel, text messages, parks."""
    changed = dataclasses.replace(channels.BY_NUMBER[event_pb2.CHANNEL_SMS], retry=WEBHOOKS)
    monkeypatch.setitem(channels.BY_NUMBER, event_pb2.CHANNEL_SMS, changed)
    return MemoryParking()


def parked(desk: Desk) -> list[trace_pb2.Parked]:
    """The records of deliveries that wait."""
    batches = [trace_pb2.TraceBatch.FromString(one.payload) for one in desk.broker.messages(topology.TRACE)]
    return [record.parked for batch in batches for record in batch.records if record.HasField("parked")]


def attempted(desk: Desk) -> list[tuple[int, str]]:
    """How the recorded attempts ended."""
    return [(step.status, step.reason) for step in desk.steps if step.delivery_id]


async def test_short_delays_wait_in_timers_long_ones_in_rows(desk: Desk, parking: MemoryParking) -> None:
    """Ten minutes are a timer; an hour is a row, with a record that it waits."""
    desk.start(attempter=Endpoint(BUSY), parking=parking)
    await desk.see(a_delivery(attempt=4))
    assert [one.attempt for one in desk.timers] == [5]
    assert parking.rows == {}
    one = a_delivery(attempt=5)
    await desk.see(one)
    [row] = parking.rows.values()
    assert (row.delivery.attempt, row.reason) == (6, "retry")
    assert 3_600 * S <= row.due_us - NOW_US <= 4_320 * S
    [record] = parked(desk)
    assert (record.delivery_id, record.reason, record.attempt, record.until_us) == (one.id, "retry", 6, row.due_us)
    assert desk.steps[-2].next_attempt_at_us == row.due_us or desk.steps[-1].next_attempt_at_us == row.due_us


async def test_what_is_refused_does_not_wait(desk: Desk, parking: MemoryParking) -> None:
    """A canceled event's delivery to an endpoint that is down ends, because a row outlives the cancellation."""
    endpoint_id = new_id()
    parking.waits[endpoint_id] = Reason.ENDPOINT_DOWN
    desk.start(attempter=Endpoint(), parking=parking, refusals=[lambda _: Reason.CANCELED])
    await desk.see(a_delivery(webhook=event_pb2.Webhook(endpoint_id=endpoint_id)))
    assert parking.rows == {}
    assert desk.endings == [(SKIPPED, "canceled")]


async def test_what_must_wait_is_not_attempted(desk: Desk, parking: MemoryParking) -> None:
    """Its row has the attempt that it would have had, and the name of the message as its claim."""
    endpoint_id = new_id()
    parking.waits[endpoint_id] = Reason.ENDPOINT_DOWN
    endpoint = Endpoint()
    desk.start(attempter=endpoint, parking=parking)
    message = await desk.see(a_delivery(webhook=event_pb2.Webhook(endpoint_id=endpoint_id)))
    [row] = parking.rows.values()
    assert (row.delivery.attempt, row.reason, row.due_us) == (1, "endpoint_down", 0)
    assert row.delivery.claim == f"DELIVERIES.{message.sequence}"
    assert [record.reason for record in parked(desk)] == ["endpoint_down"]
    assert endpoint.sent == []
    assert attempted(desk) == []


async def test_an_attempter_may_park(desk: Desk, parking: MemoryParking) -> None:
    """Verdict.PARKED: this was no attempt."""
    answer = SendResult(Verdict.PARKED, "webhook", Reason.SECRET_UNREADABLE, retry_after_s=60)
    desk.start(attempter=Endpoint(answer), parking=parking)
    await desk.see(a_delivery())
    [row] = parking.rows.values()
    assert (row.delivery.attempt, row.reason, row.due_us) == (1, "secret_unreadable", NOW_US + 60 * S)
    assert attempted(desk) == []


async def test_what_is_postponed_waits_in_a_row(desk: Desk, parking: MemoryParking) -> None:
    """Not in TIMERS, which nothing bounds."""
    answer = SendResult(Verdict.POSTPONED, "webhook", "tenant_unknown")
    desk.start(attempter=Endpoint(answer), parking=parking)
    await desk.see(a_delivery())
    [row] = parking.rows.values()
    assert (row.reason, row.delivery.deferrals) == ("endpoint_busy", 1)
    assert row.due_us > NOW_US
    assert desk.timers == []


async def test_without_the_database_timers_keep_it(desk: Desk, parking: MemoryParking) -> None:
    """A delivery that must wait is deferred, and comes back."""
    endpoint_id = new_id()
    parking.waits[endpoint_id] = Reason.ENDPOINT_DOWN
    parking.is_away = True
    desk.start(attempter=Endpoint(), parking=parking)
    await desk.see(a_delivery(webhook=event_pb2.Webhook(endpoint_id=endpoint_id)))
    [timer] = desk.timers
    assert (timer.deferrals, timer.attempt) == (1, 1)
    assert parked(desk) == []


async def test_too_many_rows_end_in_a_dead_letter(desk: Desk, parking: MemoryParking) -> None:
    """With the delivery, whether it had an attempt or not."""
    parking.bound = 0
    desk.start(attempter=Endpoint(BUSY), parking=parking)
    first = a_delivery(attempt=5, variables=b"{}")
    await desk.see(first)
    assert attempted(desk) == [(RETRYING, "provider_timeout"), (DEAD, "endpoint_backlog_full")]
    assert desk.steps[0].next_attempt_at_us == 0
    assert desk.steps[-1].dead_letter.variables == b"{}"
    endpoint_id = new_id()
    parking.waits[endpoint_id] = Reason.ENDPOINT_DISABLED
    second = a_delivery(webhook=event_pb2.Webhook(endpoint_id=endpoint_id))
    await desk.see(second)
    assert (desk.steps[-1].status, desk.steps[-1].delivery_id) == (DEAD, second.id)
    assert desk.steps[-1].dead_letter.claim == ""
    assert parked(desk) == []


async def test_a_message_that_comes_back_after_its_row_was_stored(desk: Desk, parking: MemoryParking) -> None:
    """The process died before the record: it is written, and nothing is attempted."""
    endpoint = Endpoint(BUSY)
    one = a_delivery(attempt=5)
    desk.start(attempter=endpoint, parking=parking)
    await desk.see(one)
    assert len(endpoint.sent) == 1
    await desk.see(one, deliveries=2)
    assert len(endpoint.sent) == 1
    assert [record.attempt for record in parked(desk)] == [6, 6]


async def test_a_message_that_comes_back_asks_the_ledger(desk: Desk, parking: MemoryParking) -> None:
    """However young it is: its row may have been sent meanwhile."""
    one, over = a_delivery(), a_delivery(attempt=6)
    desk.neighbours.states = {one.id: SENT, over.id: SENT}
    endpoint = Endpoint()
    desk.start(attempter=endpoint, parking=parking)
    await desk.see(one, deliveries=2)
    await desk.see(over, due=True, deliveries=2)
    assert endpoint.sent == []
    await desk.see(one)
    assert len(endpoint.sent) == 1, "the first time it asks only if it is old"


async def test_an_old_delivery_is_claimed_before_it_is_parked(desk: Desk, parking: MemoryParking) -> None:
    """A copy of one whose claim another copy has does not get into the rows."""
    endpoint_id = new_id()
    parking.waits[endpoint_id] = Reason.ENDPOINT_DOWN
    old: dict[str, Any] = {"accepted_at_us": NOW_US - YOUNG_US - S}
    one = a_delivery(webhook=event_pb2.Webhook(endpoint_id=endpoint_id), **old)
    desk.start(attempter=Endpoint(), parking=parking)
    first = await desk.see(one)
    await desk.see(one)
    [row] = parking.rows.values()
    assert row.delivery.claim == f"DELIVERIES.{first.sequence}"
    assert len(parked(desk)) == 1


async def test_the_answer_to_a_stored_row_is_lost(desk: Desk, parking: MemoryParking) -> None:
    """The delivery comes back from TIMERS: while its row is there it is only recorded, and later the ledger knows."""
    endpoint_id = new_id()
    parking.waits[endpoint_id] = Reason.ENDPOINT_BUSY
    parking.loses_answers = True
    endpoint = Endpoint()
    desk.start(attempter=endpoint, parking=parking)
    one = a_delivery(webhook=event_pb2.Webhook(endpoint_id=endpoint_id))
    await desk.see(one)
    [timer] = desk.timers
    parking.loses_answers = False
    parking.waits.clear()
    await desk.see(timer, due=True)
    assert [record.delivery_id for record in parked(desk)] == [one.id]
    parking.rows.clear()
    desk.neighbours.states = {one.id: SENT}
    await desk.see(timer, due=True)
    assert endpoint.sent == []


async def test_the_row_of_a_copy_without_the_claim(desk: Desk, parking: MemoryParking) -> None:
    """A deferred delivery that has the claim does not yield to it: that row will be dropped as a repeat."""
    endpoint_id = new_id()
    parking.waits[endpoint_id] = Reason.ENDPOINT_DOWN
    old: dict[str, Any] = {"accepted_at_us": NOW_US - YOUNG_US - S}
    one = a_delivery(webhook=event_pb2.Webhook(endpoint_id=endpoint_id), claim="DELIVERIES.1", **old)
    await parking.park(ParkedDelivery(one, Reason.ENDPOINT_DOWN))
    desk.start(attempter=Endpoint(), parking=parking)
    one.claim, one.deferrals = "DELIVERIES.2", 1
    await desk.see(one, due=True)
    [row] = parking.rows.values()
    assert row.delivery.claim == "DELIVERIES.2"


async def test_other_channels_do_not_park(desk: Desk) -> None:
    """Without rows a delay is cut to what TIMERS take."""
    desk.start(BUSY, delays_s=(5_000.0,))
    await desk.see(a_delivery())
    [timer] = desk.timers
    assert timer.planned_at_us <= NOW_US + 900 * S
    await eventually(lambda: attempted(desk) == [(RETRYING, "provider_timeout")])
