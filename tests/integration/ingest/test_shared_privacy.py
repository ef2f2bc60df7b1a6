"""Erasure and export of one of several recipients on real PostgreSQL: the others' part stays as it is."""

from collections.abc import Sequence

import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import privacy_pb2
from runtime import clock
from runtime.ids import new_id
from services.domain import erasures
from services.domain.erasures import Erasures
from services.domain.pseudonyms import unkeyed
from services.ingest.ledger.reader import KnownEvent, LedgerReader
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item
from services.ingest.ledger.search import EventFinder, EventSearch
from services.ingest.ledger.store import LedgerStore
from services.ingest.privacy.retention import RetentionWorker
from services.ingest.privacy.servicer import PrivacyServicer
from services.ingest.privacy.store import LedgerPrivacyStore
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, SENT
from tests.integration.ingest.test_privacy import TABLES, Pool, Privacy
from tests.integration.outboxes import PatientOutbox
from tests.keyed import KEYED

# Traces of ada, as columns and serialised; "ada" alone may be part of an id.
_TRACES = ("'ada'", "ada@", "x03ada", "25471100")


@pytest.fixture
async def privacy(pool: Pool, connection: Client) -> Privacy:
    """The parts."""
    outbox, ledger = PatientOutbox(pool, "ingest", connection), LedgerStore(pool, pool)
    servicer = PrivacyServicer(LedgerPrivacyStore(pool, outbox, LedgerReader(pool), KEYED))
    keeper = RetentionWorker(pool, outbox, events_days=90, payload_days=30)
    return Privacy(pool, outbox, ledger, servicer, keeper)


def _of(event: event_pb2.Event, users: list[str]) -> list[Item]:
    """Return the records of an event whose text messages were sent, ada's dead."""
    plans = [
        builders.planned(
            event,
            user,
            recipient=event_pb2.Recipient(user_id=user, phone=f"+254711{0 if user == 'ada' else 9}00{number:03}"),
        )
        for number, user in enumerate(users)
    ]
    records: list[Item] = [event, *builders.parts(event, plans)]
    for plan in plans:
        record = builders.attempted(event, plan.delivery_id, DEAD if plan.recipient.user_id == "ada" else SENT)
        record.attempted.detail = f"no {plan.recipient.phone}"
        record.attempted.dead_letter.recipient.CopyFrom(plan.recipient)
        records.append(record)
    return records


async def _erase(privacy: Privacy, tenant: str, user_id: str = "ada") -> list[privacy_pb2.ListErasureEventsResponse]:
    """Erase as the gateway does; return the pages."""
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id=user_id)
    common = {"tenant_id": tenant, "erasure_id": begun.erasure_id}
    pages = []
    while (page := await privacy.call("ListErasureEvents", **common, user_id=user_id, shared=True)).event_ids:
        pages.append(page)
        await privacy.call("EraseEvents", **common, user_id=user_id, event_ids=page.event_ids)
    return pages


async def _holding(privacy: Privacy) -> list[str]:
    """Return the tables that hold a trace of ada."""
    found = []
    for table in TABLES:
        text = repr([dict(row) for row in await privacy.pool.fetch(f"SELECT * FROM ingest.{table}")])
        if any(trace in text for trace in _TRACES):
            found.append(table)
    return found


