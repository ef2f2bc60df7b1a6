"""router.ports.StoredRecipients: those of one tenant, found by their ids, or page by page."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.groups.store import GroupStore
from services.router.ports import MemberPage, Membership, Person, StoredRecipients
from services.router.recipients.check import checked
from services.router.recipients.people import PostgresRecipients
from services.router.recipients.store import RecipientStore
from tests.contract.ports.conftest import Pool
from tests.contract.ports.implementations import either
from tests.fakes.router_recipients import MemoryRecipients

TENANT = "01a1fe7a-0000-7000-8000-000000000001"
OTHER = "01a1fe7a-0000-7000-8000-000000000002"


@dataclass
class Subject:
    """An implementation, and what fills it: store(tenant, id, groups=(), muted=(), email="", …)."""

    recipients: StoredRecipients
    store: Callable[..., Awaitable[None]]
    delete: Callable[[str, str], Awaitable[None]]
    go_away: Callable[[], None]


def _fake() -> Subject:
    recipients = MemoryRecipients()

    async def store(*key: str, **fields: Any) -> None:
        recipients.store(*key, **fields)

    async def delete(tenant_id: str, recipient_id: str) -> None:
        recipients.delete(tenant_id, recipient_id)

    def go_away() -> None:
        recipients.away = True

    return Subject(recipients, store, delete, go_away)


@pytest.fixture
def real(pool: Pool) -> Subject:
    """On PostgreSQL."""
    stored, stored_groups = RecipientStore(pool), GroupStore(pool)

    async def store(
        tenant_id: str, recipient_id: str, *, groups: Sequence[str] = (), muted: Sequence[Any] = (), **fields: Any
    ) -> None:
        one = recipients_pb2.StoredRecipient(recipient_id=recipient_id, muted_channels=muted, **fields)
        request = recipients_pb2.PutRecipientsRequest(tenant_id=tenant_id, recipients=[one])
        await stored.put(tenant_id, checked(request))
        for key in groups:
            await stored_groups.put(tenant_id, key, "")
            await stored_groups.change_members(tenant_id, key, [recipient_id], [])

    async def delete(tenant_id: str, recipient_id: str) -> None:
        row = await stored.get(tenant_id, recipient_id)
        assert row is not None
        await stored.delete(tenant_id, row.id)

    return Subject(PostgresRecipients(pool), store, delete, pool.terminate)


subject = either(_fake)


def _ids(people: Sequence[Person]) -> list[str]:
    return [one.recipient.user_id for one in people]


async def _pages(subject: Subject, membership: Membership, limit: int) -> list[list[str]]:
    """Return the ids of each page, up to the last."""
    pages, after = [], ""
    while True:
        page = await subject.recipients.page(membership, after, limit)
        pages.append(_ids(page.people))
        if not page.after:
            return pages
        assert page.after > after
        after = page.after


async def _all(subject: Subject, **fields: Any) -> list[str]:
    pages = await _pages(subject, Membership(TENANT, **fields), 100)
    return [one for page in pages for one in page]


async def test_recipients_are_found_by_their_tenant_and_id(subject: Subject) -> None:
    """All of a batch over tenants, with what planning needs; those that are not stored are absent."""
    fields: dict[str, Any] = {
        "email": "ada@example.org",
        "phone": "+254712345678",
        "locale": "sw-KE",
        "timezone": "Africa/Nairobi",
    }
    await subject.store(TENANT, "ada", muted=[event_pb2.CHANNEL_SMS], **fields)
    await subject.store(OTHER, "bob")
    wanted = [(TENANT, "ada"), (OTHER, "bob"), (TENANT, "bob"), (OTHER, "ada"), (new_id(), "ada"), (TENANT, "\0")]
    assert await subject.recipients.find(wanted) == {
        (TENANT, "ada"): Person(
            event_pb2.Recipient(user_id="ada", **fields), "ada", frozenset({event_pb2.CHANNEL_SMS})
        ),
        (OTHER, "bob"): Person(event_pb2.Recipient(user_id="bob"), "bob"),
    }
    assert await subject.recipients.find([(OTHER, "ada"), (TENANT, "bob")]) == await subject.recipients.find([]) == {}


async def test_a_page_has_each_once_in_the_order_of_creation(subject: Subject) -> None:
    """Whoever is in two groups and named, too; what is replaced keeps its place."""
    for name, groups in (("a", ["g"]), ("b", ["h"]), ("c", ["g", "h"]), ("d", []), ("e", ["i"])):
        await subject.store(TENANT, name, groups=groups)
    await subject.store(TENANT, "a", email="a@example.org")
    wanted = Membership(TENANT, groups=["g", "h", "none"], recipients=["d", "c", "none"])
    assert await _pages(subject, wanted, 100) == [["a", "b", "c", "d"]]
    assert await _pages(subject, wanted, 3) == [["a", "b", "c"], ["d"]]
    assert await _pages(subject, wanted, 2) == [["a", "b"], ["c", "d"]]
    assert await _all(subject, everybody=True) == ["a", "b", "c", "d", "e"]
    assert await _pages(subject, Membership(TENANT, everybody=True, groups=["g"]), 2) == [["a", "b"], ["c", "d"], ["e"]]
    assert await _all(subject) == []


async def test_who_is_excluded_is_left_out(subject: Subject) -> None:
    """By their id or by a group, even if they are named; a page may then have fewer, or nobody, and have a next one."""
    for name, groups in (("a", ["g", "x"]), ("b", ["g", "x"]), ("c", ["g"]), ("d", ["g", "y"]), ("e", ["g"])):
        await subject.store(TENANT, name, groups=groups)
    out: dict[str, Any] = {"excluded": ["c", "none"], "excluded_groups": ["x", "y", "none"]}
    assert await _all(subject, groups=["g"], recipients=["a"], **out) == ["e"]
    assert await _all(subject, everybody=True, **out) == ["e"]
    assert await _pages(subject, Membership(TENANT, groups=["g"], **out), 2) == [[], [], ["e"]]
    assert await _pages(subject, Membership(TENANT, everybody=True, **out), 2) == [[], [], ["e"]]


async def test_a_page_holds_its_tenants_recipients_only(subject: Subject) -> None:
    """Another tenant's ids, keys and cursors find nothing of that tenant."""
    await subject.store(OTHER, "bob", groups=["g", "theirs"])
    await subject.store(OTHER, "eve", groups=["g", "theirs"])
    await subject.store(TENANT, "ada", groups=["g"])
    assert await _pages(subject, Membership(TENANT, groups=["g", "theirs"]), 1) == [["ada"]]
    assert await _pages(subject, Membership(TENANT, groups=["g"], recipients=["bob", "eve"]), 1) == [["ada"]]
    assert await _all(subject, everybody=True) == ["ada"]
    assert await _all(subject, groups=["g"], excluded_groups=["theirs"]) == ["ada"]
    cursor = (await subject.recipients.page(Membership(OTHER, groups=["g"]), "", 1)).after
    assert cursor
    for membership in (Membership(TENANT, groups=["g", "theirs"]), Membership(TENANT, everybody=True)):
        assert _ids((await subject.recipients.page(membership, cursor, 10)).people) == ["ada"]


