"""Outages on real PostgreSQL: one of each object however many notice it, and it is told once."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest

from clarion.ingest.v1 import usage_pb2
from runtime import grpc
from runtime.ids import new_id
from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.alerts.neighbours import IngestAlerts
from services.senders.alerts.outages import (
    ENDPOINT_DISABLED,
    ENDPOINT_DOWN,
    QUOTA,
    QUOTA_NEAR,
    AlertSettings,
    Audience,
    Kind,
    Outage,
    Phase,
)
from services.senders.alerts.store import HOLD_US, KEEP_US, QUIET_US, OutageStore
from services.senders.alerts.telling import MAX_ATTEMPTS, Teller
from services.senders.alerts.troubles import Patrol
from services.senders.alerts.watch import ProviderWatch
from services.senders.ports import ProviderRecord
from tests.conftest import free_port
from tests.unit.senders.builders import encryption_key
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT = "01a1fe7a-0000-7000-8000-000000000000"
OTHER = "01a1fe7a-0000-7000-8000-000000000001"
MINUTE_US = 60_000_000
RECORD = ProviderRecord("p1", "EMAIL", "smtp", {}, encryption_key())
DOWN = SendResult(Verdict.CREDENTIALS, "smtp", Reason.PROVIDER_CREDENTIALS, "535 no such user ada@example.com")
WELL = SendResult(Verdict.SENT, "smtp")


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.us = 1_760_000_000_000_000

    def __call__(self) -> int:
        """Return the time."""
        return self.us

    def pass_by(self, us: int) -> None:
        """Let so much time pass, microseconds."""
        self.us += us


@pytest.fixture
def clock() -> Clock:
    """The time of the stores."""
    return Clock()


@pytest.fixture
def store(pool: Pool, clock: Clock) -> OutageStore:
    """One process's store."""
    return OutageStore(pool, now=clock)


def outage(clock: Clock, kind: Kind = Kind.PROVIDER, reason: str = "provider_tls", **fields: str) -> Outage:
    """An outage that begins now."""
    tenant_id = fields.get("tenant_id", TENANT)
    return Outage("", kind, tenant_id, fields.get("object_id", "p1"), 1, "smtp", reason, "", clock.us)


async def told(store: OutageStore) -> list[tuple[str, bool]]:
    """Tell what is due: the objects, and whether their outage has ended."""
    taken = await store.take(100, 60.0)
    for one in taken:
        await store.told(one, Phase.BEGAN if one.told == 0 else Phase.ENDED)
    return [(one.object_id, one.told != 0) for one in taken]


async def test_many_processes_notice_one_outage(store: OutageStore, clock: Clock) -> None:
    """It is told once when it begins, and once when it ends."""
    for _ in range(3):
        await store.begin(outage(clock))
        clock.pass_by(1_000)
    assert await told(store) == [("p1", False)]
    assert await told(store) == []
    await store.begin(outage(clock))
    assert await told(store) == []
    await store.end(Kind.PROVIDER, "p1", clock.us)
    await store.end(Kind.PROVIDER, "p1", clock.us)
    assert await told(store) == [("p1", True)]
    assert await told(store) == []
    (listed,) = await store.page(None, is_open=False, before=None, limit=10)
    assert listed.ended_us == clock.us


async def test_what_is_being_told_is_taken_by_nobody_else(store: OutageStore, clock: Clock) -> None:
    """Until the process that took it must have ended: then another one tells it."""
    await store.begin(outage(clock))
    assert len(await store.take(10, 60.0)) == 1
    assert await store.take(10, 60.0) == []
    clock.pass_by(MINUTE_US)
    assert len(await store.take(10, 60.0)) == 1


async def test_what_comes_and_goes_is_told_once_in_ten_minutes(store: OutageStore, clock: Clock) -> None:
    """What begins and ends meanwhile is only listed; what goes on is told then."""
    await store.begin(outage(clock))
    await told(store)
    clock.pass_by(MINUTE_US)
    await store.end(Kind.PROVIDER, "p1", clock.us)
    await told(store)
    clock.pass_by(MINUTE_US)
    await store.begin(outage(clock))
    assert await told(store) == []
    await store.end(Kind.PROVIDER, "p1", clock.us)
    clock.pass_by(MINUTE_US)
    await store.begin(outage(clock))
    assert await told(store) == []
    clock.pass_by(HOLD_US)
    assert await told(store) == [("p1", False)]
    assert len(await store.page(None, is_open=False, before=None, limit=10)) == 3


