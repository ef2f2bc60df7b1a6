"""Which provider is asked, in what order, and what is said when none may be."""

import dataclasses
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime.parts import POSTGRES, PartAway
from services.delivery.ports import SendResult, Verdict
from services.senders import registry
from services.senders.breaker import BreakerPolicy
from services.senders.channels.sms.settings import SmsSettings
from services.senders.directory import ConfiguredDirectory
from services.senders.failover import MAX_CALLS
from services.senders.http import HttpClient
from services.senders.ports import Kind, Resources, Sms
from services.senders.send import ProviderSender
from services.senders.sent import SentMessage
from tests.fakes.senders import MemoryOwner, MemorySentLog
from tests.unit.senders.builders import TENANT, delivery, guard

_SMS = event_pb2.CHANNEL_SMS
_SENT = SendResult(Verdict.SENT, "scripted", provider_message_id="m1")
_DOWN = SendResult(Verdict.TRANSIENT, "scripted", "provider_unreachable", "refused")
_SLOW_DOWN = SendResult(Verdict.THROTTLED, "scripted", "provider_throttled", retry_after_s=30)
_WRONG_KEY = SendResult(Verdict.CREDENTIALS, "scripted", "provider_credentials", "401")
_BUSY = SendResult(Verdict.POSTPONED, "scripted", "provider_busy")
_NO = SendResult(Verdict.PERMANENT, "scripted", "recipient_refused", "550")
_NOT_ALLOWED = SendResult(Verdict.PERMANENT, "scripted", "address_not_allowed", "'10.0.0.1' is not a public address")


class _Desk:
    """A sender with scripted providers: answers by id, and the record of calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: SendResult | PartAway) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.log = MemorySentLog()
        kind = Kind(
            settings=SmsSettings, open=self._provider, title="Test", purpose="Tests.", setup="None.", reports=True
        )
        monkeypatch.setattr(registry, "kind", lambda *_: kind)
        self.directory = ConfiguredDirectory(MemoryOwner())
        no_sandbox: Any = None
        self.sender = ProviderSender(
            self.directory,
            Resources(no_sandbox, HttpClient(guard()), guard()),
            lambda _: {},
            sent_log=self.log,
            policy=BreakerPolicy(failures=2, pause_s=10),
        )
        self.directory.follow(self.sender.forget)
        self.publish()

    def publish(self, **settings: str) -> None:
        """Publish a provider for each answer, in their order; its sender is its id."""
        records = [
            {"id": name, "channel": "SMS", "kind": "scripted", "settings": {"sender": name, **settings}, "secrets": ""}
            for name in self.answers
        ]
        self.directory.on_change(f"providers.{TENANT}", json.dumps(records).encode())

    async def attempt(self, provider_id: str = "a") -> SendResult:
        """Attempt a delivery for which routing chose this provider."""
        content = render_pb2.Content(text="Hello")
        return await self.sender.send(delivery(_SMS, provider_id=provider_id), content)

    @property
    def recorded(self) -> list[SentMessage]:
        """What would be written."""
        return list(self.log.sent.values())

    def _provider(self, settings: SmsSettings, _: Resources) -> "_Scripted":
        return _Scripted(self, settings.sender)


class _Scripted:
    def __init__(self, desk: _Desk, name: str) -> None:
        self._desk, self._name = desk, name

    async def send(self, message: Sms) -> SendResult:
        """Answer as told."""
        self._desk.asked.append(self._name)
        answer = self._desk.answers[self._name]
        if isinstance(answer, PartAway):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("trouble", [_DOWN, _SLOW_DOWN, _WRONG_KEY], ids=lambda result: result.reason)
async def test_the_next_one_is_asked(monkeypatch: pytest.MonkeyPatch, trouble: SendResult) -> None:
    """After any trouble. The failed call is recorded, and the stored message id is that of the provider that sent."""
    desk = _Desk(monkeypatch, a=trouble, b=_SENT, c=_SENT)
    result = await desk.attempt()
    assert desk.asked == ["a", "b"]
    assert (result.verdict, result.provider_id) == (Verdict.SENT, "b")
    assert [tried.result for tried in result.earlier] == [dataclasses.replace(trouble, provider_id="a")]
    assert [(sent.provider_id, sent.message_id, sent.recipient) for sent in desk.recorded] == [
        ("b", "m1", "+254712345678")
    ]


async def test_what_is_said_of_the_message_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other provider is called."""
    desk = _Desk(monkeypatch, a=_DOWN, b=_NO, c=_SENT)
    assert (await desk.attempt()).reason == "recipient_refused"
    assert desk.asked == ["a", "b"]


