"""The worker on a broker, a render, a ledger and a far side in memory: what each ending leaves behind."""

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from clarion.render.v1 import render_pb2
from runtime.ids import new_id
from runtime.parts import HUB, RENDER, OwnParts, PartAway
from services.delivery import slots
from services.delivery import worker as module
from services.delivery.ports import ProviderCall, SendResult, Verdict
from services.domain import channels, topology
from services.domain.retry_policy import MESSAGES, RetryPolicy
from tests.fakes.delivery import SMS
from tests.unit.delivery.desk import (
    BUSY,
    DEAD,
    FAILED,
    NOW_US,
    RENDER_SERVICE,
    RETRYING,
    SENT,
    SKIPPED,
    YES,
    Desk,
    Signer,
    a_delivery,
    crash,
)
from tests.waiting import eventually


async def test_what_is_sent_is_recorded_and_acknowledged(desk: Desk) -> None:
    """With its provider, the provider's id and its times; nothing waits."""
    desk.start(YES)
    one = a_delivery()
    await desk.see(one)
    [step] = desk.steps
    assert (step.delivery_id, step.status, step.attempt) == (one.id, SENT, 1)
    assert (step.provider, step.provider_message_id, step.wait_us) == ("test", "m1", 3_000)
    assert (desk.timers, desk.far_side.attempted) == ([], [one.id])


async def test_what_passes_is_tried_again_by_a_timer(desk: Desk) -> None:
    """Stored before the record that promises it: the same delivery with the next attempt, due after its delay."""
    desk.start(BUSY, delays_s=(30.0, 60.0))
    one = a_delivery(variables=b'{"a":1}')
    message = await desk.see(one)
    [again], [step] = desk.timers, desk.steps
    assert (step.status, step.reason, step.next_attempt_at_us) == (RETRYING, "provider_timeout", again.planned_at_us)
    assert 30 <= (again.planned_at_us - NOW_US) / 1e6 <= 30 * (1 + MESSAGES.jitter)
    assert (again.id, again.attempt, again.deferrals, again.variables) == (one.id, 2, 0, one.variables)
    assert [stored.stream for stored in desk.broker.stored] == [message.stream, topology.TIMERS, topology.TRACE]
    [timer] = desk.broker.messages(topology.TIMERS)
    due = dt.datetime.fromtimestamp(again.planned_at_us / 1e6, dt.UTC)
    assert timer.headers["Nats-Schedule"] == f"@at {due.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}"
    assert timer.headers["Nats-Schedule-Target"] == topology.due_subject(SMS, one.tenant_id)


async def test_after_the_last_attempt_it_is_a_dead_letter(desk: Desk) -> None:
    """The record carries the delivery whole, for a replay; no timer is set."""
    desk.start(BUSY, delays_s=(30.0,))
    one = a_delivery(attempt=2, variables=b'{"a":1}', recipient=event_pb2.Recipient(user_id="u"))
    await desk.see(one, due=True)
    [step] = desk.steps
    assert (step.status, step.attempt, step.dead_letter) == (DEAD, 2, one)
    assert desk.timers == []


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (SendResult(Verdict.PERMANENT, "test", "recipient_refused"), (FAILED, "recipient_refused")),
        (SendResult(Verdict.SKIPPED, "test", "missing_recipient"), (SKIPPED, "missing_recipient")),
        (SendResult(Verdict.CREDENTIALS, "test", "provider_credentials"), (RETRYING, "provider_credentials")),
        (SendResult(Verdict.THROTTLED, "test", "provider_throttled"), (RETRYING, "provider_throttled")),
        (RuntimeError("a fault of ours"), (RETRYING, "internal_error")),
    ],
)
async def test_each_verdict_has_its_ending(desk: Desk, answer: Any, ending: tuple[int, str]) -> None:
    """A final no and a late skip end it; the rest is tried again, also our own fault. Each is one record."""
    desk.start(answer, delays_s=(30.0,))
    await desk.see(a_delivery())
    assert desk.endings == [ending]
    assert len(desk.timers) == (ending[0] == RETRYING)


async def test_an_attempt_that_hangs_is_cut_off(desk: Desk) -> None:
    """At its deadline: a timeout, tried again."""
    one = a_delivery()
    desk.far_side.hung.add(one.tenant_id)
    desk.start(attempt_deadline_s=0.001)
    await desk.see(one)
    assert desk.endings == [(RETRYING, "provider_timeout")]