@pytest.mark.parametrize("count", [1, 3, 100, 2000])
async def test_one_of_several_recipients(privacy: Privacy, count: int) -> None:
    """No table holds ada any more; everybody else's rows, the body and the others' targets are as before."""
    tenant = await privacy.tenant()
    others = [f"u{number:04}" for number in range(count - 1)]
    targets = [builders.person("ada", "ada@example.org", "+254711000000"), *map(builders.person, others)]
    event = builders.shared_event(
        tenant, *(targets if count <= 100 else (targets[0], builders.group("all"))), variables=b'{"n":1}'
    )
    if count > 1:
        event.exclusions.append(event_pb2.Target(recipient_id="bob"))
    items = _of(event, ["ada", *others])
    for first in range(0, len(items), 1000):
        await privacy.ledger.write(merge(items[first : first + 1000]))
    assert set(await _holding(privacy)) == {"recipients", "event_payloads", "deliveries", "attempts", "dead_letters"}
    before = await privacy.count()
    [page] = await _erase(privacy, tenant)
    assert list(page.shared_event_ids) == ([event.id] if count > 1 else [])
    assert len(page.delivery_ids) == (1 if count > 1 else 0)
    assert await _holding(privacy) == []
    assert await privacy.count() == {
        **before,
        "dead_letters": 0,
        "event_payloads": 1 if count > 1 else 0,
    }
    texts = "SELECT count(*) FROM ingest.attempts WHERE detail <> ''"
    assert await privacy.pool.fetchval(texts) == count - 1
    if count > 1:
        stored = event_pb2.Event.FromString(await privacy.pool.fetchval("SELECT event FROM ingest.event_payloads"))
        assert (stored.variables, stored.exclusions) == (event.variables, event.exclusions)
        assert [target for target in stored.audience if target.WhichOneof("target")] == list(event.audience[1:])


async def test_a_gateway_of_the_version_before(privacy: Privacy) -> None:
    """It knows nothing of other recipients, so it sees the events of one only, and these are erased."""
    tenant = await privacy.tenant()
    shared = builders.shared_event(tenant, builders.person("ada"), builders.person("bob"))
    await privacy.ledger.write(merge(_of(shared, ["ada", "bob"])))
    alone = await privacy.know(tenant)
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
    common = {"tenant_id": tenant, "erasure_id": begun.erasure_id}
    page = await privacy.call("ListErasureEvents", **common, user_id="ada")
    assert (list(page.event_ids), list(page.shared_event_ids)) == ([alone], [])
    await privacy.call("EraseEvents", **common, event_ids=page.event_ids)
    people = await privacy.pool.fetch("SELECT user_id FROM ingest.recipients WHERE event_id = $1", alone)
    assert [row["user_id"] for row in people] == [f"erased:{begun.erasure_id}"]


async def test_rows_of_the_version_before_are_erased_and_exported(privacy: Privacy) -> None:
    """Their recipient stands in the event's own columns."""
    tenant = await privacy.tenant()
    event_id = await privacy.know(tenant)
    await privacy.pool.execute("DELETE FROM ingest.recipients")
    await privacy.pool.execute("UPDATE ingest.events SET user_id = 'ada', email = 'ada@example.org', phone = ''")
    [exported] = (await privacy.call("ExportEvents", tenant_id=tenant, user_id="ada")).events
    assert (exported.event.id, exported.event.recipient.email) == (event_id, "ada@example.org")
    assert await privacy.erase(tenant)
    row = await privacy.pool.fetchrow("SELECT user_id, email FROM ingest.events")
    assert row is not None
    assert row["user_id"].startswith("erased:")
    assert row["email"] == ""
    assert await _holding(privacy) == []


async def test_what_is_read_after_the_erasure(privacy: Privacy) -> None:
    """The event and its plan come late, in any order and twice: without ada, and with the others."""
    tenant = await privacy.tenant()
    await _erase(privacy, tenant)
    event = builders.shared_event(tenant, builders.person("ada", "ada@example.org"), builders.person("bob"))
    known = Erasures(KEYED)
    marker = erasures.Erasure(new_id(), clock.now_us())
    known.on_change(erasures.key(tenant, KEYED.erasure(unkeyed(tenant, "ada"))), msgspec.json.encode(marker))
    items = _of(event, ["ada", "bob"])
    for item in items:
        if isinstance(item, trace_pb2.TraceRecord) and item.HasField("attempted"):
            item.attempted.detail = ""
            item.attempted.dead_letter.tenant_id = tenant
            item.attempted.dead_letter.accepted_at_us = event.accepted_at_us
    for order in (items[::-1], items):
        for item in order:
            await privacy.ledger.write(merge([item], known))
    assert await _holding(privacy) == []
    stored = event_pb2.Event.FromString(await privacy.pool.fetchval("SELECT event FROM ingest.event_payloads"))
    assert [target.recipient.user_id for target in stored.audience] == ["", "bob"]
    people = await privacy.pool.fetch("SELECT user_id FROM ingest.recipients ORDER BY user_id")
    assert [row["user_id"] for row in people] == ["bob", marker.pseudonym]


