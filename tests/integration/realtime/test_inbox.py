"""The inbox on a real database: once per delivery, and never anybody else's."""

import asyncio
import base64
import uuid
from dataclasses import replace
from typing import TypeAlias

import asyncpg
import pytest

from services.realtime.places import Place
from services.realtime.ports import InboxEntry
from services.realtime.privacy import PrivacyStore
from services.realtime.store import MAX_MARKED, InboxStore

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def _entry(tenant_id: str = "t1", user_id: str = "u1", *, at: int = 0, title: str = "Paid") -> InboxEntry:
    return InboxEntry(
        id=str(uuid.uuid4()),
        tenant_id=tenant_id,
        user_id=user_id,
        event_id=str(uuid.uuid4()),
        event_type="order.paid",
        title=title,
        body="Thank you",
        created_at_us=1_700_000_000_000_000 + at,
    )


async def _ids(inbox: InboxStore, tenant_id: str = "t1", user_id: str = "u1") -> list[str]:
    return [kept.id for kept in (await inbox.newest(tenant_id, user_id, limit=100)).entries]


async def test_a_delivery_that_comes_again_is_one_notification(pool: Pool) -> None:
    """At once, in the same statement, from another process, and after it was read."""
    entry = _entry()
    first, second = InboxStore(pool), InboxStore(pool)
    await asyncio.gather(*[store.keep(entry) for store in (first, second) for _ in range(20)])
    assert await first.mark_read("t1", "u1", entry.id)
    await second.keep(replace(entry, title="Changed"))
    (kept,) = (await first.newest("t1", "u1", limit=100)).entries
    assert (kept.id, kept.title, kept.body, kept.read) == (entry.id, "Paid", "Thank you", True)
    assert kept.created_at_us == entry.created_at_us


async def test_newest_first_page_by_page(pool: Pool) -> None:
    """In the order in which the events were accepted, to the microsecond."""
    inbox = InboxStore(pool)
    entries = [_entry(at=number) for number in (2, 0, 3, 1, 4)]
    await asyncio.gather(*[inbox.keep(entry) for entry in entries])
    newest = [entry.id for entry in sorted(entries, key=lambda entry: -entry.created_at_us)]
    pages = [(await inbox.newest("t1", "u1", limit=2, offset=offset)).entries for offset in (0, 2, 4, 6)]
    assert [[kept.id for kept in page] for page in pages] == [newest[:2], newest[2:4], newest[4:], []]


async def test_several_notifications_of_one_event_are_listed_and_exported_once_each(pool: Pool) -> None:
    """A person may get several of one event, at the same microsecond: no page repeats or leaves out one."""
    inbox, privacy, event_id = InboxStore(pool), PrivacyStore(pool), str(uuid.uuid4())
    entries = [replace(_entry(), event_id=event_id) for _ in range(5)]
    await asyncio.gather(*[inbox.keep(entry) for entry in entries])
    wanted = sorted((entry.id for entry in entries), reverse=True)
    pages = [(await inbox.newest("t1", "u1", limit=2, offset=offset)).entries for offset in (0, 2, 4)]
    assert [kept.id for page in pages for kept in page] == wanted
    exported: list[str] = []
    cursor = ""
    while len(exported) < 10:
        rows, cursor = await privacy.page("t1", "u1", cursor, 2)
        exported += [str(row["id"]) for row in rows]
        if not cursor:
            break
    assert exported == wanted


async def test_a_page_that_follows_a_place_is_not_moved_by_what_arrives(pool: Pool) -> None:
    """Offsets would show the last one of the page before again. The unread are those of the whole inbox."""
    inbox = InboxStore(pool)
    entries = [_entry(at=number) for number in range(4)]
    await asyncio.gather(*[inbox.keep(entry) for entry in entries])
    first = await inbox.newest("t1", "u1", limit=2)
    assert ([kept.id for kept in first.entries], first.unread) == ([entries[3].id, entries[2].id], 4)
    await inbox.keep(_entry(at=9))
    last = first.entries[-1]
    place = Place(last.created_at_us, last.event_id, last.id)
    assert await inbox.place("t1", "u1", last.id) == place
    second = await inbox.newest("t1", "u1", limit=2, after=place)
    assert ([kept.id for kept in second.entries], second.unread) == ([entries[1].id, entries[0].id], 5)
    end = Place(entries[0].created_at_us, entries[0].event_id, entries[0].id)
    empty = await inbox.newest("t1", "u1", limit=2, after=end)
    assert (empty.entries, empty.unread) == ([], 5)
    nobody = await inbox.newest("t1", "nobody", limit=2)
    assert (nobody.entries, nobody.unread) == ([], 0)


async def test_all_are_marked_up_to_the_one_that_was_seen(pool: Pool) -> None:
    """Later ones stay unread, another's inbox is not touched, and what was read keeps its time."""
    inbox = InboxStore(pool)
    entries = [_entry(at=number) for number in range(4)]
    theirs = [_entry("t2", "u1"), _entry("t1", "u2")]
    await asyncio.gather(*[inbox.keep(entry) for entry in (*entries, *theirs)])
    assert await inbox.mark_read("t1", "u1", entries[0].id)
    read_at = await pool.fetchval("SELECT read_at FROM realtime.inbox WHERE id = $1", uuid.UUID(entries[0].id))
    seen = await inbox.place("t1", "u1", entries[2].id)
    assert seen is not None
    assert await inbox.mark_all_read("t1", "u1", seen) == (2, False)
    assert [kept.read for kept in (await inbox.newest("t1", "u1", limit=9)).entries] == [False, True, True, True]
    assert read_at == await pool.fetchval("SELECT read_at FROM realtime.inbox WHERE id = $1", uuid.UUID(entries[0].id))
    assert await inbox.mark_all_read("t1", "u1") == (1, False)
    assert [await inbox.unread(*owner) for owner in (("t1", "u1"), ("t2", "u1"), ("t1", "u2"))] == [0, 1, 1]
    for entry in (*theirs, _entry()):
        assert await inbox.place("t1", "u1", entry.id) is None