async def test_providers_in_vain_are_recorded_before_the_last_one(desk: Desk) -> None:
    """One attempt, a record for each that was asked; only the last one's decides."""
    desk.start(
        SendResult(
            Verdict.SENT, "b", earlier=[ProviderCall(SendResult(Verdict.TRANSIENT, "a", "provider_error"), 1_000, 400)]
        )
    )
    await desk.see(a_delivery())
    assert [(step.provider, step.status, step.attempt) for step in desk.steps] == [("a", RETRYING, 1), ("b", SENT, 1)]
    assert desk.timers == []


async def test_who_asks_for_time_gets_it_without_an_attempt(desk: Desk) -> None:
    """The same attempt comes again, later than that; nothing is recorded."""
    desk.start(SendResult(Verdict.POSTPONED, "test", "provider_throttled", retry_after_s=40))
    await desk.see(a_delivery())
    [again] = desk.timers
    assert (again.attempt, again.deferrals, desk.steps) == (1, 1, [])
    assert again.planned_at_us >= NOW_US + 40_000_000


async def test_time_is_not_asked_for_for_ever(desk: Desk) -> None:
    """After so many times it counts as an attempt."""
    desk.start(SendResult(Verdict.POSTPONED, "test", "provider_throttled", retry_after_s=40), delays_s=(30.0,))
    await desk.see(a_delivery(deferrals=MESSAGES.max_postponements), due=True)
    assert desk.endings == [(RETRYING, "provider_throttled")]
    assert desk.timers[0].attempt == 2


async def test_what_finds_no_slot_waits_uncounted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hung far side holds its own slots; the neighbour's delivery goes out, and a slot that comes free is used."""
    monkeypatch.setattr(slots, "ALIVE_S", -1.0)
    hung = new_id()
    desk.far_side.hung.add(hung)
    desk.start(slot_limit=1)
    holder = await desk.take(a_delivery(tenant_id=hung))
    await eventually(lambda: desk.far_side.calls, every=0)
    blocked, other = a_delivery(tenant_id=hung), a_delivery()
    await desk.see(blocked)
    await desk.see(other)
    [again] = desk.timers
    assert (again.id, again.attempt, again.deferrals) == (blocked.id, 1, 1)
    assert [step.delivery_id for step in desk.steps] == [other.id]
    desk.far_side.free.set()
    await eventually(lambda: holder.acked, every=0)
    await desk.see(again, due=True)
    assert desk.far_side.attempted[-1] == blocked.id


async def test_a_last_word_against_it(desk: Desk) -> None:
    """A suppression since it was routed: skipped for the first reason, and neither render nor the provider is asked."""
    refusals = [
        lambda _: "",
        lambda one: "unsubscribed" if one.attempt == 2 else "",
        lambda one: "late" * (one.attempt == 2),
    ]
    desk.start(refusals=refusals)
    await desk.see(a_delivery(attempt=2), due=True)
    assert desk.endings == [(SKIPPED, "unsubscribed")]
    assert (desk.caller.asked, desk.far_side.calls) == ([], [])
    await desk.see(a_delivery())
    assert desk.endings[1:] == [(SENT, "")]


@pytest.mark.parametrize(
    ("rendered", "ending"),
    [
        (render_pb2.RenderResult(content=render_pb2.Content(is_empty=True)), (SKIPPED, "empty_content")),
        (
            render_pb2.RenderResult(failure=render_pb2.RenderFailure(reason="template_error")),
            (FAILED, "template_error"),
        ),
    ],
)
async def test_what_cannot_be_sent_asks_no_provider(desk: Desk, rendered: Any, ending: tuple[int, str]) -> None:
    """Nothing to send, or nothing that can be rendered: both are final."""
    desk.neighbours.rendered = rendered
    desk.start()
    await desk.see(a_delivery())
    assert (desk.endings, desk.far_side.calls) == ([ending], [])


async def test_a_render_without_time_is_no_attempt(desk: Desk) -> None:
    """That delivery alone is put off."""
    desk.neighbours.rendered = render_pb2.RenderResult(failure=render_pb2.RenderFailure(reason="no_turn"))
    desk.start()
    await desk.see(a_delivery())
    assert [(again.attempt, again.deferrals) for again in desk.timers] == [(1, 1)]
    assert (desk.steps, desk.far_side.calls) == ([], [])


async def test_a_render_that_is_away_is_waited_for_in_hand(desk: Desk) -> None:
    """No attempt, no timer, no acknowledgement; it goes on when render is back."""
    desk.caller.away.add(RENDER_SERVICE)
    own = OwnParts()
    desk.start(own=own)
    message = await desk.take(a_delivery())
    await eventually(lambda: own.is_away(RENDER), every=0)
    assert (message.acked, desk.steps, desk.timers, desk.far_side.calls) == (False, [], [], [])
    desk.caller.away.clear()
    await eventually(lambda: message.acked)
    assert desk.endings == [(SENT, "")]


