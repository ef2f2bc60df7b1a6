"""delivery.rendered.MessageSender: the senders' and realtime's, and the far side of the worker's tests."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime.ids import new_id
from runtime.parts import HUB, POSTGRES, OwnParts, PartAway
from services.delivery.ports import SendResult, Verdict
from services.delivery.rendered import MessageSender
from services.domain import topology
from services.realtime.ports import PublishOutcome, PublishResult
from services.realtime.push import Push
from services.senders.directory import ConfiguredDirectory
from services.senders.http import HttpClient
from services.senders.ports import Resources
from services.senders.send import ProviderSender
from tests.fakes.configuration import MemoryWatch
from tests.fakes.delivery import FarSide, delivery
from tests.fakes.realtime import MemoryDirectory, MemoryHub, MemoryInbox
from tests.fakes.senders import MemoryOwner, MemoryRecorder
from tests.unit.senders.builders import guard

_CONTENT = render_pb2.Content(title="Paid", subject="Paid", body="Thank you", text="Thank you", html="<p>Thanks</p>")


@dataclass
class Subject:
    """An implementation, and the world around it."""

    sender: MessageSender
    channel: event_pb2.Channel.ValueType
    # How many messages went out.
    sent: Callable[[], int]
    # A part of ours goes away, and comes back.
    lose: Callable[[], None]
    find: Callable[[], None]
    own: OwnParts = field(default_factory=OwnParts)

    def delivery(self, tenant_id: str = "", **fields: Any) -> event_pb2.Delivery:
        """Return a delivery of this channel."""
        recipient = event_pb2.Recipient(user_id="u1", phone="+254712345678", email="ada@example.org")
        return delivery(tenant_id, **{"channel": self.channel, "recipient": recipient, "provider_id": "p1", **fields})


def _fake() -> Subject:
    far_side = FarSide()
    said = list(far_side.answers)

    def lose() -> None:
        far_side.answers = [PartAway(POSTGRES)]

    def find() -> None:
        far_side.answers = said

    # An attempt that found a part away is a call, too, but nothing went out.
    return Subject(
        far_side, event_pb2.CHANNEL_SMS, lambda: len(far_side.calls) if far_side.answers == said else 0, lose, find
    )


def _senders() -> Subject:
    recorder = MemoryRecorder()
    directory = ConfiguredDirectory(MemoryOwner())
    sender = ProviderSender(directory, Resources(recorder, HttpClient(guard()), guard()), lambda _: {})
    watch = MemoryWatch(directory.on_change)
    record = {"id": "p1", "channel": "SMS", "kind": "sandbox", "settings": {}, "secrets": ""}
    watch.put(topology.providers_key(_TENANT), json.dumps([record]).encode())

    def lose() -> None:
        recorder.failure = PartAway(POSTGRES)

    def find() -> None:
        recorder.failure = None

    return Subject(sender, event_pb2.CHANNEL_SMS, lambda: len(recorder.texts), lose, find)


def _realtime() -> Subject:
    hub, own = MemoryHub(), OwnParts()
    push = Push(MemoryInbox(), MemoryDirectory(), hub, own=own)

    def lose() -> None:
        hub.answer = PublishResult(PublishOutcome.AWAY, "hub_error", "away")

    def find() -> None:
        hub.answer = PublishResult(PublishOutcome.DONE)

    return Subject(push, event_pb2.CHANNEL_PUSH, lambda: sum(map(len, hub.published.values())), lose, find, own)


_TENANT = new_id()
_SUBJECTS = {"fake": _fake, "senders": _senders, "realtime": _realtime}


@pytest.fixture(params=list(_SUBJECTS))
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    return _SUBJECTS[request.param]()


async def test_what_is_sent_is_a_result(subject: Subject) -> None:
    """With the kind of provider that took it."""
    result = await subject.sender.send(subject.delivery(_TENANT), _CONTENT)
    assert (result.verdict, bool(result.provider), subject.sent()) == (Verdict.SENT, True, 1)


async def test_a_part_of_ours_that_is_away_is_no_result(subject: Subject) -> None:
    """PartAway names it, and nothing was sent; once it is back, the same delivery is."""
    one = subject.delivery(_TENANT)
    subject.lose()
    with pytest.raises(PartAway) as away:
        await subject.sender.send(one, _CONTENT)
    assert away.value.part in {POSTGRES, HUB}
    assert subject.sent() == 0
    subject.find()
    result = await subject.own.until_answered(lambda: subject.sender.send(one, _CONTENT))
    assert (result.verdict, subject.sent() > 0) == (Verdict.SENT, True)


async def test_tenants_do_not_share_a_slot(subject: Subject) -> None:
    """A far side that hangs holds up its own tenant's deliveries only; the name of a slot does not change."""
    one, other = subject.delivery(_TENANT), subject.delivery()
    assert subject.sender.slot(one) == subject.sender.slot(subject.delivery(_TENANT))
    assert subject.sender.slot(one) != subject.sender.slot(other)


async def test_a_no_is_a_result_too(subject: Subject) -> None:
    """It is recorded and decides what follows: no exception."""
    if isinstance(subject.sender, FarSide):
        subject.sender.answers = [SendResult(Verdict.PERMANENT, "test", "missing_recipient")]
    nobody = subject.delivery(_TENANT, recipient=event_pb2.Recipient())
    result = await subject.sender.send(nobody, _CONTENT)
    assert (result.verdict, bool(result.reason)) == (Verdict.PERMANENT, True)
