"""ports.SandboxRecorder: the sandbox keeps each call's message, and says what it cannot keep."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from runtime.errors import ClarionError, Code
from runtime.parts import POSTGRES, PartAway
from services.senders.outbox import SandboxOutbox
from services.senders.ports import SandboxRecorder
from tests.contract.ports.conftest import Pool
from tests.fakes.senders import MemoryRecorder
from tests.unit.senders import builders


@dataclass
class Subject:
    """An implementation, and the world around it."""

    recorder: SandboxRecorder
    # What is kept: delivery, sender, recipient, text; oldest first.
    kept: Callable[[], Awaitable[list[tuple[str, str, str, str]]]]
    go_away: Callable[[], None]


def _fake() -> Subject:
    recorder = MemoryRecorder()

    async def kept() -> list[tuple[str, str, str, str]]:
        emails = [
            (one.reference.delivery_id, f"{one.sender_name} <{one.sender}>", str(one.recipient), one.text)
            for one in recorder.emails
        ]
        return emails + [(one.reference.delivery_id, one.sender, one.recipient, one.text) for one in recorder.texts]

    def go_away() -> None:
        recorder.failure = PartAway(POSTGRES)

    return Subject(recorder, kept, go_away)


def _real(pool: Pool) -> Subject:
    outbox = SandboxOutbox(pool)

    async def kept() -> list[tuple[str, str, str, str]]:
        page = await outbox.page(tenant_id="", event_id="", channel=0, limit=100, cursor="")
        page.sort(key=lambda one: (one.channel, int(one.id)))
        return [(one.delivery_id, one.sender, one.recipient, one.text) for one in page]

    return Subject(outbox, kept, pool.terminate)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    return _fake() if request.param == "fake" else _real(request.getfixturevalue("pool"))


async def test_messages_are_kept_as_they_are(subject: Subject) -> None:
    """An e-mail and a text message, with their delivery."""
    mail, text = builders.email(), builders.sms("Grüße 💚")
    await subject.recorder.record_email(mail)
    await subject.recorder.record_sms(text)
    assert await subject.kept() == [
        (mail.reference.delivery_id, "Acorn Shop <orders@acorn.example>", "ada@example.org", mail.text),
        (text.reference.delivery_id, "", "+254712345678", "Grüße 💚"),
    ]


async def test_a_message_that_is_sent_twice_is_two_calls(subject: Subject) -> None:
    """A double shows."""
    text = builders.sms()
    for _ in range(2):
        await subject.recorder.record_sms(text)
    assert len(await subject.kept()) == 2


async def test_one_that_cannot_be_kept_is_refused_alone(subject: Subject) -> None:
    """INVALID; the others of the same moment are kept."""
    texts = [builders.sms(f"text {number}") for number in range(9)]
    texts.insert(5, builders.sms("no \0 in a text"))
    answers: list[Any] = await asyncio.gather(
        *[subject.recorder.record_sms(text) for text in texts], return_exceptions=True
    )
    assert [number for number, answer in enumerate(answers) if answer is not None] == [5]
    assert isinstance(answers[5], ClarionError)
    assert answers[5].code is Code.INVALID
    assert len(await subject.kept()) == 9
    with pytest.raises(ClarionError) as refused:
        await subject.recorder.record_email(dataclasses.replace(builders.email(), text="\0"))
    assert refused.value.code is Code.INVALID


async def test_a_database_that_is_away_is_a_part_that_is_away(subject: Subject) -> None:
    """So that the delivery waits for it, and no attempt is counted."""
    subject.go_away()
    for call in (subject.recorder.record_sms(builders.sms()), subject.recorder.record_email(builders.email())):
        with pytest.raises(PartAway) as away:
            await call
        assert (away.value.part, away.value.code) == (POSTGRES, Code.UNAVAILABLE)