async def test_an_outage_that_ended_while_nobody_could_tell_it_is_told(store: OutageStore, clock: Clock) -> None:
    """Ingest was away: the operator learns of both, because it was not held back."""
    await store.begin(outage(clock))
    await store.take(10, 60.0)
    clock.pass_by(1_000)
    await store.end(Kind.PROVIDER, "p1", clock.us)
    clock.pass_by(MINUTE_US)
    assert await told(store) == [("p1", False)]
    assert await told(store) == [("p1", True)]


async def test_an_endpoint_that_is_disabled_is_told_again(store: OutageStore, clock: Clock) -> None:
    """It was down, and now somebody must act. A notice that is repeated after its end begins nothing."""
    first = outage(clock, Kind.ENDPOINT, ENDPOINT_DOWN, object_id="e1")
    await store.begin(first)
    assert await told(store) == [("e1", False)]
    await store.begin(outage(clock, Kind.ENDPOINT, ENDPOINT_DISABLED, object_id="e1"))
    assert await told(store) == [("e1", False)]
    clock.pass_by(MINUTE_US)
    await store.end(Kind.ENDPOINT, "e1", clock.us)
    await store.begin(first)
    assert await store.page(None, is_open=True, before=None, limit=10) == []


async def test_lists_are_of_some_tenants(store: OutageStore, clock: Clock) -> None:
    """And of those that go on only."""
    await store.begin(outage(clock))
    await store.begin(outage(clock, object_id="p2", tenant_id=OTHER))
    await store.end(Kind.PROVIDER, "p2", clock.us)

    async def listed(tenants: list[str] | None, *, is_open: bool = False) -> list[str]:
        found = await store.page(tenants, is_open=is_open, before=None, limit=10)
        return [one.object_id for one in found]

    assert await listed(None) == ["p2", "p1"]
    assert await listed([OTHER]) == ["p2"]
    assert await listed([]) == []
    assert await listed(None, is_open=True) == ["p1"]


async def test_a_watch_stores_what_it_sees(store: OutageStore, clock: Clock) -> None:
    """A refused account begins an outage without the person's address; the next accepted message ends it."""
    watch = ProviderWatch(store, now=clock)
    watch.observe(TENANT, RECORD, "", WELL)
    watch.observe(TENANT, RECORD, Reason.PROVIDER_THROTTLED, WELL)
    await watch.store_all()
    assert await store.page(None, is_open=False, before=None, limit=10) == []
    watch.observe(TENANT, RECORD, Reason.PROVIDER_CREDENTIALS, DOWN)
    await watch.store_all()
    (begun,) = await store.page(None, is_open=True, before=None, limit=10)
    assert (begun.reason, begun.name, begun.channel) == ("provider_credentials", "smtp", 1)
    assert begun.detail == "535 no such user …@…"
    clock.pass_by(MINUTE_US)
    watch.observe(TENANT, RECORD, "", WELL)
    await watch.store_all()
    assert await store.page(None, is_open=True, before=None, limit=10) == []


async def test_another_process_ends_what_a_dead_one_began(store: OutageStore, clock: Clock) -> None:
    """Once nobody has seen the provider fail for a while, a success of any process ends the outage."""
    await store.begin(outage(clock))
    watch = ProviderWatch(store, now=clock)
    watch.observe(TENANT, RECORD, "", WELL)
    await watch.store_all()
    assert len(await store.page(None, is_open=True, before=None, limit=10)) == 1
    assert await store.quiet_providers() == set()
    clock.pass_by(QUIET_US + 1)
    watch.expect(await store.quiet_providers())
    watch.observe(TENANT, RECORD, "", WELL)
    await watch.store_all()
    assert await store.page(None, is_open=True, before=None, limit=10) == []