async def test_membership_is_as_of_the_pages_reading(subject: Subject) -> None:
    """Who is added behind the cursor is on a later page."""
    await subject.store(TENANT, "a", groups=["g"])
    await subject.store(TENANT, "b", groups=["g"])
    page = await subject.recipients.page(Membership(TENANT, groups=["g"]), "", 1)
    await subject.store(TENANT, "c", groups=["g"])
    assert _ids((await subject.recipients.page(Membership(TENANT, groups=["g"]), page.after, 10)).people) == ["b", "c"]


async def test_who_is_stored_later_is_behind_the_bound(subject: Subject) -> None:
    """Also who is deleted and stored again; who joins a group is not, nor who is replaced."""
    nobody = await subject.recipients.newest(TENANT)
    for name in ("a", "b", "c", "d"):
        await subject.store(TENANT, name, groups=["g"] if name != "d" else [])
    await subject.store(OTHER, "bob")
    upto = await subject.recipients.newest(TENANT)
    await subject.delete(TENANT, "b")
    for name in ("b", "d", "c", "new"):
        await subject.store(TENANT, name, groups=["g"])
    named = Membership(TENANT, groups=["g"], recipients=["a", "b", "new"])
    for membership in (named, Membership(TENANT, everybody=True)):
        page = await subject.recipients.page(membership, "", 2, upto)
        assert _ids(page.people) == ["a", "c"]
        page = await subject.recipients.page(membership, page.after, 2, upto)
        assert (_ids(page.people), page.after) == (["d"], "")
        assert nobody
        assert await subject.recipients.page(membership, "", 10, nobody) == MemberPage([], "")


async def test_a_database_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE, whatever is asked."""
    subject.go_away()
    for call in (
        lambda: subject.recipients.find([(TENANT, "a")]),
        lambda: subject.recipients.newest(TENANT),
        lambda: subject.recipients.page(Membership(TENANT, groups=["g"]), "", 1),
        lambda: subject.recipients.page(Membership(TENANT, everybody=True), "", 1),
    ):
        with pytest.raises(ClarionError) as away:
            await call()
        assert away.value.code is Code.UNAVAILABLE
