"""Retention, erasure and export on real PostgreSQL: each tenant's days, a person taken out and kept out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import privacy_pb2
from runtime import bucket_keys, clock, configuration
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import erasures, retention
from services.domain.erasures import Erasures
from services.domain.pseudonyms import unkeyed
from services.ingest.ledger.reader import LedgerReader
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.privacy import store as privacy_store
from services.ingest.privacy.retention import RetentionWorker
from services.ingest.privacy.servicer import PrivacyServicer
from services.ingest.privacy.store import LedgerPrivacyStore
from services.ingest.retries.store import RetryStore
from tests.conftest import NatsServer
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, SENT
from tests.integration.outboxes import PatientOutbox
from tests.keyed import KEYED
from tests.statement_timeouts import refuse_short_timeouts
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TABLES = ("events", "event_payloads", "recipients", "deliveries", "attempts", "dead_letters")


@dataclass
class Privacy:
    """Store, keeper and servicer in this process, as ingest wires them."""

    pool: Pool
    outbox: configuration.ConfigurationOutbox
    ledger: LedgerStore
    servicer: PrivacyServicer
    keeper: RetentionWorker

    async def call(self, method: str, **fields: Any) -> Any:
        """Call "BeginErasure" or its like."""
        request = getattr(privacy_pb2, f"{method}Request")(**fields)
        return await getattr(self.servicer, method)(request, None)

    async def tenant(self) -> str:
        """Make one."""
        tenant_id = new_id()
        await builders.insert_tenant(self.pool, tenant_id, unfinished=0)
        return tenant_id

    async def know(self, tenant_id: str, user_id: str = "ada", *, age_days: float = 0, dead: bool = False) -> str:
        """Make the ledger know an event that is over, with a delivery and an attempt; return its id."""
        event = builders.event(tenant_id, user_id=user_id, email="ada@example.org", phone="+254712345678")
        if age_days:
            builders.age(event, age_days)
        id_ = builders.delivery_id(event)
        attempt = builders.attempted(event, id_, DEAD if dead else SENT)
        attempt.attempted.detail = "550 no ada@example.org here"
        attempt.attempted.dead_letter.recipient.CopyFrom(event.recipient)
        await self.ledger.write(merge([event, builders.routed(event, {id_: QUEUED}), attempt]))
        return event.id

    async def count(self) -> dict[str, int]:
        """Return how many rows each table has."""
        return {table: await self.pool.fetchval(f"SELECT count(*) FROM ingest.{table}") for table in TABLES}

    async def erase(
        self, tenant_id: str, user_id: str = "ada", addresses: Sequence[str] = ()
    ) -> privacy_pb2.EraseEventsResponse:
        """Erase as the gateway does, the ledger's part only; return the last page's counts."""
        begun = await self.call("BeginErasure", tenant_id=tenant_id, user_id=user_id, addresses=addresses)
        counts = privacy_pb2.EraseEventsResponse()
        common = {"tenant_id": tenant_id, "erasure_id": begun.erasure_id}
        while ids := (await self.call("ListErasureEvents", **common, user_id=user_id)).event_ids:
            counts = await self.call("EraseEvents", **common, event_ids=ids)
        return counts


@pytest.fixture
async def privacy(pool: Pool, connection: Client) -> Privacy:
    """The parts."""
    outbox, ledger = PatientOutbox(pool, "ingest", connection), LedgerStore(pool, pool)
    servicer = PrivacyServicer(LedgerPrivacyStore(pool, outbox, LedgerReader(pool), KEYED))
    keeper = RetentionWorker(pool, outbox, events_days=90, payload_days=30)
    return Privacy(pool, outbox, ledger, servicer, keeper)


async def test_no_table_holds_the_person_any_more(privacy: Privacy) -> None:
    """The rows still count; no column has the name, the address, the number, the caller's words or the provider's."""
    tenant = await privacy.tenant()
    await privacy.know(tenant)
    await privacy.know(tenant, dead=True)
    kept = await privacy.know(tenant, "bob")
    counts = await privacy.erase(tenant)
    assert (counts.events, counts.payloads, counts.attempts, counts.dead_letters) == (2, 2, 2, 1)
    for table in TABLES:
        where = f"WHERE {'id' if table == 'events' else 'event_id'} <> $1"
        rows = await privacy.pool.fetch(f"SELECT * FROM ingest.{table} {where}", kept)
        text = repr([dict(row) for row in rows])
        assert not any(trace in text for trace in ("ada@", "'ada'", "25471", "trace-1"))
    assert await privacy.count() == {
        "events": 3,
        "event_payloads": 1,
        "recipients": 3,
        "deliveries": 3,
        "attempts": 3,
        "dead_letters": 0,
    }


async def test_messages_without_a_user_id(privacy: Privacy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those to an address of the person are theirs; not a tenant's with the same one, nor what is accepted later."""
    tenant, other = await privacy.tenant(), await privacy.tenant()
    theirs = [await privacy.know(tenant, "") for _ in range(3)]
    kept = [await privacy.know(other, ""), await privacy.know(tenant, "bob")]
    monkeypatch.setattr(privacy_store, "MAX_ADOPTED", 2)
    fields = {"tenant_id": tenant, "user_id": "ada", "addresses": ["ada@example.org", "nobody@example.org"]}
    assert [(await privacy.call("BeginErasure", **fields)).more for _ in range(2)] == [True, False]
    counts = await privacy.erase(tenant, addresses=fields["addresses"])
    assert (counts.events, counts.payloads, counts.attempts) == (3, 3, 3)
    rows = await privacy.pool.fetch("SELECT event_id, user_id, addresses FROM ingest.recipients")
    assert {str(row["event_id"]) for row in rows if row["addresses"] is None} == set(theirs)
    assert {str(row["event_id"]) for row in rows if row["addresses"] is not None} == set(kept)
    assert {row["user_id"] for row in rows if str(row["event_id"]) in kept} == {"", "bob"}
    later = builders.event(tenant, user_id="", email="ada@example.org")
    builders.accept_before(later, -1)
    await privacy.ledger.write(merge([later, builders.routed(later, {builders.delivery_id(later): QUEUED})]))
    await privacy.call("BeginErasure", **fields)
    assert await privacy.pool.fetchval("SELECT user_id FROM ingest.recipients WHERE event_id = $1", later.id) == ""
    with pytest.raises(ClarionError) as refused:
        await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada", addresses=["x" * 321])
    assert (refused.value.code, refused.value.fields[0][0]) == (Code.INVALID, "addresses")


