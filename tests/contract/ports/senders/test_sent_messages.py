"""send.SentRecorder and reports.ports.SentMessages: which delivery a provider's message id names."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.senders.sent import MAX_FOUND, SentLog, SentMessage
from tests.fakes.senders import MemorySentLog


@dataclass
class Subject:
    """An implementation, and the world around it. log: both ports."""

    log: Any
    # Until all that was noted is kept.
    settle: Callable[[], Awaitable[None]]
    go_away: Callable[[], None]

    async def keep(self, *sent: SentMessage) -> None:
        """Note messages, and wait until they are kept."""
        for one in sent:
            self.log.record(one)
        await self.settle()


def _fake() -> Subject:
    log = MemorySentLog()

    async def settle() -> None:
        await asyncio.sleep(0)

    def go_away() -> None:
        log.away = True

    return Subject(log, settle, go_away)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        return _fake()
    pool = request.getfixturevalue("pool")
    log = SentLog(pool)
    return Subject(log, log.drain, pool.terminate)


def _sent(message_id: str, provider_id: str = "p1") -> SentMessage:
    ids = (new_id(), new_id(), new_id())
    return SentMessage(
        provider_id, message_id, *ids, event_pb2.CHANNEL_EMAIL, attempt=2, replay=1, recipient="a@example.org"
    )


async def test_a_message_is_found_by_its_providers_own_id(subject: Subject) -> None:
    """Of several ids those that are known; another provider's same id is another message."""
    mine, theirs = _sent("m1"), _sent("m1", "p2")
    await subject.keep(mine, theirs)
    assert await subject.log.find("p1", ["m1", "m1", "never"]) == {"m1": mine}
    assert await subject.log.find("p2", ["m1"]) == {"m1": theirs}
    assert await subject.log.find("p3", ["m1"]) == {}
    assert await subject.log.find("p1", []) == {}


async def test_a_message_noted_twice_is_the_first(subject: Subject) -> None:
    """At once, and later: a repeated call under the same idempotency key brings the same id."""
    first = _sent("m1")
    await subject.keep(first, dataclasses.replace(first, attempt=3))
    await subject.keep(dataclasses.replace(first, attempt=4))
    assert await subject.log.find("p1", ["m1"]) == {"m1": first}


async def test_many_who_ask_at_once_each_get_their_own(subject: Subject) -> None:
    """Reports that come one by one."""
    sent = [_sent(f"m{number}", f"p{number % 2}") for number in range(40)]
    await subject.keep(*sent)
    found = await asyncio.gather(*[subject.log.find(one.provider_id, [one.message_id]) for one in sent])
    assert found == [{one.message_id: one} for one in sent]


async def test_more_than_a_thousand_are_not_asked_about(subject: Subject) -> None:
    """ValueError: the caller is to cut them."""
    with pytest.raises(ValueError, match="at most 1000"):
        await subject.log.find("p1", [str(number) for number in range(MAX_FOUND + 1)])


async def test_a_database_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE for who asks; who notes is not held up."""
    await subject.keep(_sent("m1"))
    subject.go_away()
    with pytest.raises(ClarionError) as away:
        await subject.log.find("p1", ["m1"])
    assert away.value.code is Code.UNAVAILABLE
