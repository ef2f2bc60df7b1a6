"""Deliveries that refer to what their event carried: where it is read, and what happens while it cannot be."""

import asyncio
from functools import partial
from typing import TypeAlias

import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from runtime import nats
from runtime.ids import new_id
from runtime.parts import INGEST, OwnParts
from services.delivery import rendered
from services.delivery.ports import SendResult, Verdict
from services.domain import direct_messages, topology
from tests.fakes.delivery import FarSide, Neighbours, delivery, queued
from tests.integration.delivery.conftest import CreateWorker, Trace
from tests.streams import Streams
from tests.waiting import eventually

SENT, FAILED = trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_FAILED
VARIABLES, EXTRA = b'{"rows":"' + b"x" * 200_000 + b'"}', b'{"a":1}'
BUSY = SendResult(Verdict.TRANSIENT, "test", reason="provider_timeout")

Beside: TypeAlias = tuple[Neighbours, str]


def referring(sequence: int) -> event_pb2.Delivery:
    """A delivery of a large event."""
    reference = event_pb2.BodyReference(sequence=sequence, size=len(VARIABLES) + len(EXTRA))
    return delivery(body_reference=reference)


async def stored(connection: Client, one: event_pb2.Delivery) -> event_pb2.Delivery:
    """Put the delivery's event into EVENTS, and return the delivery with its place."""
    event = event_pb2.Event(id=one.event_id, tenant_id=one.tenant_id, variables=VARIABLES, payload_extra=EXTRA)
    outgoing = nats.Outgoing(topology.event_subject(one.tenant_id), event.SerializeToString())
    place = await nats.StreamPublisher(connection).publish(outgoing)
    one.body_reference.sequence = place.sequence
    return one


async def test_the_body_is_read_from_events(
    create_worker: CreateWorker, streams: Streams, trace: Trace, connection: Client, neighbours: Beside
) -> None:
    """What is rendered is what the event carried; the ledger is not asked."""
    neighbours[0].ledger_away = True
    far_side = FarSide()
    create_worker(far_side)
    one = await stored(connection, referring(0))
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, SENT))
    [item] = neighbours[0].items
    assert (item.variables, item.fallback) == (VARIABLES, EXTRA)


async def test_deliveries_of_one_event_share_a_reading(
    create_worker: CreateWorker, streams: Streams, trace: Trace, connection: Client, neighbours: Beside
) -> None:
    """What was read for one of them serves the others, though EVENTS and the ledger have let it go."""
    create_worker(FarSide())
    one = await stored(connection, referring(0))
    others = [event_pb2.Delivery() for _ in range(3)]
    for other in others:
        other.CopyFrom(one)
        other.id = new_id()
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, SENT))
    await connection.jetstream().purge_stream(topology.EVENTS)
    await streams.publish(*map(queued, others))
    await asyncio.gather(*[eventually(partial(trace.is_over, other.id, SENT)) for other in others])
    assert {(item.variables, item.fallback) for item in neighbours[0].items} == {(VARIABLES, EXTRA)}


async def test_a_retry_waits_as_a_reference(
    create_worker: CreateWorker, streams: Streams, trace: Trace, connection: Client
) -> None:
    """Neither TIMERS nor a dead letter on TRACE holds the body again."""
    create_worker(FarSide([BUSY]), delays_s=(0.1,))
    one = await stored(connection, referring(0))
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, trace_pb2.DELIVERY_STATUS_DEAD))
    sizes = [len(data) for stream in (topology.TIMERS, topology.TRACE) for data in await streams.messages(stream)]
    assert sizes
    assert max(sizes) < 2000


@pytest.mark.parametrize("place", ["purged", "another event's"])
async def test_the_ledger_has_what_events_has_not(
    create_worker: CreateWorker, streams: Streams, trace: Trace, connection: Client, neighbours: Beside, place: str
) -> None:
    """After the stream was purged, or made again so that the place is another event's."""
    create_worker(FarSide())
    one = referring(12_345)
    if place != "purged":
        one.body_reference.sequence = (await stored(connection, referring(0))).body_reference.sequence
    neighbours[0].bodies[one.event_id] = ledger_pb2.GetEventBodyResponse(variables=VARIABLES, payload_extra=EXTRA)
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, SENT))
    assert neighbours[0].items[0].variables == VARIABLES