async def test_what_may_not_wait_in_hand_waits_by_a_timer(desk: Desk) -> None:
    """Where no more may be set aside for a part that others do not need."""
    desk.start(PartAway(HUB, "hub_away"), may_defer={HUB}, max_held=4)
    for puller in desk.worker._pullers:
        puller._window._max_aside = 0
    await desk.see(a_delivery())
    assert [(again.attempt, again.deferrals) for again in desk.timers] == [(1, 1)]
    assert desk.steps == []


async def test_a_body_that_stands_elsewhere_is_read(desk: Desk) -> None:
    """From EVENTS while it is there, else from the ledger."""
    event = event_pb2.Event(id=new_id(), tenant_id=new_id(), variables=b'{"a":1}', payload_extra=b"{}")
    stored = await desk.broker.put(topology.event_subject(event.tenant_id), event.SerializeToString())
    reference = event_pb2.BodyReference(sequence=stored.sequence, size=9)
    desk.start()
    await desk.see(a_delivery(event_id=event.id, body_reference=reference))
    elsewhere = a_delivery(body_reference=reference)
    desk.neighbours.bodies[elsewhere.event_id] = ledger_pb2.GetEventBodyResponse(variables=b'{"b":2}')
    await desk.see(elsewhere)
    assert [item.variables for item in desk.neighbours.items] == [b'{"a":1}', b'{"b":2}']
    assert desk.endings == [(SENT, ""), (SENT, "")]


@pytest.mark.parametrize(("deferrals", "timers", "endings"), [(0, [1], []), (20, [], [(FAILED, "content_deleted")])])
async def test_a_body_that_is_nowhere(
    desk: Desk, deferrals: int, timers: Sequence[int], endings: Sequence[tuple[int, str]]
) -> None:
    """It may not have been read by the ledger yet; after many tries it was deleted, and the delivery fails."""
    desk.start()
    one = a_delivery(body_reference=event_pb2.BodyReference(sequence=9, size=9), deferrals=deferrals)
    await desk.see(one, due=deferrals > 0)
    assert [again.deferrals for again in desk.timers] == timers
    assert (desk.endings, desk.far_side.calls) == (endings, [])


@pytest.mark.parametrize("payload", [b"", b"\xff\xff garbage", a_delivery(event_id="e1").SerializeToString()])
async def test_what_is_no_delivery_is_dropped(desk: Desk, payload: bytes) -> None:
    """It would come again for ever; its neighbour is sent."""
    desk.start()
    subject = topology.delivery_subject(SMS, new_id())
    message = await desk.broker.put(subject, payload)
    await eventually(lambda: message.acked, every=0)
    await desk.see(a_delivery())
    assert len(desk.steps) == 1


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"channel": 0}, id="another destination than a message"),
        pytest.param({"channel": 99}, id="channel"),
        pytest.param({"channel": event_pb2.CHANNEL_PUSH}, id="channel of other workers"),
        pytest.param({"template_version_id": ""}, id="content of another kind"),
        pytest.param({"accepted_at_us": 1}, id="status"),
    ],
)
async def test_what_a_later_version_made_is_left_to_it(desk: Desk, fields: dict[str, Any]) -> None:
    """It is released and never acknowledged, however often it comes; its neighbour is sent."""
    desk.start(delays_s=())
    one = a_delivery(**fields)
    desk.neighbours.states[one.id] = trace_pb2.DeliveryStatus.ValueType(99)
    message = await desk.take(one)
    for times in range(1, module._MAX_CRASHES + 2):
        await eventually(lambda times=times: message.deliveries == times and not desk.worker._tasks, every=0)
        await desk.broker.redeliver()
    neighbour = a_delivery()
    await desk.see(neighbour)
    assert (message.acked, desk.timers, desk.far_side.attempted) == (False, [], [neighbour.id])
    assert [step.delivery_id for step in desk.steps] == [neighbour.id]


async def test_only_the_attempter_knows_what_is_sent(desk: Desk) -> None:
    """The worker passes on what was prepared and asks no render; the record has the attempter's details."""
    signer = Signer()
    desk.start(attempter=signer)
    await desk.see(a_delivery(variables=b"{}", template_version_id=""))
    [step] = desk.steps
    assert (signer.sent, desk.caller.asked) == ([b"signed {}"], [])
    assert (step.status, step.sms_segments, step.sms_encoding) == (SENT, 2, "UCS-2")


