"""Deliveries to endpoints are sent again under their ids, on real PostgreSQL and NATS."""

import asyncio
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.claims.store import Claim, ClaimStore
from tests.integration.ingest import builders, webhooks
from tests.integration.ingest.builders import DEAD, QUEUED, RETRYING, SENT, SKIPPED
from tests.integration.ingest.ledger import Ledger
from tests.integration.ingest.webhooks import FAILED
from tests.streams import Streams

A, B = new_id(), new_id()


async def _know(ledger: Ledger, status: Any, reason: str = "", **fields: Any) -> event_pb2.Event:
    """Store an event whose delivery to A ended so, and to B was sent."""
    event = webhooks.event(ledger.tenant, A, B, weight=10, **fields)
    await ledger.write(
        event,
        webhooks.plan(event),
        webhooks.attempted(event, A, status, 3, reason=reason),
        webhooks.attempted(event, B, SENT),
    )
    return event


async def _retry(ledger: Ledger, event: event_pb2.Event) -> ledger_pb2.DeliverySummary:
    delivery_id = webhooks.delivery(event, A)
    answer = await ledger.call("RetryDelivery", tenant_id=ledger.tenant, delivery_id=delivery_id)
    delivery: ledger_pb2.DeliverySummary = answer.delivery
    return delivery


async def _published(streams: Streams) -> list[event_pb2.Delivery]:
    return [event_pb2.Delivery.FromString(data) for data in await streams.messages("DELIVERIES")]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(DEAD, ""), (FAILED, "endpoint_answered_gone"), (SKIPPED, "skipped_by_hand"), (SKIPPED, "endpoint_gone")],
)
async def test_it_is_sent_again_under_its_id(ledger: Ledger, streams: Streams, status: Any, reason: str) -> None:
    """With and without a dead letter: a first attempt of the next replay, with the body as it was accepted."""
    event = await _know(ledger, status, reason, variables=b'{ "b": 1, "a": 2 }')
    assert (await ledger.backlog())[:2] == (0, 0)
    answer = await _retry(ledger, event)
    assert (answer.status, answer.endpoint_id, answer.parked) == (QUEUED, A, "")
    [delivery] = await _published(streams)
    assert (delivery.id, delivery.attempt, delivery.replay) == (webhooks.delivery(event, A), 1, 1)
    assert (delivery.webhook.endpoint_id, delivery.variables) == (A, b'{ "b": 1, "a": 2 }')
    assert (await streams.headers("DELIVERIES"))[0]["Nats-Msg-Id"] == f"{delivery.id}.1"
    assert await ledger.backlog() == (1, 10, 0)
    assert not (await ledger.event(event.id)).finished_at_us
    assert not (await ledger.call("ListDeadLetters", tenant_id=ledger.tenant)).dead_letters
    await ledger.write(webhooks.attempted(event, A, SENT, 1, replay=1))
    assert await ledger.backlog() == (0, 0, 0)
    event_now = await ledger.event(event.id)
    assert event_now.finished_at_us
    assert {one.status: one.count for one in event_now.counts} == {SENT: 2}


@pytest.mark.parametrize(("status", "reason"), [(SENT, ""), (RETRYING, ""), (SKIPPED, "canceled")])
async def test_what_did_not_fail_is_not_sent_again(ledger: Ledger, streams: Streams, status: Any, reason: str) -> None:
    """CONFLICT, and nothing changes."""
    event = await _know(ledger, status, reason)
    with pytest.raises(ClarionError) as refusal:
        await _retry(ledger, event)
    assert refusal.value.code is Code.CONFLICT
    assert await _published(streams) == []


async def test_without_its_content_it_is_not_sent_again(ledger: Ledger, streams: Streams) -> None:
    """CONFLICT, although there is a dead letter: what the endpoint would answer could not be deleted in time."""
    event = await _know(ledger, DEAD)
    await ledger.pool.execute("DELETE FROM ingest.event_payloads")
    with pytest.raises(ClarionError) as refusal:
        await _retry(ledger, event)
    assert refusal.value.code is Code.CONFLICT
    with pytest.raises(ClarionError) as refusal:
        await ledger.call("ReplayDeadLetter", delivery_id=webhooks.delivery(event, A))
    assert refusal.value.code is Code.CONFLICT
    assert await _published(streams) == []


