"""The ledger's claims: the first copy of a delivery has it, and what was attempted is claimed by nobody."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import pytest

from clarion.common.v1 import trace_pb2
from runtime.ids import derived_id, new_id
from services.ingest.claims.store import Answer, Claim, ClaimStore
from tests.contract.ports.conftest import Pool
from tests.contract.ports.implementations import either
from tests.fakes.claims import MemoryClaims

NONE, QUEUED = trace_pb2.DELIVERY_STATUS_UNSPECIFIED, trace_pb2.DELIVERY_STATUS_QUEUED
SENT, DEAD = trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_DEAD
ONE, TWO = "DELIVERIES.1", "DELIVERIES.2"


class Claims(Protocol):
    """What both do."""

    async def claim(self, claims: list[Claim]) -> list[Answer]:
        """Claim the deliveries that nobody has attempted."""


@dataclass
class Subject:
    """An implementation. know: lets the ledger have a delivery's status in its newest replay."""

    claims: Claims
    know: Callable[[str, int, int], Awaitable[None]]

    async def ask(self, delivery_id: str, token: str, replay: int = 0) -> Answer:
        """Claim one delivery."""
        [answer] = await self.claims.claim([Claim(delivery_id, replay, token)])
        return answer


def _fake() -> Subject:
    claims = MemoryClaims()

    async def know(delivery_id: str, status: int, replay: int) -> None:
        claims.known[delivery_id] = (status, replay)

    return Subject(claims, know)


@pytest.fixture
def real(pool: Pool) -> Subject:
    """Rows of PostgreSQL."""

    async def know(delivery_id: str, status: int, replay: int) -> None:
        await pool.execute(
            "INSERT INTO ingest.deliveries (id, event_id, tenant_id, channel, status, reason, provider, attempts,"
            " replay, updated_at) VALUES ($1, $2, $3, 1, $4, '', '', 0, $5, now())",
            delivery_id,
            new_id(),
            new_id(),
            status,
            replay,
        )

    return Subject(ClaimStore(pool), know)


subject = either(_fake)


@pytest.fixture
def id_() -> str:
    """Return the id of a delivery."""
    return derived_id(new_id())


async def test_the_first_copy_has_the_claim(subject: Subject, id_: str) -> None:
    """However often it asks, and whether the ledger has read the plan or not."""
    assert await subject.ask(id_, ONE) == Answer(NONE)
    await subject.know(id_, QUEUED, 0)
    assert await subject.ask(id_, TWO) == Answer(QUEUED, is_held_by_another=True)
    assert await subject.ask(id_, ONE) == Answer(QUEUED)


async def test_copies_that_ask_together(subject: Subject, id_: str) -> None:
    """One has the claim; others in the call have theirs, and each answer is at its claim's place."""
    other = derived_id(new_id())
    answers = await subject.claims.claim([Claim(id_, 0, TWO), Claim(other, 0, ONE), Claim(id_, 0, ONE)])
    assert [answer.is_held_by_another for answer in answers] == [False, False, True]


async def test_what_was_attempted_is_not_claimed(subject: Subject, id_: str) -> None:
    """Only its status is answered."""
    await subject.know(id_, SENT, 0)
    assert [await subject.ask(id_, token) for token in (ONE, TWO)] == [Answer(SENT), Answer(SENT)]


async def test_without_a_token_nothing_is_claimed(subject: Subject, id_: str) -> None:
    """Nor is it held by another, whoever has it."""
    assert await subject.ask(id_, "") == Answer(NONE)
    assert await subject.ask(id_, ONE) == Answer(NONE)
    assert await subject.ask(id_, "") == Answer(NONE)


async def test_each_replay_is_claimed_for_itself(subject: Subject, id_: str) -> None:
    """A replay that the ledger has not read is unknown; the rounds before have ended."""
    await subject.know(id_, DEAD, 1)
    assert await subject.ask(id_, ONE, replay=0) == Answer(DEAD)
    assert await subject.ask(id_, ONE, replay=1) == Answer(DEAD)
    assert await subject.ask(id_, ONE, replay=2) == Answer(NONE)
    assert await subject.ask(id_, TWO, replay=2) == Answer(NONE, is_held_by_another=True)
    assert await subject.ask(id_, TWO, replay=3) == Answer(NONE)