async def test_without_its_body_a_delivery_waits(
    create_worker: CreateWorker, streams: Streams, trace: Trace, neighbours: Beside
) -> None:
    """The stream has let it go and the ledger is away: it waits in hand, unattempted; when that is back, it is sent."""
    neighbours[0].ledger_away = True
    far_side, own = FarSide(), OwnParts()
    create_worker(far_side, own=own)
    one = referring(12_345)
    await streams.publish(queued(one))
    await eventually(lambda: _is_away(own))
    assert (far_side.calls, await trace.steps(), await trace.waiting()) == ([], [], 0)
    neighbours[0].bodies[one.event_id] = ledger_pb2.GetEventBodyResponse(variables=VARIABLES)
    neighbours[0].ledger_away = False
    await eventually(lambda: trace.is_over(one.id, SENT))
    assert [attempt for _, attempt, _ in far_side.calls] == [1]


async def test_a_body_that_is_gone_ends_the_delivery(
    create_worker: CreateWorker, streams: Streams, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention deleted it: after some waiting the timeline says so."""
    monkeypatch.setattr(rendered, "_MAX_BODY_DEFERRALS", 1)
    far_side = FarSide()
    create_worker(far_side)
    one = referring(12_345)
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, FAILED))
    assert [step.reason for step in await trace.steps()] == ["content_deleted"]
    assert far_side.calls == []


@pytest.mark.parametrize("place", ["EVENTS", "the ledger"])
async def test_a_large_content_of_a_direct_message(
    create_worker: CreateWorker,
    streams: Streams,
    trace: Trace,
    connection: Client,
    neighbours: Beside,
    place: str,
) -> None:
    """It is read with the rest of the body, and rendered in place of a template."""
    create_worker(FarSide())
    content = event_pb2.DirectContent(body="x" * 50_000)
    direct = event_pb2.DirectMessage(channel=event_pb2.CHANNEL_SMS, content_given=content)
    one = referring(12_345)
    one.template_version_id = ""
    one.direct.CopyFrom(direct_messages.without_content(direct))
    event = event_pb2.Event(id=one.event_id, tenant_id=one.tenant_id, variables=VARIABLES, direct=direct)
    if place == "EVENTS":
        outgoing = nats.Outgoing(topology.event_subject(one.tenant_id), event.SerializeToString())
        one.body_reference.sequence = (await nats.StreamPublisher(connection).publish(outgoing)).sequence
    else:
        neighbours[0].bodies[one.event_id] = ledger_pb2.GetEventBodyResponse(variables=VARIABLES, event=event)
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, SENT))
    assert neighbours[0].items[0].variables == VARIABLES
    assert [template.body for template in neighbours[0].requests[0].templates] == [content.body]


async def test_a_content_that_was_deleted_ends_the_delivery(
    create_worker: CreateWorker, streams: Streams, trace: Trace, neighbours: Beside
) -> None:
    """The ledger has the event, but not what was to be sent: nothing empty is sent in its place."""
    far_side = FarSide()
    create_worker(far_side)
    one = referring(12_345)
    one.template_version_id = ""
    one.direct.channel = event_pb2.CHANNEL_SMS
    neighbours[0].bodies[one.event_id] = ledger_pb2.GetEventBodyResponse(variables=VARIABLES)
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, FAILED))
    assert [step.reason for step in await trace.steps()] == ["content_deleted"]
    assert far_side.calls == []


async def test_a_secret_whose_body_is_gone_is_not_waited_for(
    create_worker: CreateWorker, streams: Streams, trace: Trace
) -> None:
    """The replay of a dead letter ends at once: its body was kept only for sending."""
    create_worker(FarSide())
    one = referring(0)
    one.is_secret, one.replay = True, 1
    await streams.publish(queued(one))
    await eventually(lambda: trace.is_over(one.id, FAILED))
    assert [step.reason for step in await trace.steps()] == ["content_deleted"]


async def _is_away(own: OwnParts) -> bool:
    return own.is_away(INGEST)
