"""ports.Inbox: a notification is kept once per delivery."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from runtime.errors import ClarionError, Code
from services.realtime.ports import Inbox, InboxEntry
from services.realtime.store import InboxStore
from tests.contract.ports.conftest import Pool
from tests.fakes.realtime import MemoryInbox


@dataclass
class Subject:
    """An implementation, and the world around it."""

    inbox: Inbox
    # What is kept for a user: id, title, body, moment; newest first.
    kept: Callable[[str, str], Awaitable[list[tuple[str, str, str, int]]]]
    go_away: Callable[[], None]


def _fake() -> Subject:
    inbox = MemoryInbox()

    async def kept(tenant_id: str, user_id: str) -> list[tuple[str, str, str, int]]:
        own = [one for one in inbox.entries.values() if (one.tenant_id, one.user_id) == (tenant_id, user_id)]
        own.sort(key=lambda one: -one.created_at_us)
        return [(one.id, one.title, one.body, one.created_at_us) for one in own]

    def go_away() -> None:
        inbox.away = True

    return Subject(inbox, kept, go_away)


def _real(pool: Pool) -> Subject:
    store = InboxStore(pool)

    async def kept(tenant_id: str, user_id: str) -> list[tuple[str, str, str, int]]:
        page = (await store.newest(tenant_id, user_id, limit=1000)).entries
        return [(one.id, one.title, one.body, one.created_at_us) for one in page]

    return Subject(store, kept, pool.terminate)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    return _fake() if request.param == "fake" else _real(request.getfixturevalue("pool"))


def _entry(tenant_id: str = "t1", user_id: str = "u1", *, at: int = 0) -> InboxEntry:
    ids = [str(uuid.uuid4()) for _ in range(2)]
    return InboxEntry(ids[0], tenant_id, user_id, ids[1], "order.paid", "Paid", f"{at} 💚", 1_700_000_000_000_000 + at)


def _shown(entry: InboxEntry) -> tuple[str, str, str, int]:
    return entry.id, entry.title, entry.body, entry.created_at_us


async def test_what_is_kept_is_there_when_the_answer_comes(subject: Subject) -> None:
    """Newest first, by the moment of the event; of its own tenant and user only."""
    entries = [_entry(at=number) for number in (2, 0, 1)]
    other, foreign = _entry(user_id="u2"), _entry("t2")
    for entry in (*entries, other, foreign):
        await subject.inbox.keep(entry)
    newest = sorted(entries, key=lambda entry: -entry.created_at_us)
    assert await subject.kept("t1", "u1") == [_shown(entry) for entry in newest]
    assert await subject.kept("t1", "u2") == [_shown(other)]
    assert await subject.kept("t2", "u1") == [_shown(foreign)]


async def test_a_delivery_that_comes_again_is_one_notification(subject: Subject) -> None:
    """At once and later; the first one's words stay."""
    entry = _entry()
    await asyncio.gather(*[subject.inbox.keep(entry) for _ in range(20)])
    await subject.inbox.keep(replace(entry, title="Changed"))
    assert await subject.kept("t1", "u1") == [_shown(entry)]


async def test_a_store_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE: the push waits, and no page is shown what its inbox does not know."""
    subject.go_away()
    with pytest.raises(ClarionError) as away:
        await subject.inbox.keep(_entry())
    assert away.value.code is Code.UNAVAILABLE