async def test_one_that_may_not_be_asked_is_final_where_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry would not change it. The breaker counts neither a failure nor a success."""
    desk = _Desk(monkeypatch, a=_NOT_ALLOWED)
    results = [await desk.attempt() for _ in range(3)]
    assert {(result.verdict, result.reason) for result in results} == {(Verdict.PERMANENT, "address_not_allowed")}
    assert desk.asked == ["a", "a", "a"]  # no circuit opened
    desk = _Desk(monkeypatch, a=_NOT_ALLOWED, b=_NOT_ALLOWED)
    result = await desk.attempt()
    assert (result.verdict, result.reason, len(result.earlier)) == (Verdict.PERMANENT, "address_not_allowed", 1)


async def test_another_one_is_asked_in_place_of_one_that_may_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its result counts, whichever was called first: a delivery that it defers is retried."""
    desk = _Desk(monkeypatch, a=_NOT_ALLOWED, b=_SENT)
    result = await desk.attempt()
    assert (result.verdict, result.provider_id) == (Verdict.SENT, "b")
    assert [tried.result.reason for tried in result.earlier] == ["address_not_allowed"]
    for answers in ({"a": _NOT_ALLOWED, "b": _SLOW_DOWN}, {"a": _SLOW_DOWN, "b": _NOT_ALLOWED}):
        result = await _Desk(monkeypatch, **answers).attempt()
        assert (result.verdict, result.retry_after_s) == (Verdict.THROTTLED, 30)
        assert [tried.result.reason for tried in result.earlier] == ["address_not_allowed"]


async def test_a_paused_provider_is_waited_for_where_the_other_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paused provider can be called later; so can one that needs a part of Clarion which is away."""
    desk = _Desk(monkeypatch, a=_SLOW_DOWN, b=_NOT_ALLOWED)
    await desk.attempt()
    waits = await desk.attempt()
    assert (waits.verdict, waits.reason) == (Verdict.POSTPONED, "provider_throttled")
    desk = _Desk(monkeypatch, a=_DOWN, b=_NOT_ALLOWED)
    for _ in range(2):
        await desk.attempt()
    rests = await desk.attempt()
    assert (rests.verdict, rests.reason) == (Verdict.TRANSIENT, "provider_circuit_open")
    desk = _Desk(monkeypatch, a=_NOT_ALLOWED, b=PartAway(POSTGRES))
    with pytest.raises(PartAway):
        await desk.attempt()


async def test_a_refusal_leaves_an_open_circuit_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider was contacted, so the next call is the probe."""
    desk = _Desk(monkeypatch, a=_DOWN)
    for _ in range(2):
        await desk.attempt()
    [opened] = desk.sender._providers._opened[TENANT].values()
    opened.breaker._until = 0.0
    desk.answers["a"] = _NOT_ALLOWED
    assert (await desk.attempt()).reason == "address_not_allowed"
    assert opened.breaker.reason == "provider_circuit_open"
    desk.answers["a"] = _SENT
    assert (await desk.attempt()).verdict is Verdict.SENT
    assert opened.breaker.reason == ""


async def test_the_one_that_was_chosen_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the others by priority. If it was deleted meanwhile, the others are called."""
    desk = _Desk(monkeypatch, a=_DOWN, b=_DOWN, c=_DOWN)
    await desk.attempt("b")
    assert desk.asked == ["b", "a", "c"]
    desk = _Desk(monkeypatch, a=_SENT)
    assert (await desk.attempt("gone")).verdict is Verdict.SENT


async def test_at_most_five_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    desk = _Desk(monkeypatch, **dict.fromkeys("abcdefgh", _DOWN))
    result = await desk.attempt()
    assert len(desk.asked) == len(result.earlier) + 1 == MAX_CALLS


async def test_an_open_circuit_is_a_failed_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the delivery ends some day. No provider is called, and new settings close the circuit."""
    desk = _Desk(monkeypatch, a=_DOWN)
    for _ in range(2):
        await desk.attempt()
    result = await desk.attempt()
    assert (result.verdict, result.reason) == (Verdict.TRANSIENT, "provider_circuit_open")
    assert 0 < result.retry_after_s <= 12  # the next attempt would be in vain before that
    assert "provider_unreachable: refused" in result.detail
    assert desk.asked == ["a", "a"]
    desk.answers["a"] = _SENT
    desk.publish(sender="a ")
    desk.answers["a "] = _SENT
    assert (await desk.attempt()).verdict is Verdict.SENT