async def test_two_at_once_send_it_once(ledger: Ledger, streams: Streams) -> None:
    """One succeeds, the other one receives CONFLICT."""
    event = await _know(ledger, DEAD)
    results = await asyncio.gather(*[_retry(ledger, event) for _ in range(4)], return_exceptions=True)
    refused = [result for result in results if isinstance(result, ClarionError)]
    assert [error.code for error in refused] == [Code.CONFLICT] * 3
    assert len(await _published(streams)) == 1
    assert await ledger.backlog() == (1, 10, 0)


async def test_a_large_body_is_read_from_the_ledger(ledger: Ledger, streams: Streams) -> None:
    """The delivery refers to it, without a sequence of EVENTS."""
    body = b'{"text":"' + b"x" * 50_000 + b'"}'
    event = await _know(ledger, FAILED, variables=body)
    await _retry(ledger, event)
    [delivery] = await _published(streams)
    assert (delivery.variables, delivery.body_reference.sequence) == (b"", 0)
    assert delivery.body_reference.size >= len(body)
    answer = await ledger.call("GetEventBody", tenant_id=ledger.tenant, event_id=event.id)
    assert answer.variables == body


async def test_it_may_be_sent_again_and_again(ledger: Ledger, streams: Streams) -> None:
    """Each time with the next replay; a record of the time before changes nothing any more."""
    event = await _know(ledger, DEAD)
    for replay in (1, 2):
        await _retry(ledger, event)
        await ledger.write(webhooks.attempted(event, A, DEAD, 3, replay=replay - 1))
        assert (await ledger.event(event.id)).deliveries[0].status in (QUEUED, SENT)
        await ledger.write(webhooks.attempted(event, A, DEAD, 1, replay=replay))
    assert [delivery.replay for delivery in await _published(streams)] == [1, 2]


async def test_what_was_skipped_while_it_was_parked_is_not_shown_as_parked(ledger: Ledger) -> None:
    """The parking was of the time before; then it is parked anew, and leaves the quota again."""
    event = webhooks.event(ledger.tenant, A, weight=10)
    await ledger.write(event, webhooks.plan(event), webhooks.parked(event, A, attempt=5))
    await ledger.write(webhooks.attempted(event, A, SKIPPED, 4, reason="skipped_by_hand"))
    assert (await _retry(ledger, event)).parked == ""
    assert await ledger.backlog() == (1, 10, 0)
    await ledger.write(webhooks.parked(event, A, attempt=1, replay=1))
    [one] = (await ledger.event(event.id)).deliveries
    assert (one.parked, one.status) == ("endpoint_down", QUEUED)
    assert await ledger.backlog() == (0, 0, 0)


async def test_counters_of_a_large_fan_out(ledger: Ledger) -> None:
    """A retry moves one delivery from DEAD to QUEUED, and the event is finished once more when it is sent."""
    endpoints = [A, *(new_id() for _ in range(600))]
    event = webhooks.event(ledger.tenant, *endpoints)
    parts = builders.parts(event, [webhooks.planned(event, endpoint) for endpoint in endpoints])
    ends = [webhooks.attempted(event, endpoint, DEAD if endpoint == A else SENT) for endpoint in endpoints]
    await ledger.write(event, *parts, *ends)
    await _retry(ledger, event)
    assert {one.status: one.count for one in (await ledger.event(event.id)).counts} == {QUEUED: 1, SENT: 600}
    await ledger.write(webhooks.attempted(event, A, SENT, 1, replay=1))
    event_now = await ledger.event(event.id)
    assert {one.status: one.count for one in event_now.counts} == {SENT: 601}
    assert event_now.finished_at_us


async def test_a_copy_of_the_time_before_is_not_sent(ledger: Ledger) -> None:
    """Claims know by the replay which copy may go; a parked delivery may."""
    event = await _know(ledger, FAILED)
    await _retry(ledger, event)
    claims = ClaimStore(ledger.pool)
    id_ = webhooks.delivery(event, A)
    old, new = await claims.claim([Claim(id_, 0, "DELIVERIES.1"), Claim(id_, 1, "DELIVERIES.2")])
    assert (old.status, new.status, new.is_held_by_another) == (DEAD, QUEUED, False)
    await ledger.write(webhooks.parked(event, A, replay=1))
    [again] = await claims.claim([Claim(id_, 1, "DELIVERIES.2")])
    assert (again.status, again.is_held_by_another) == (QUEUED, False)