async def test_tidying(store: OutageStore, clock: Clock, pool: Pool) -> None:
    """Outages of deleted providers end untold, and ended ones are deleted after 30 days."""
    await pool.execute(
        "INSERT INTO senders.providers (id, tenant_id, channel, kind, name, priority, settings, secrets, deleted_at)"
        " VALUES ('p1', $1, 1, 'smtp', '', 1, '{}', '', now())",
        TENANT,
    )
    await store.begin(outage(clock))
    await store.tidy()
    assert await told(store) == []
    assert len(await store.page(None, is_open=False, before=None, limit=10)) == 1
    clock.pass_by(KEEP_US + 1)
    await store.tidy()
    assert await store.page(None, is_open=False, before=None, limit=10) == []


async def test_settings(store: OutageStore) -> None:
    """None at first; then those that were stored last."""
    assert await store.settings() == AlertSettings()
    settings = AlertSettings(TENANT, ("ops@example.com",), (1, 2))
    await store.set_settings(settings)
    await store.set_settings(settings)
    assert await store.settings() == settings
    await store.set_settings(AlertSettings())
    assert await store.settings() == AlertSettings()


@pytest.fixture
async def teller(store: OutageStore, clock: Clock) -> AsyncIterator[Teller]:
    """One process's teller. Nobody listens where it takes ingest to be."""
    async with grpc.channel(f"127.0.0.1:{free_port()}") as nobody:
        sender = IngestAlerts(nobody, grpc.Caller("a-token"))
        yield Teller(store, sender, str, public_url="", lowest_id=lambda _at: OTHER, now=clock)


async def test_an_alert_that_nobody_accepts_is_given_up(
    store: OutageStore, clock: Clock, pool: Pool, teller: Teller
) -> None:
    """It waits longer from one attempt to the next, and after the last one it is only listed."""
    await store.set_settings(AlertSettings(TENANT, ("ops@example.com",)))
    await store.begin(outage(clock))
    assert await teller.tell_due()
    (first,) = await pool.fetch("SELECT attempts, due_us, told FROM senders.outages")
    assert (first["attempts"], first["told"]) == (1, 0)
    assert 7_000_000 <= first["due_us"] - clock.us <= 13_000_000
    assert not await teller.tell_due()
    await pool.execute("UPDATE senders.outages SET attempts = $1", MAX_ATTEMPTS - 1)
    clock.pass_by(MINUTE_US)
    assert await teller.tell_due()
    clock.pass_by(86_400_000_000)
    assert not await teller.tell_due()
    await store.end(Kind.PROVIDER, "p1", clock.us)
    assert not await teller.tell_due()
    assert len(await store.page(None, is_open=False, before=None, limit=10)) == 1