async def test_what_an_attempt_left_behind(privacy: Privacy) -> None:
    """Recorded of ada after the erasure: the event is listed as late; what is recorded of others is not ada's."""
    tenant = await privacy.tenant()
    event = builders.shared_event(tenant, builders.person("ada"), builders.person("bob"))
    await privacy.ledger.write(merge(_of(event, ["ada", "bob"])))
    await _erase(privacy, tenant)
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
    common = {"tenant_id": tenant, "erasure_id": begun.erasure_id, "late": True, "shared": True}
    assert not (await privacy.call("ListErasureEvents", **common)).event_ids
    for user, found in (("bob", []), ("ada", [event.id])):
        id_ = builders.planned(event, user).delivery_id
        await privacy.pool.execute("UPDATE ingest.deliveries SET updated_at = now() WHERE id = $1", id_)
        page = await privacy.call("ListErasureEvents", **common)
        assert list(page.event_ids) == list(page.shared_event_ids) == found
    assert list(page.delivery_ids) == [id_]


async def test_the_export_of_one_of_several_recipients(privacy: Privacy) -> None:
    """Their deliveries, attempts and dead letters, the body, and of the audience themselves alone."""
    tenant = await privacy.tenant()
    event = builders.shared_event(
        tenant, builders.person("ada", "ada@example.org"), builders.person("bob"), builders.person("", "x@example.org")
    )
    await privacy.ledger.write(merge(_of(event, ["ada", "bob"])))
    [one] = (await privacy.call("ExportEvents", tenant_id=tenant, user_id="ada")).events
    assert one.shared
    assert [delivery.recipient.user_id for delivery in one.event.deliveries] == ["ada"]
    assert one.event.delivery_count == 1
    assert [letter.delivery_id for letter in one.dead_letters] == [one.event.deliveries[0].id]
    assert {step.delivery_id for step in one.steps} == {"", one.event.deliveries[0].id}
    assert "bob" not in str(one)
    assert "x@example.org" not in str(one)
    assert one.payload.audience[0] == event.audience[0]
    [other] = (await privacy.call("ExportEvents", tenant_id=tenant, user_id="bob")).events
    assert "ada" not in str(other)
    assert not other.dead_letters


async def test_a_marker_outlives_what_waits(privacy: Privacy) -> None:
    """An event from before the erasure is unfinished, though long ago: the marker stays until it is finished."""
    tenant = await privacy.tenant()
    event = builders.event(tenant, user_id="bob")
    builders.age(event, 300)
    await privacy.ledger.write(merge([event]))
    await _erase(privacy, tenant)
    await _erase(privacy, await privacy.tenant())  # who has nothing that waits
    count = "SELECT count(*) FROM ingest.recipient_erasures"
    await privacy.pool.execute("UPDATE ingest.recipient_erasures SET erased_at = now() - interval '200 days'")
    await privacy.keeper.forget()
    assert await privacy.pool.fetchval(count) == 1
    id_ = builders.delivery_id(event)
    await privacy.ledger.write(merge([builders.routed(event, {id_: QUEUED}), builders.attempted(event, id_, SENT)]))
    later = builders.event(tenant, user_id="bob")  # accepted after the erasure
    await privacy.ledger.write(merge([later]))
    await privacy.keeper.forget()
    assert await privacy.pool.fetchval(count) == 0


async def test_payloads_of_waiting_events_stay(privacy: Privacy) -> None:
    """Retention deletes what an event carried only when it is finished."""
    tenant = await privacy.tenant()
    event = builders.event(tenant)
    builders.age(event, 200)
    event.due_at_us = clock.now_us() + 3_600_000_000
    await privacy.ledger.write(merge([event]))
    await privacy.keeper.expire_all()
    assert (await privacy.count())["event_payloads"] == 1
    await privacy.ledger.write(merge([builders.plan(event, [], reason="canceled")]))
    await privacy.keeper.expire_all()
    assert not any((await privacy.count()).values())