async def test_a_namesake_at_another_tenant_is_somebody_else(privacy: Privacy) -> None:
    """The same user id there: rows, payload and what is read later stay as they are."""
    tenant, other = await privacy.tenant(), await privacy.tenant()
    await privacy.know(tenant)
    kept = await privacy.know(other)
    await privacy.erase(tenant)
    assert await privacy.pool.fetchval("SELECT user_id FROM ingest.recipients WHERE event_id = $1", kept) == "ada"
    assert (await privacy.count())["event_payloads"] == 1
    shown = (await privacy.call("ExportEvents", tenant_id=other, user_id="ada")).events
    assert [one.event.id for one in shown] == [kept]
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
    with pytest.raises(ClarionError) as refusal:
        await privacy.call("EraseEvents", tenant_id=other, erasure_id=begun.erasure_id, event_ids=[kept])
    assert refusal.value.code is Code.NOT_FOUND


async def test_an_erasure_cut_off_is_finished_by_the_next_one(privacy: Privacy) -> None:
    """Of 250 events one page was done with; asked again it is the same erasure, and does the rest."""
    tenant = await privacy.tenant()
    for _ in range(250):
        await privacy.know(tenant)
    first = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
    common = {"tenant_id": tenant, "erasure_id": first.erasure_id}
    page = (await privacy.call("ListErasureEvents", **common, user_id="ada")).event_ids
    assert len(page) == 100
    await privacy.call("EraseEvents", **common, event_ids=page)
    await privacy.erase(tenant)
    pseudonyms = await privacy.pool.fetch("SELECT DISTINCT user_id FROM ingest.recipients")
    assert [row["user_id"] for row in pseudonyms] == [f"erased:{first.erasure_id}"]