async def test_many_are_marked_a_thousand_at_a_time(pool: Pool) -> None:
    """So that no statement takes long; two callers at once do not wait for each other."""
    inbox = InboxStore(pool)
    await asyncio.gather(*[inbox.keep(_entry(at=number)) for number in range(MAX_MARKED + 5)])
    assert await inbox.mark_all_read("t1", "u1") == (MAX_MARKED, True)
    both = await asyncio.gather(inbox.mark_all_read("t1", "u1"), inbox.mark_all_read("t1", "u1"))
    assert sum(marked for marked, _ in both) == 5
    assert await inbox.unread("t1", "u1") == 0


async def test_an_export_goes_on_from_a_page_of_the_previous_version(pool: Pool) -> None:
    """Its cursor names the time and the event only."""
    inbox, privacy = InboxStore(pool), PrivacyStore(pool)
    newer, older = _entry(at=1), _entry(at=0)
    await asyncio.gather(*[inbox.keep(entry) for entry in (newer, older)])
    cursor = base64.urlsafe_b64encode(f"{newer.created_at_us}/{newer.event_id}".encode()).decode()
    rows, _ = await privacy.page("t1", "u1", cursor, 10)
    assert [str(row["id"]) for row in rows] == [older.id]


# Ids that mean something to somebody's parser, and neighbours that differ by one separator.
_USERS = ["u1", "x", "x,victim", "victim", "a#b", "a", "b", "a:b", "a b", "A#B", "ü" * 255, "'; --", "%", "_"]


async def test_no_user_sees_counts_or_marks_anothers(pool: Pool) -> None:
    """Two tenants with the very same user ids, and ids that other systems would take apart."""
    inbox = InboxStore(pool)
    entries = {(tenant, user): _entry(tenant, user) for tenant in ("t1", "t2") for user in _USERS}
    await asyncio.gather(*[inbox.keep(entry) for entry in entries.values()])
    for owner, entry in entries.items():
        assert await _ids(inbox, *owner) == [entry.id]
        for other in entries.keys() - {owner}:
            assert not await inbox.mark_read(*other, entry.id)
        assert await inbox.unread(*owner) == 1
    for owner, entry in entries.items():
        assert await inbox.mark_read(*owner, entry.id)
        assert await inbox.unread(*owner) == 0


async def test_marking_is_once_for_good_and_unknown_ids_are_not_found(pool: Pool) -> None:
    """The time of the first reading stays."""
    inbox = InboxStore(pool)
    read, unread = _entry(), _entry()
    await asyncio.gather(inbox.keep(read), inbox.keep(unread))
    assert await inbox.unread("t1", "u1") == 2
    assert await inbox.mark_read("t1", "u1", read.id)
    read_at = await pool.fetchval("SELECT read_at FROM realtime.inbox WHERE id = $1", uuid.UUID(read.id))
    assert await inbox.mark_read("t1", "u1", read.id)
    assert read_at == await pool.fetchval("SELECT read_at FROM realtime.inbox WHERE id = $1", uuid.UUID(read.id))
    assert await inbox.unread("t1", "u1") == 1
    for unknown in (str(uuid.uuid4()), "", "not-an-id", "' OR true --"):
        assert not await inbox.mark_read("t1", "u1", unknown)


async def test_a_row_that_the_database_refuses_fails_alone(pool: Pool) -> None:
    """Its neighbours in the same statement are kept."""
    inbox = InboxStore(pool)
    good = [_entry(at=number) for number in range(20)]
    bad = _entry(title="no \x00 in text")
    entries = [*good[:7], bad, *good[7:]]
    results = await asyncio.gather(*[inbox.keep(entry) for entry in entries], return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [asyncpg.CharacterNotInRepertoireError]
    assert sorted(await _ids(inbox)) == sorted(entry.id for entry in good)


async def test_many_are_kept_with_few_statements(pool: Pool) -> None:
    """What waits goes together."""
    inbox = InboxStore(pool)
    await asyncio.gather(*[inbox.keep(_entry(at=number)) for number in range(400)])
    # Rows of one statement have one xmin.
    statements = await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM realtime.inbox")
    assert await pool.fetchval("SELECT count(*) FROM realtime.inbox") == 400
    assert statements <= 2


@pytest.mark.parametrize("query", ["list_entries", "count_unread", "mark_all_read"])
async def test_reads_go_by_an_index(pool: Pool, query: str) -> None:
    """One user's page must not cost what the tenant's inbox holds."""
    from services.realtime.store import _sql

    await pool.execute(
        "INSERT INTO realtime.inbox (id, tenant_id, user_id, event_id, event_type, title, body, created_at)"
        " SELECT gen_random_uuid(), 't1', 'u' || n % 500, n::text, 'e', 't', 'b', now()"
        " FROM generate_series(1, 20000) n"
    )
    await pool.execute("ANALYZE realtime.inbox")
    place = (4 * 10**15, "1", uuid.UUID(int=0))
    arguments = {
        "list_entries": ("t1", "u7", 50, 0, 10**7, *place, 10_000),
        "count_unread": ("t1", "u7", 10_000),
        "mark_all_read": ("t1", "u7", *place, 1_000),
    }[query]
    rows = await pool.fetch("EXPLAIN " + getattr(_sql, query), *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan" not in plan
    assert "inbox_newest" in plan or "inbox_unread" in plan