async def test_the_record_tells_how_long_a_text_is(desk: Desk) -> None:
    """As render counted it."""
    desk.neighbours.rendered.content.CopyFrom(render_pb2.Content(text="Hi", sms_segments=3, sms_encoding="GSM-7"))
    desk.start()
    await desk.see(a_delivery())
    [step] = desk.steps
    assert (step.sms_segments, step.sms_encoding) == (3, "GSM-7")


async def test_a_channel_has_its_own_retries(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the list of channels."""
    policy = RetryPolicy((7.0,), jitter=0.0, max_postponements=0)
    monkeypatch.setitem(channels.BY_NUMBER, SMS, dataclasses.replace(channels.BY_NUMBER[SMS], retry=policy))
    desk.start(BUSY, SendResult(Verdict.POSTPONED, "test", "provider_busy"))
    await desk.see(a_delivery())
    [again] = desk.timers
    assert again.planned_at_us == NOW_US + 7_000_000
    await desk.see(again, due=True)
    assert desk.endings == [(RETRYING, "provider_timeout"), (DEAD, "provider_busy")]


async def test_acrash_of_ours_comes_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is let go unacknowledged, takes nobody with it, and is seen through when it no longer crashes."""
    desk.start()
    with monkeypatch.context() as patch:
        patch.setattr(desk.far_side, "slot", crash)
        message = await desk.take(a_delivery())
        await eventually(lambda: message.deliveries == 1 and not desk.worker._tasks, every=0)
        assert (message.acked, desk.steps) == (False, [])
    await desk.see(a_delivery())
    await desk.broker.redeliver()
    await eventually(lambda: message.acked, every=0)
    assert desk.endings == [(SENT, ""), (SENT, "")]


async def test_whatcrashes_us_every_time_is_buried(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the delivery in the record; unacknowledged for ever it would keep its stream full."""
    monkeypatch.setattr(desk.far_side, "slot", crash)
    desk.start()
    one = a_delivery()
    await desk.see(one, deliveries=module._MAX_CRASHES - 1)
    [step] = desk.steps
    assert (step.status, step.reason, step.detail, step.dead_letter) == (DEAD, "internal_error", "KeyError", one)


@pytest.mark.parametrize("stream", [topology.TIMERS, topology.TRACE])
async def test_what_the_broker_does_not_take_is_kept_at_without_another_attempt(desk: Desk, stream: str) -> None:
    """A full stream: no acknowledgement, no record of a retry before its timer; then both, once."""
    desk.broker.full.add(stream)
    desk.start(BUSY, delays_s=(30.0,))
    message = await desk.take(a_delivery())
    await eventually(lambda: desk.far_side.calls, every=0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert (message.acked, desk.steps) == (False, [])
    desk.broker.full.clear()
    await eventually(lambda: message.acked)
    assert (len(desk.far_side.calls), len(desk.timers), desk.endings) == (1, 1, [(RETRYING, "provider_timeout")])


async def test_draining_finishes_what_is_in_hand(desk: Desk) -> None:
    """The attempt under way is recorded and acknowledged; what comes meanwhile is left to others."""
    one = a_delivery()
    desk.far_side.hung.add(one.tenant_id)
    desk.start()
    message = await desk.take(one)
    await eventually(lambda: desk.far_side.calls, every=0)
    draining = asyncio.create_task(desk.worker.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    desk.far_side.free.set()
    await draining
    later = await desk.take(a_delivery())
    assert (message.acked, desk.endings, later.acked) == (True, [(SENT, "")], False)


async def test_draining_leaves_what_the_broker_does_not_take(desk: Desk) -> None:
    """It ends all the same, and the delivery comes again elsewhere."""
    desk.broker.full.add(topology.TRACE)
    desk.start()
    message = await desk.take(a_delivery())
    await eventually(lambda: desk.far_side.calls, every=0)
    await desk.worker.drain()
    assert (message.acked, desk.steps) == (False, [])


async def test_draining_waits_for_no_part_of_ours(desk: Desk) -> None:
    """A delivery that waits for render is let go."""
    desk.caller.away.add(RENDER_SERVICE)
    own = OwnParts()
    desk.start(own=own)
    message = await desk.take(a_delivery())
    await eventually(lambda: own.is_away(RENDER), every=0)
    await desk.worker.drain()
    assert (message.acked, desk.far_side.calls) == (False, [])