async def test_who_is_excluded_is_exported_and_erased(privacy: Privacy) -> None:
    """Their id is taken out of the stored event, and nothing else: not of its only recipient either."""
    tenant = await privacy.tenant()
    event = builders.shared_event(tenant, builders.person("bob"), variables=b'{"n":1}')
    event.exclusions.extend([event_pb2.Target(recipient_id="x03ada"), event_pb2.Target(recipient_id="joe")])
    await privacy.ledger.write(merge(_of(event, ["bob"])))
    assert set(await _holding(privacy)) == {"recipients", "event_payloads"}

    exported = await privacy.call("ExportEvents", tenant_id=tenant, user_id="x03ada")
    [one] = exported.events
    assert (one.event.id, list(one.event.deliveries), one.payload.variables) == (event.id, [], b"")
    assert list(one.payload.exclusions) == [event_pb2.Target(recipient_id="x03ada")]
    assert not [target for target in one.payload.audience if target.WhichOneof("target")]
    assert (await EventFinder(privacy.pool).page(EventSearch(recipient="x03ada"), 10)).ids == []

    before = await privacy.count()
    [page] = await _erase(privacy, tenant, "x03ada")
    assert (list(page.shared_event_ids), list(page.delivery_ids)) == ([event.id], [])
    assert await _holding(privacy) == []
    assert await privacy.count() == before
    stored = event_pb2.Event.FromString(await privacy.pool.fetchval("SELECT event FROM ingest.event_payloads"))
    del event.exclusions[0]
    assert stored == event
    assert await privacy.pool.fetchval("SELECT count(*) FROM ingest.attempts WHERE detail <> ''") == 1


async def test_the_only_recipient_of_an_event_that_excludes_somebody(privacy: Privacy) -> None:
    """With them goes what the caller said about the event, as with the only recipient of any event."""
    tenant = await privacy.tenant()
    event = builders.shared_event(tenant, builders.person("ada", "ada@example.org"), caller_event_id="order of x03ada")
    event.exclusions.append(event_pb2.Target(recipient_id="joe"))
    await privacy.ledger.write(merge(_of(event, ["ada"])))
    await _erase(privacy, tenant)
    assert await _holding(privacy) == []
    assert await privacy.pool.fetchval("SELECT trace_id || caller_event_id FROM ingest.events") == ""
    assert await privacy.pool.fetchval("SELECT count(*) FROM ingest.event_payloads") == 0


async def test_who_was_erased_before_the_ledger_read_their_exclusion(privacy: Privacy) -> None:
    """Only their pseudonym is stored, and the ledger may read the event again."""
    tenant = await privacy.tenant()
    event = builders.shared_event(tenant, builders.person("bob"))
    event.exclusions.append(event_pb2.Target(recipient_id="x03ada"))
    erasures_ = Erasures(KEYED)
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id="x03ada")
    digest = KEYED.erasure(unkeyed(tenant, "x03ada"))
    erasure = erasures.Erasure(begun.erasure_id, begun.at_us)
    erasures_.on_change(erasures.key(tenant, digest), msgspec.json.encode(erasure))
    for _ in range(2):
        await privacy.ledger.write(merge(_of(event, ["bob"]), erasures_))
    assert await _holding(privacy) == []
    people = await privacy.pool.fetch("SELECT user_id FROM ingest.recipients")
    assert sorted(row["user_id"] for row in people) == sorted(["bob", erasure.pseudonym])


@pytest.mark.parametrize(
    ("state", "erased", "left"),
    [(1, "u002", "u001"), (1, "u000", ""), (1, "other", "u002"), (3, "u002", None)],
)
async def test_where_a_replay_stands_names_nobody_who_was_erased(
    privacy: Privacy, state: int, erased: str, left: str | None
) -> None:
    """A running one goes on after the recipient before them, one that has ended needs no place any more."""
    tenant = await privacy.tenant()
    event = builders.shared_event(tenant, builders.group("all"))
    await privacy.ledger.write(merge(_of(event, ["u000", "u001", "u002", "u003", "other"])))
    stands = erased if erased != "other" else "u002"
    await privacy.pool.execute(
        "INSERT INTO ingest.replays (id, tenant_id, since, until, status, per_second, state, position,"
        " position_destination) VALUES ($1, $2, now(), now(), 0, 50, $3, $4, $5)",
        new_id(),
        tenant,
        state,
        event.id,
        stands,
    )
    await _erase(privacy, tenant, erased)
    wanted = left if left != "" or erased != "u000" else "other"
    assert await privacy.pool.fetchval("SELECT position_destination FROM ingest.replays") == wanted


