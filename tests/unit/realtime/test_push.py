"""One push: the inbox first, then the hub; what each answer of theirs makes of the delivery."""

from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime.parts import HUB, POSTGRES, PartAway
from services.delivery.ports import Verdict
from services.realtime.ports import InboxEntry, PublishOutcome, PublishResult
from services.realtime.push import Push
from tests.fakes.realtime import MemoryDirectory, MemoryHub, MemoryInbox

_ID = "0192f0c1-2222-8333-8444-555566667777"


class _World:
    """Inbox, directory and hub in memory, and a push over them."""

    def __init__(self, answer: PublishResult, *, away: bool = False) -> None:
        self.inbox = MemoryInbox(away=away)
        self.hub = MemoryHub(answer)
        self.push = Push(self.inbox, MemoryDirectory(), self.hub)

    @property
    def kept(self) -> list[InboxEntry]:
        """What the inbox holds."""
        return list(self.inbox.entries.values())


def _delivery(**changes: Any) -> event_pb2.Delivery:
    values: dict[str, Any] = {
        "id": _ID,
        "event_id": "e1",
        "tenant_id": "t1",
        "event_type": "order.success",
        "channel": event_pb2.CHANNEL_PUSH,
        "recipient": event_pb2.Recipient(user_id="u1"),
        "push_namespace": "orders",
        "accepted_at_us": 1_700_000_000_123_456,
    }
    return event_pb2.Delivery(**(values | changes))


_CONTENT = render_pb2.Content(title="Shipped", body="Your order is on its way")


async def test_the_inbox_comes_first_then_the_page() -> None:
    """The row is there before any page can ask for it, and the delivery's id makes both steps repeatable."""
    world = _World(PublishResult(PublishOutcome.DONE))
    result = await world.push.send(_delivery(), _CONTENT)
    assert result.verdict is Verdict.SENT
    assert result.provider == "realtime"
    kept = InboxEntry(
        _ID, "t1", "u1", "e1", "order.success", "Shipped", "Your order is on its way", 1_700_000_000_123_456
    )
    data = {
        "type": "IN_APP_ALERT",
        "title": "Shipped",
        "body": "Your order is on its way",
        "category": "success",
        "eventType": "order.success",
        "timestamp": 1_700_000_000,
        "referenceId": _ID,
    }
    assert world.kept == [kept]
    assert world.hub.calls == [("orders#p-t1-u1-0-0", data, _ID)]


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (PublishOutcome.BUSY, Verdict.POSTPONED),
        (PublishOutcome.REFUSED, Verdict.SENT),
    ],
)
async def test_what_the_hub_says_decides_about_a_retry(outcome: PublishOutcome, verdict: Verdict) -> None:
    """Refused for good counts as sent: the inbox has it, and the refusal stays on record."""
    world = _World(PublishResult(outcome, "a_reason", "its words"))
    result = await world.push.send(_delivery(), _CONTENT)
    assert (result.verdict, result.reason, result.detail) == (verdict, "a_reason", "its words")


async def test_nothing_is_published_that_is_not_kept() -> None:
    """A page must never show what its inbox does not know; and no database is no attempt."""
    world = _World(PublishResult(PublishOutcome.DONE), away=True)
    with pytest.raises(PartAway) as caught:
        await world.push.send(_delivery(), _CONTENT)
    assert caught.value.part == POSTGRES
    assert (world.kept, world.hub.calls) == ([], [])


async def test_a_hub_that_is_away_is_no_attempt() -> None:
    """The inbox has it, and the publication waits for the hub."""
    world = _World(PublishResult(PublishOutcome.AWAY, "hub_away", "its words"))
    with pytest.raises(PartAway, match="hub_away: its words") as caught:
        await world.push.send(_delivery(), _CONTENT)
    assert caught.value.part == HUB
    assert (len(world.kept), len(world.hub.calls)) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "not-a-uuid"}, "invalid_recipient"),
        ({"recipient": event_pb2.Recipient(email="ada@example.org")}, "missing_recipient"),
        ({"recipient": event_pb2.Recipient(user_id="u" * 256)}, "invalid_recipient"),
        ({"recipient": event_pb2.Recipient(user_id="a\x00b")}, "invalid_recipient"),
    ],
)
async def test_what_can_never_be_kept_is_not_retried(changes: dict[str, Any], reason: str) -> None:
    """It would come back until its last attempt for nothing."""
    world = _World(PublishResult(PublishOutcome.DONE))
    result = await world.push.send(_delivery(**changes), _CONTENT)
    assert (result.verdict, result.reason) == (Verdict.PERMANENT, reason)
    assert (world.kept, world.hub.calls) == ([], [])


async def test_a_namespace_that_would_be_another_channel_is_not_used() -> None:
    """Such as orders:x#…, which is a channel of Centrifugo's namespace orders."""
    world = _World(PublishResult(PublishOutcome.DONE))
    result = await world.push.send(_delivery(push_namespace="orders:x"), _CONTENT)
    assert (result.verdict, result.reason) == (Verdict.SENT, "invalid_push_namespace")
    assert (len(world.kept), world.hub.calls) == (1, [])


async def test_text_that_postgresql_cannot_keep_is_mended() -> None:
    """A NUL in a template's data must not fail the rows of others in the same statement."""
    world = _World(PublishResult(PublishOutcome.DONE))
    await world.push.send(_delivery(), render_pb2.Content(title="a\x00b", body="\x00"))
    assert [(one.title, one.body) for one in world.kept] == [("ab", "")]


def test_tenants_do_not_share_a_slot() -> None:
    """One tenant's flood holds its own share only."""
    world = _World(PublishResult(PublishOutcome.DONE))
    push = world.push
    assert push.slot(_delivery()) != push.slot(_delivery(tenant_id="t2"))