async def test_one_that_asked_for_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not counted as an attempt, even where another one's circuit is open."""
    desk = _Desk(monkeypatch, a=_WRONG_KEY, b=_SLOW_DOWN)
    refused = await desk.attempt()
    assert (refused.verdict, refused.retry_after_s) == (Verdict.THROTTLED, 0)
    waits = await desk.attempt()
    assert (waits.verdict, waits.reason) == (Verdict.POSTPONED, "provider_throttled")
    assert 29 < waits.retry_after_s <= 36
    assert desk.asked == ["a", "b"]


async def test_a_busy_one_was_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next provider is called, if there is one. Otherwise the delivery waits: no attempt, and no failure."""
    desk = _Desk(monkeypatch, a=_BUSY)
    results = [await desk.attempt() for _ in range(3)]
    assert {(result.verdict, result.reason) for result in results} == {(Verdict.POSTPONED, "provider_busy")}
    desk.answers["a"] = _SENT
    assert (await desk.attempt()).verdict is Verdict.SENT

    desk = _Desk(monkeypatch, a=_BUSY, b=_SENT)
    result = await desk.attempt()
    assert (result.verdict, result.provider_id, result.earlier) == (Verdict.SENT, "b", ())


async def test_the_log_says_why_a_provider_paused_and_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers repeat the recipient's address in their answers; only the timeline shows these."""
    words = "450 4.7.1 <ada@example.org>: too many messages"
    desk = _Desk(
        monkeypatch, a=dataclasses.replace(_DOWN, detail=words), b=dataclasses.replace(_SLOW_DOWN, detail=words)
    )
    with capture_logs() as lines:
        for _ in range(2):
            result = await desk.attempt()
    assert result.detail.endswith(words)
    told = [(line["event"], line["provider_id"], line["reason"], line["cause"]) for line in lines]
    assert told == [
        ("provider_paused", "b", "provider_throttled", "provider_throttled"),
        ("provider_paused", "a", "provider_circuit_open", "provider_unreachable"),
    ]
    assert "ada" not in repr(lines)


async def test_a_refused_account_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts go on, so that it becomes a dead letter, which can be replayed with a correct key."""
    desk = _Desk(monkeypatch, a=_WRONG_KEY)
    first, second = await desk.attempt(), await desk.attempt()
    assert [first.reason, second.reason] == ["provider_credentials", "provider_credentials"]
    assert second.verdict is Verdict.CREDENTIALS
    assert desk.asked == ["a"]


async def test_a_provider_that_needs_an_away_part_of_ours_is_neither_failed_over_nor_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The delivery waits for the part. Failover is for trouble of a provider."""
    desk = _Desk(monkeypatch, a=PartAway(POSTGRES), b=_SENT)
    for _ in range(5):
        with pytest.raises(PartAway):
            await desk.attempt()
    desk.answers["a"] = _SENT
    assert (await desk.attempt()).provider_id == "a"
    assert desk.asked == ["a"] * 6


async def test_what_was_really_asked_counts_though_the_next_one_needs_an_away_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the first provider would be called again and again without an end."""
    desk = _Desk(monkeypatch, a=_DOWN, b=PartAway(POSTGRES), c=_DOWN)
    result = await desk.attempt()
    assert (result.verdict, result.provider_id) == (Verdict.TRANSIENT, "c")
    assert desk.asked == ["a", "b", "c"]
    assert [tried.result.provider_id for tried in result.earlier] == ["a"]


async def test_an_away_part_is_waited_for_while_the_others_are_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider was called, so it is no attempt."""
    desk = _Desk(monkeypatch, a=_SLOW_DOWN, b=PartAway(POSTGRES))
    assert (await desk.attempt()).verdict is Verdict.THROTTLED
    with pytest.raises(PartAway):
        await desk.attempt()
    assert desk.asked == ["a", "b", "b"]