async def test_a_record_that_a_later_version_must_read_keeps_the_erasures(privacy: Privacy) -> None:
    """It is read when the erasure is long over, and may name the person: the erasure stays as long as it does."""
    tenant = await privacy.tenant()
    event = builders.event(tenant, user_id="ada", email="ada@example.org")
    event.id_scheme = 9
    await privacy.ledger.write(merge([event]))
    await _erase(privacy, tenant)
    await privacy.pool.execute("UPDATE ingest.recipient_erasures SET erased_at = erased_at - interval '8 days'")
    count = "SELECT count(*) FROM ingest.recipient_erasures"
    await privacy.keeper.forget()
    assert await privacy.pool.fetchval(count) == 1
    await privacy.pool.execute("UPDATE ingest.unknown_records SET stored_at = stored_at - interval '91 days'")
    await privacy.keeper.forget()
    await privacy.keeper.forget()
    assert await privacy.pool.fetchval(count) == 0


class _Reader(LedgerReader):
    """Notes how many deliveries it reads with the events."""

    read = 0

    async def events(
        self,
        event_ids: Sequence[str],
        most_deliveries: int,
        *,
        of_shared: bool = True,
        most_counted: int | None = None,
    ) -> list[KnownEvent]:
        """Read."""
        found = await super().events(event_ids, most_deliveries, of_shared=of_shared, most_counted=most_counted)
        self.read += sum(len(event.deliveries) for event in found)
        return found


async def test_an_export_does_not_read_what_others_got(privacy: Privacy) -> None:
    """Of an event with many recipients the person's deliveries are read, and no others."""
    tenant = await privacy.tenant()
    users = ["ada", *(f"u{number:03}" for number in range(100))]
    await privacy.ledger.write(merge(_of(builders.shared_event(tenant, builders.group("all")), users)))
    reader = _Reader(privacy.pool)
    [found] = await LedgerPrivacyStore(privacy.pool, privacy.outbox, reader, KEYED).export(tenant, "ada", "", 20)
    assert [one.recipient.user_id for one in found.event.deliveries] == ["ada"]
    assert reader.read == 0


async def test_somebody_without_an_id_among_others(privacy: Privacy) -> None:
    """Known by the address, which is ada's: their part alone goes, and the target in the stored event."""
    tenant = await privacy.tenant()
    other = builders.person("", "eve@example.org")
    event = builders.shared_event(tenant, builders.person("", "ada@example.org"), other, builders.person("bob"))
    plans = [
        builders.planned(event, "#0", recipient=event_pb2.Recipient(email="ada@example.org"), destination="#0"),
        builders.planned(event, "#1", recipient=event_pb2.Recipient(email="eve@example.org"), destination="#1"),
        builders.planned(event, "bob"),
    ]
    attempts = [builders.attempted(event, one.delivery_id, DEAD) for one in plans]
    for attempt, plan in zip(attempts, plans, strict=True):
        attempt.attempted.detail = f"no {plan.recipient.email}"
        attempt.attempted.dead_letter.recipient.CopyFrom(plan.recipient)
    await privacy.ledger.write(merge([event, *builders.parts(event, plans), *attempts]))
    before = await privacy.count()
    await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada", addresses=["ada@example.org"])
    [page] = await _erase(privacy, tenant)
    assert (list(page.shared_event_ids), list(page.delivery_ids)) == ([event.id], [plans[0].delivery_id])
    assert await _holding(privacy) == []
    assert await privacy.count() == {**before, "dead_letters": 2}
    stored = event_pb2.Event.FromString(await privacy.pool.fetchval("SELECT event FROM ingest.event_payloads"))
    assert [target.WhichOneof("target") for target in stored.audience] == [None, "recipient", "recipient"]
    assert stored.audience[1] == other