async def test_what_the_ledger_reads_afterwards_is_erased_as_it_comes(privacy: Privacy) -> None:
    """Accepted before, read after: a row without the person, no payload, no letter. Read twice: nothing comes back.

    What is accepted later is a new matter.
    """
    tenant = await privacy.tenant()
    before = builders.event(tenant, user_id="ada", email="ada@example.org")
    await privacy.ledger.write(merge([before]))
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
    await privacy.erase(tenant)
    marker = erasures.Erasure(begun.erasure_id, clock.now_us())
    known = Erasures(KEYED)
    digest = KEYED.erasure(unkeyed(tenant, "ada"))
    known.on_change(erasures.key(tenant, digest), msgspec.json.encode(marker))
    late = builders.event(tenant, user_id="ada", email="ada@example.org")
    dead = builders.attempted(late, builders.delivery_id(late), DEAD)
    dead.attempted.dead_letter.recipient.CopyFrom(late.recipient)
    dead.attempted.dead_letter.accepted_at_us = late.accepted_at_us
    anew = builders.event(tenant, user_id="ada", email="ada@example.org")
    anew.accepted_at_us = clock.now_us() + 1_000_000
    for _ in range(2):
        await privacy.ledger.write(merge([before, late, dead, anew], known))
    rows = {str(row["event_id"]): row for row in await privacy.pool.fetch("SELECT * FROM ingest.recipients")}
    for event in (before, late):
        assert (rows[event.id]["user_id"], rows[event.id]["addresses"]) == (marker.pseudonym, None)
    assert (rows[anew.id]["user_id"], rows[anew.id]["addresses"]) == ("ada", '{"email": "ada@example.org"}')
    count = await privacy.count()
    assert (count["event_payloads"], count["dead_letters"]) == (1, 0)


async def test_what_an_attempt_under_way_left_behind_is_found(privacy: Privacy) -> None:
    """Recorded after the erasure, of an event that was erased: listed as late; an old one is not."""
    tenant = await privacy.tenant()
    old, recent = await privacy.know(tenant), await privacy.know(tenant)
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
    common = {"tenant_id": tenant, "erasure_id": begun.erasure_id}
    await privacy.erase(tenant)
    await privacy.pool.execute("UPDATE ingest.deliveries SET updated_at = now() WHERE event_id = $1", recent)
    await privacy.pool.execute(
        "UPDATE ingest.deliveries SET updated_at = now() - interval '1 hour' WHERE event_id = $1", old
    )
    late = (await privacy.call("ListErasureEvents", **common, late=True)).event_ids
    assert list(late) == [recent]
    assert not (await privacy.call("ListErasureEvents", **common, late=True, after=recent)).event_ids