async def test_one_that_comes_and_goes_for_long_is_told_again(store: OutageStore, clock: Clock) -> None:
    """What was held back holds back nothing itself."""
    await store.begin(outage(clock))
    assert await told(store) == [("p1", False)]
    for _ in range(9):
        clock.pass_by(MINUTE_US // 2)
        await store.end(Kind.PROVIDER, "p1", clock.us)
        await told(store)
        clock.pass_by(MINUTE_US // 2)
        await store.begin(outage(clock))
        assert await told(store) == []
    clock.pass_by(2 * MINUTE_US)
    assert await told(store) == [("p1", False)]


async def test_a_quota_that_is_used_up_is_told_again(store: OutageStore, clock: Clock) -> None:
    """After it was nearly used up; that there is some room again meanwhile is not."""
    for reason, expected in ((QUOTA_NEAR, 1), (QUOTA, 1), (QUOTA_NEAR, 0), (QUOTA, 0)):
        await store.begin(outage(clock, Kind.QUOTA, reason, object_id=TENANT))
        assert len(await told(store)) == expected


async def test_a_tenant_is_told_of_its_own(store: OutageStore, clock: Clock) -> None:
    """Beside the operator, if it has settings; of its providers and endpoints, and of nobody else's."""
    await store.set_settings_of(TENANT, AlertSettings(TENANT, ("ops@example.com",), (), endpoints=False))
    await store.begin(outage(clock))
    await store.begin(outage(clock, object_id="p2", tenant_id=OTHER))
    await store.begin(outage(clock, Kind.QUOTA, QUOTA, object_id=TENANT))
    taken = await store.take(100, 60.0)
    assert sorted((one.object_id, one.audience) for one in taken) == [
        (TENANT, Audience.OPERATOR),
        ("p1", Audience.OPERATOR),
        ("p1", Audience.TENANT),
        ("p2", Audience.OPERATOR),
    ]
    assert len(await store.page(None, is_open=True, before=None, limit=10)) == 3
    await store.end(Kind.PROVIDER, "p1", clock.us)
    assert len(await store.page([TENANT], is_open=True, before=None, limit=10)) == 1
    settings = await store.settings_of([TENANT, OTHER])
    assert list(settings) == [TENANT]
    await store.set_settings_of(TENANT, AlertSettings(TENANT, (), (), endpoints=False))
    assert await store.settings_of([TENANT]) == {}


async def test_audiences_are_told_apart(store: OutageStore, clock: Clock) -> None:
    """One whose alert waits delays nobody else's, and alerts are counted for each."""
    await store.set_settings_of(TENANT, AlertSettings(TENANT, ("ops@example.com",)))
    await store.begin(outage(clock))
    taken = {one.audience: one for one in await store.take(100, 60.0)}
    await store.told(taken[Audience.OPERATOR], Phase.BEGAN)
    await store.failed(taken[Audience.TENANT], 5.0)
    lowest = "00000000-0000-0000-0000-000000000000"
    assert await store.told_since(lowest, Kind.PROVIDER, None) == 1
    assert await store.told_since(lowest, Kind.PROVIDER, TENANT) == 0
    clock.pass_by(5_000_000)
    (again,) = await store.take(100, 60.0)
    assert (again.audience, again.attempts) == (Audience.TENANT, 1)
    await store.told(again, Phase.BEGAN)
    assert await store.told_since(lowest, Kind.PROVIDER, TENANT) == 1
    assert await store.told_since(lowest, Kind.PROVIDER, OTHER) == 0


async def test_a_list_that_may_be_longer_ends_nothing(store: OutageStore, clock: Clock) -> None:
    """Ingest names at most a hundred tenants of a kind: of one that is not named it is not known that it is well."""
    troubles = [usage_pb2.Trouble(kind=usage_pb2.TROUBLE_KIND_QUOTA, tenant_id=new_id(), count=9, bound=9)] * 100

    class Ingest:
        """Ingest's answer."""

        async def troubles(self) -> list[usage_pb2.Trouble]:
            """Return it."""
            return troubles

    patrol = Patrol(store, Ingest(), ProviderWatch(store, now=clock), now=clock)
    await store.begin(outage(clock, Kind.QUOTA, QUOTA, object_id=TENANT))
    clock.pass_by(MINUTE_US)
    await patrol.look()
    assert len(await store.open_troubles()) == 2
    troubles.pop()
    await patrol.look()
    assert [tenant_id for _, tenant_id in await store.open_troubles()] == [troubles[0].tenant_id]


async def test_an_end_and_a_failure_at_once_do_not_deadlock(store: OutageStore, pool: Pool, clock: Clock) -> None:
    """Both lock the operator's row first, wherever it stands in the table: an end that waits for it holds no other."""
    await store.set_settings_of(TENANT, AlertSettings(TENANT, ("ada@example.com",)))
    await store.begin(outage(clock))
    (operators,) = [one for one in await store.take(10, 60.0) if one.audience is Audience.OPERATOR]
    await store.told(operators, Phase.BEGAN)  # its row stands after the tenant's now
    await pool.execute("ANALYZE senders.outages")  # so few rows are read without an index
    async with pool.acquire() as other:
        async with other.transaction():
            await other.execute("SELECT 1 FROM senders.outages WHERE audience = 0 FOR UPDATE")
            ending = asyncio.create_task(store.end(Kind.PROVIDER, "p1", clock.us))

            async def is_waiting() -> bool:
                return bool(await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

            await eventually(is_waiting)
            await other.execute("SELECT 1 FROM senders.outages WHERE audience = 1 FOR UPDATE NOWAIT")
        await ending
    assert await pool.fetchval("SELECT count(*) FROM senders.outages WHERE ended_us IS NULL") == 0