async def test_an_erasure_waits_for_the_ledger_with_nothing_in_its_hands(privacy: Privacy) -> None:
    """An event that is being read once more: its payload can be written while an erasure of it waits."""
    tenant = await privacy.tenant()
    event_id = await privacy.know(tenant)
    begun = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
    fields = {"tenant_id": tenant, "erasure_id": begun.erasure_id, "event_ids": [event_id]}
    async with privacy.pool.acquire() as ledger, ledger.transaction():
        await ledger.execute("UPDATE ingest.events SET routed_at = now() WHERE id = $1", event_id)
        erasing = asyncio.create_task(privacy.call("EraseEvents", **fields))
        await eventually(lambda: privacy.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await ledger.execute(
            "INSERT INTO ingest.event_payloads VALUES ($1, $2, '') ON CONFLICT DO NOTHING", tenant, event_id
        )
    assert (await erasing).payloads == 1


async def test_the_marker_is_announced_and_forgotten_after_a_week(privacy: Privacy, connection: Client) -> None:
    """Every process hears of it; then nothing connects the person with the rows any more."""
    tenant = await privacy.tenant()
    known = Erasures(KEYED)
    watch = configuration.ConfigurationWatch(connection, [erasures.PREFIX], known.on_change)
    watching = asyncio.create_task(watch.run())
    now = clock.now_us()
    await privacy.erase(tenant)
    await eventually(lambda: known.find(tenant, "ada", now))
    assert known.find(tenant, "bob", now) is None
    await privacy.pool.execute("UPDATE ingest.recipient_erasures SET erased_at = now() - interval '6 days'")
    await privacy.keeper.forget()
    assert known.find(tenant, "ada", now) is not None
    await privacy.pool.execute("UPDATE ingest.recipient_erasures SET erased_at = now() - interval '8 days'")
    await privacy.keeper.forget()
    await eventually(lambda: known.find(tenant, "ada", now) is None)
    assert await privacy.pool.fetchval("SELECT count(*) FROM ingest.recipient_erasures") == 0
    watching.cancel()


async def test_an_erasure_of_which_nobody_could_be_told_has_not_begun(
    privacy: Privacy, nats_server: NatsServer, connection: Client
) -> None:
    """While NATS is away the answer is UNAVAILABLE, for workers would still send; asked again it is the same one."""
    tenant = await privacy.tenant()
    nats_server.kill()
    try:
        with pytest.raises(ClarionError) as refusal:
            await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
        assert refusal.value.code is Code.UNAVAILABLE
        written = await privacy.pool.fetchval("SELECT id FROM ingest.recipient_erasures")
    finally:
        await asyncio.to_thread(nats_server.start)
    await eventually(lambda: connection.is_connected)

    async def begin() -> str:
        try:
            answer = await privacy.call("BeginErasure", tenant_id=tenant, user_id="ada")
        except ClarionError as error:
            raise AssertionError(error.detail) from error
        return str(answer.erasure_id)

    assert await eventually(begin) == str(written)
    bucket = await connection.jetstream().key_value(bucket_keys.BUCKET)
    assert await bucket.get(erasures.key(tenant, KEYED.erasure(unkeyed(tenant, "ada"))))


async def test_each_tenants_ledger_is_kept_for_its_own_days(privacy: Privacy, pool: Pool) -> None:
    """Default 90 days of events and 30 of payloads; one tenant keeps 10 and 5. What is not over stays."""
    usual, brief = await privacy.tenant(), await privacy.tenant()
    await privacy.call("SetRetention", tenant_id=brief, retention=privacy_pb2.Retention(events_days=10, payload_days=5))
    ids = {
        (name, age): await privacy.know(tenant, age_days=age, dead=True)
        for name, tenant in (("usual", usual), ("brief", brief))
        for age in (1, 7, 20, 60, 100)
    }
    await pool.execute("UPDATE ingest.events SET finished_at = NULL WHERE id = $1", ids["usual", 100])
    await privacy.keeper.expire_all()
    left = {str(row["id"]) for row in await pool.fetch("SELECT id FROM ingest.events")}
    wanted = {*(("usual", age) for age in (1, 7, 20, 60, 100)), ("brief", 1), ("brief", 7)}
    assert left == {ids[one] for one in wanted}
    payloads = {str(row["event_id"]) for row in await pool.fetch("SELECT event_id FROM ingest.event_payloads")}
    assert payloads == {ids[one] for one in (("usual", 1), ("usual", 7), ("usual", 20), ("usual", 100), ("brief", 1))}
    for table in ("deliveries", "attempts", "dead_letters"):
        assert await pool.fetchval(f"SELECT count(*) FROM ingest.{table}") == len(wanted)


async def test_a_dead_letter_sent_again_keeps_its_event_until_it_is_over(privacy: Privacy, pool: Pool) -> None:
    """Long past its days: not a row goes while the replay is queued, nor while it is being made; all when it died."""
    tenant = await privacy.tenant()
    event = builders.event(tenant, user_id="ada", email="ada@example.org")
    builders.age(event, 100)
    id_ = builders.delivery_id(event)
    await privacy.ledger.write(
        merge([event, builders.routed(event, {id_: QUEUED}), builders.attempted(event, id_, DEAD)])
    )

    async def publish(_: object) -> None:
        await privacy.keeper.expire_all()

    assert await RetryStore(privacy.pool, privacy.pool).replay(id_, publish)
    await privacy.keeper.expire_all()
    assert {name: count for name, count in (await privacy.count()).items() if name != "event_payloads"} == {
        "events": 1,
        "recipients": 1,
        "deliveries": 1,
        "attempts": 1,
        "dead_letters": 1,
    }
    assert await _unfinished(pool) == (1, 1)
    await privacy.ledger.write(merge([builders.attempted(event, id_, DEAD, replay=1)]))
    assert await _unfinished(pool) == (0, 0)
    await privacy.keeper.expire_all()
    assert not any((await privacy.count()).values())


async def _unfinished(pool: Pool) -> tuple[int, int]:
    """Events that are not over, and what the quota says."""
    events = await pool.fetchval("SELECT count(*) FROM ingest.events WHERE finished_at IS NULL")
    return events, await pool.fetchval("SELECT unfinished FROM ingest.backlog")


async def test_what_an_unfinished_event_carried_stays(privacy: Privacy) -> None:
    """A delivery that waits may refer to it; when it is over, it goes."""
    tenant = await privacy.tenant()
    event = builders.event(tenant)
    builders.age(event, 35)
    id_ = builders.delivery_id(event)
    await privacy.ledger.write(merge([event, builders.routed(event, {id_: QUEUED})]))
    await privacy.keeper.expire_all()
    assert (await privacy.count())["event_payloads"] == 1
    await privacy.ledger.write(merge([builders.attempted(event, id_, SENT)]))
    await privacy.keeper.expire_all()
    assert (await privacy.count())["event_payloads"] == 0


async def test_what_comes_when_its_event_is_gone_goes_too(privacy: Privacy, pool: Pool) -> None:
    """A bounce with the address in it, a complaint that moves nothing, a second death: the next look takes them."""
    tenant = await privacy.tenant()
    event = builders.event(tenant, user_id="ada")
    builders.age(event, 100)
    id_ = builders.delivery_id(event)
    bounced = builders.attempted(event, id_, trace_pb2.DELIVERY_STATUS_BOUNCED)
    bounced.attempted.detail = "550 no ada@example.org here"
    told = trace_pb2.Reported(delivery_id=new_id(), channel=builders.SMS, detail="ada@example.org")
    seen = trace_pb2.TraceRecord(id=new_id(), event_id=event.id, tenant_id=tenant, at_us=1, reported=told)
    for record in (bounced, seen, builders.attempted(event, id_, DEAD)):
        await privacy.ledger.write(merge([record]))
        assert (await privacy.count())["attempts"] == 1
        await privacy.keeper.expire_all()
        assert not any((await privacy.count()).values())


async def test_an_old_event_that_is_read_backwards_is_not_over_early(privacy: Privacy, pool: Pool) -> None:
    """After a long outage its first end is read before its plan: it is finished by its last one."""
    tenant = await privacy.tenant()
    event = builders.event(tenant)
    builders.age(event, 2)
    first, second = builders.delivery_id(event), new_id()
    await privacy.ledger.write(merge([builders.attempted(event, first, SENT)]))
    await privacy.ledger.write(merge([event, builders.routed(event, {first: QUEUED, second: QUEUED})]))
    assert (await _unfinished(pool))[0] == 1
    await privacy.ledger.write(merge([builders.attempted(event, second, SENT)]))
    assert (await _unfinished(pool))[0] == 0


async def test_batches_are_bounded_and_all_goes_in_the_end(privacy: Privacy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten at a time; two keepers at once do no harm."""
    monkeypatch.setattr("services.ingest.privacy.retention.BATCH", 10)
    monkeypatch.setattr("services.ingest.privacy.retention.PAUSE_S", 0.001)
    tenant = await privacy.tenant()
    for _ in range(25):
        await privacy.know(tenant, age_days=200)
    assert await privacy.keeper.expire()
    assert (await privacy.count())["events"] == 15
    await privacy.keeper.expire_all()
    assert not any((await privacy.count()).values())


async def test_what_takes_long_is_given_time_or_done_in_parts(
    privacy: Privacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute for a statement, though the pool gives five seconds; a batch too large even for that is halved."""
    monkeypatch.setattr("services.ingest.privacy.retention.BATCH", 40)
    monkeypatch.setattr("services.ingest.privacy.retention.PAUSE_S", 0.001)
    await privacy.pool.execute("""
        CREATE FUNCTION public.refuse_many() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT count(*) FROM gone) > 10 THEN
                RAISE query_canceled USING MESSAGE = 'this takes even longer';
            END IF;
            RETURN NULL;
        END
        $$
    """)
    await privacy.pool.execute("""
        CREATE TRIGGER refuse_many AFTER DELETE ON ingest.event_payloads
        REFERENCING OLD TABLE AS gone EXECUTE FUNCTION public.refuse_many()
    """)
    tenant = await privacy.tenant()
    for _ in range(25):
        await privacy.know(tenant, age_days=200)
    await refuse_short_timeouts(privacy.pool, "ingest.events", "ingest.event_payloads")
    await privacy.keeper.expire_all()
    assert not any((await privacy.count()).values())


async def test_the_policy_is_published(privacy: Privacy, connection: Client) -> None:
    """For those who keep the inbox and the sandbox."""
    tenant = await privacy.tenant()
    await privacy.call("SetRetention", tenant_id=tenant, retention=privacy_pb2.Retention(inbox_days=7))
    bucket = await connection.jetstream().key_value("CONFIG")
    value = (await bucket.get(retention.key(tenant))).value
    policies = retention.RetentionPolicies()
    policies.on_change(retention.key(tenant), value)
    assert (policies.inbox_days(), policies.outbox_days()) == ({tenant: 7}, {})
    policies.on_change(retention.key(tenant), b"{}")
    assert policies.inbox_days() == {}


async def test_an_export_goes_on_where_it_ended(privacy: Privacy) -> None:
    """Every event once, newest first, with what it carried, its steps and its dead letter."""
    tenant = await privacy.tenant()
    ids = [await privacy.know(tenant, dead=number == 0) for number in range(5)]
    await privacy.know(tenant, "bob")
    found: list[privacy_pb2.ExportedEvent] = []
    cursor = ""
    while True:
        answer = await privacy.call("ExportEvents", tenant_id=tenant, user_id="ada", cursor=cursor, limit=2)
        found += answer.events
        cursor = answer.next_cursor
        if not cursor:
            break
    assert [one.event.id for one in found] == ids[::-1]
    last = found[-1]
    assert last.payload.recipient == event_pb2.Recipient(user_id="ada", email="ada@example.org", phone="+254712345678")
    assert [step.step for step in last.steps][-1] == "dead"
    assert len(last.dead_letters) == 1
    assert not found[0].dead_letters


async def test_nonsense_is_refused(privacy: Privacy) -> None:
    """By its field, or as not found."""
    tenant = await privacy.tenant()
    cases: list[tuple[str, Code, dict[str, Any]]] = [
        ("GetRetention", Code.NOT_FOUND, {"tenant_id": new_id()}),
        ("GetRetention", Code.INVALID, {"tenant_id": "x"}),
        ("SetRetention", Code.INVALID, {"tenant_id": tenant.upper()}),
        ("BeginErasure", Code.INVALID, {"tenant_id": tenant.upper(), "user_id": "a"}),
        (
            "SetRetention",
            Code.INVALID,
            {"tenant_id": tenant, "retention": privacy_pb2.Retention(events_days=4000)},
        ),
        ("BeginErasure", Code.INVALID, {"tenant_id": tenant, "user_id": "a\x00"}),
        ("BeginErasure", Code.NOT_FOUND, {"tenant_id": new_id(), "user_id": "a"}),
        ("EraseEvents", Code.NOT_FOUND, {"tenant_id": tenant, "erasure_id": new_id()}),
        ("EraseEvents", Code.INVALID, {"tenant_id": tenant, "erasure_id": new_id(), "event_ids": ["x"]}),
        ("ExportEvents", Code.INVALID, {"tenant_id": tenant, "user_id": "a", "cursor": "x"}),
    ]
    for method, code, fields in cases:
        with pytest.raises(ClarionError) as refusal:
            await privacy.call(method, **fields)
        assert refusal.value.code is code
