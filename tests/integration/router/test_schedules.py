"""Schedules on real PostgreSQL, with a real ingest that accepts their events."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, tenants_pb2
from clarion.router.v1 import schedules_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.schedules import check, outcome, store
from services.router.schedules.schedule import NewSchedule
from services.router.schedules.store import LEASE_S, ScheduleStore
from tests.conftest import NatsServer
from tests.integration.ingest.processes import StartService, starter
from tests.integration.router.run_world import fail, group
from tests.integration.router.schedule_world import ScheduleWorld, new_event
from tests.streams import Streams
from tests.waiting import eventually

_HOUR_US = 3_600_000_000


@pytest.fixture
async def start_any(postgres_url: str, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[StartService]:
    """Return what starts a service."""
    async with starter(tmp_path, CLARION_POSTGRES_URL=postgres_url, CLARION_NATS_URL=nats_server.url) as start:
        yield start


@pytest.fixture
async def world(start_any: StartService, pool: "asyncpg.Pool[asyncpg.Record]", streams: Streams) -> ScheduleWorld:
    """One router's schedules, an ingest, a tenant."""
    world = ScheduleWorld(pool, streams, await start_any("services.ingest"), "")
    world.tenant_id = await world.tenant()
    return world


async def test_each_time_gives_one_event(world: ScheduleWorld) -> None:
    """Of 250 schedules that are due at once, over two routers; the next times are a day later."""
    made = [await world.create(name=f"s{number}") for number in range(250)]
    await world.work()
    assert await world.events() == []
    world.pass_until(made[0].next_at_us)
    await world.work(world.router(), world.router())
    assert await world.event_counts() == {one.id: 1 for one in made}
    assert {one.event_type for one in await world.events()} == {"report.due"}
    now = [await world.get(one) for one in made]
    assert {one.next_at_us - one.last_at_us for one in now} == {24 * _HOUR_US}
    assert {one.last_event_id for one in now} == {event.id for event in await world.events()}


async def test_times_over_a_change_of_the_clock(world: ScheduleWorld) -> None:
    """In two time zones, whose clocks change on different days: a skipped hour is caught up, a repeated one is one."""
    berlin = await world.create("30 2 * * *", timezone="Europe/Berlin")
    new_york = await world.create("30 2 * * *", timezone="America/New_York")
    seen: dict[str, set[int]] = {berlin.id: set(), new_york.id: set()}
    for first in ("2027-03-13T00:00", "2027-03-27T00:00", "2027-10-30T00:00", "2027-11-06T00:00"):
        world.pass_until(int(datetime.fromisoformat(first).replace(tzinfo=UTC).timestamp()) * 1_000_000)
        await world.work()  # of the weeks between
        seen = {id_: set() for id_ in seen} if not first.startswith("2027-03-13") else seen
        for _ in range(4 * 48):
            world.clock.pass_s(900)
            await world.work()
            for one in (berlin, new_york):
                seen[one.id].add((await world.get(one)).last_at_us)
        shown = {
            id_: [f"{datetime.fromtimestamp(us / 1_000_000, UTC):%d %H:%M}" for us in sorted(times)][-2:]
            for id_, times in seen.items()
        }
        assert (shown[berlin.id], shown[new_york.id]) == _EXPECTED[first]


_EXPECTED = {
    "2027-03-13T00:00": (["13 01:30", "14 01:30"], ["13 07:30", "14 07:00"]),
    "2027-03-27T00:00": (["27 01:30", "28 01:00"], ["27 06:30", "28 06:30"]),
    "2027-10-30T00:00": (["30 00:30", "31 00:30"], ["30 06:30", "31 06:30"]),
    "2027-11-06T00:00": (["06 01:30", "07 01:30"], ["06 06:30", "07 07:30"]),
}


async def test_a_crash_after_accepting_gives_no_second_event(
    world: ScheduleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is known by the schedule's time; the router that claims it next notes it."""
    made = await world.create()
    world.pass_until(made.next_at_us)
    with monkeypatch.context() as broken:
        broken.setattr(ScheduleStore, "conclude", fail)
        await world.work()
    assert len(await world.events()) == 1
    assert (await world.get(made)).last_event_id == ""
    world.clock.pass_s(LEASE_S + 1)
    await world.work(world.router())
    (event,) = await world.events()
    assert (await world.get(made)).last_event_id == event.id


async def test_a_change_after_accepting_is_of_the_next_time(
    world: ScheduleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the router ends in between, the same event is sent again, though what is stored now would be refused."""
    made = await world.create(event=new_event("ada"))
    world.pass_until(made.next_at_us)
    with monkeypatch.context() as broken:
        broken.setattr(ScheduleStore, "conclude", fail)
        await world.work()
    for changed in (new_event("eve"), new_event(channels=[99])):
        await world.update(made, event=changed.SerializeToString())
    world.clock.pass_s(LEASE_S + 1)
    await world.work(world.router())
    (event,) = await world.events()
    noted = await world.get(made)
    assert (noted.last_event_id, noted.last_error) == (event.id, "")
    await world.update(made, event=new_event("bob").SerializeToString())
    world.pass_until(noted.next_at_us)
    await world.work()
    assert [one.recipient.user_id for one in await world.events()] == ["ada", "bob"]


async def test_a_router_slower_than_its_lease_sets_no_time_back(world: ScheduleWorld) -> None:
    """What it notes late changes nothing, though a time has come and gone since."""
    made = await world.create("* * * * *")
    world.pass_until(made.next_at_us)
    (slow,) = await world.store.claim(world.clock(), 10)
    late = outcome.accepted(slow, new_id(), world.clock())
    for _ in range(2):
        world.clock.pass_s(60)
        await world.work()
    before = await world.get(made)
    await world.store.conclude([late], [])
    assert await world.get(made) == before
    assert (await world.event_counts())[made.id] == 2


async def test_missed_times_give_one_event(world: ScheduleWorld) -> None:
    """After three days without a router; then the times go on."""
    made = await world.create()
    world.clock.pass_s(3 * 86_400)
    await world.work()
    assert (await world.event_counts())[made.id] == 1
    now = await world.get(made)
    assert now.last_at_us == made.next_at_us
    assert world.clock() < now.next_at_us < world.clock() + 24 * _HOUR_US


async def test_what_is_refused_for_now_is_tried_again(world: ScheduleWorld) -> None:
    """By a limit, or because ingest is away; it says why, and the event comes with the first try that succeeds."""
    limited = await world.tenant(rate_limit_per_minute=1)
    first, second = [await world.create(tenant_id=limited, name=name) for name in ("a", "b")]
    world.pass_until(first.next_at_us)
    await world.work()
    errors = {(await world.get(one)).last_error for one in (first, second)}
    assert errors == {"", outcome.RATE_LIMIT}
    held = first if (await world.get(first)).last_error else second
    assert (await world.get(held)).next_at_us == held.next_at_us
    raised = tenants_pb2.UpdateTenantRequest(tenant_id=limited, rate_limit_per_minute=tenants_pb2.Limit(value=100))
    await world.ingest.call("TenantService.UpdateTenant", raised)
    world.ingest.kill()
    world.clock.pass_s(200)
    await world.work()
    assert (await world.get(held)).last_error == outcome.UNAVAILABLE
    await world.ingest.start()
    world.clock.pass_s(200)
    await world.work()
    assert await world.event_counts() == {first.id: 1, second.id: 1}
    assert (await world.get(held)).last_error == ""


async def test_what_is_refused_for_good_is_passed_over(world: ScheduleWorld) -> None:
    """An event that ingest does not accept, and one of a tenant that is not active; the next day comes all the same."""
    wrong = await world.create(event=new_event(channels=[99]))
    other = await world.tenant()
    inactive = await world.create(tenant_id=other)
    world.inactive.add(other)
    world.pass_until(wrong.next_at_us)
    await world.work()
    told = [await world.get(one) for one in (wrong, inactive)]
    assert [one.last_error for one in told] == [outcome.INVALID, outcome.TENANT_INACTIVE]
    assert "channels" in told[0].last_error_detail
    assert {one.next_at_us - one.last_at_us for one in told} == {24 * _HOUR_US}
    world.inactive.clear()
    world.pass_until(told[1].next_at_us)
    await world.work()
    assert await world.event_counts() == {inactive.id: 1}


async def test_changes_while_a_time_is_worked_on(world: ScheduleWorld) -> None:
    """Another expression has its own next time; a name leaves the times as they are, also one that has come."""
    made = await world.create()
    renamed = await world.update(made, name="report")
    assert (renamed.name, renamed.next_at_us) == ("report", made.next_at_us)
    world.pass_until(made.next_at_us)
    (held,) = await world.store.claim(world.clock(), 10)
    changed = await world.update(made, cron="0 10 * * *")
    await world.store.conclude([outcome.accepted(held, new_id(), world.clock())], [])
    assert (await world.get(made)).next_at_us == changed.next_at_us == made.next_at_us + _HOUR_US
    stopped = await world.update(made, active=False)
    assert (stopped.active, stopped.next_at_us) == (False, 0)
    world.clock.pass_s(86_400)
    await world.work()
    assert await world.events() == []
    again = await world.update(made, active=True)
    assert again.next_at_us > world.clock()
    world.pass_until(again.next_at_us)
    await world.update(made, name="still due")
    await world.work()
    assert (await world.event_counts())[made.id] == 1


async def test_a_router_process_works_off_what_is_due(
    world: ScheduleWorld, start_any: StartService, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """As it is wired: it accepts the event, also after it was killed and started again."""
    router = await start_any(
        "services.router",
        CLARION_INGEST_ADDRESS=world.ingest.address,
        CLARION_RENDER_ADDRESS=world.ingest.address,
        CLARION_SENDERS_ADDRESS=world.ingest.address,
    )
    made = await world.create()
    for count in (1, 2):
        # The test's clock is ahead of the process's.
        await pool.execute("UPDATE router.schedules SET next_at = now(), wake_at = now()")

        async def has_events(count: int = count) -> bool:
            return (await world.event_counts())[made.id] == count

        await eventually(has_events)
        router.kill()
        await router.start()


async def test_who_is_erased_is_in_no_schedule(world: ScheduleWorld) -> None:
    """One that was for nobody else stops and says so; another tenant's person with this id stays."""
    alone = await world.create(event=new_event("ada", variables=b'{"name":"Ada"}'))
    among = await world.create(event=new_event("ada", "bob"))
    contact = event_pb2.Contact(recipient=event_pb2.Recipient(user_id="ada"))
    named = new_event(audience=[event_pb2.Target(contact=contact), event_pb2.Target(recipient_id="ada"), group("g")])
    by_name = await world.create(event=named)
    foreign = await world.create(tenant_id=new_id(), event=new_event("ada"))
    other = await world.create(event=new_event("adam"))
    assert await world.people.erase(world.tenant_id, "ada", world.clock()) == 3
    assert await world.people.erase(world.tenant_id, "ada", world.clock()) == 0
    left = {one.id: ingest_pb2.NewEvent.FromString((await world.get(one)).event) for one in (alone, among, by_name)}
    assert [target.recipient.user_id for target in left[among.id].audience] == ["bob"]
    assert [target.WhichOneof("target") for target in left[by_name.id].audience] == ["group"]
    assert left[alone.id] == ingest_pb2.NewEvent(event_type="report.due")
    stopped = await world.get(alone)
    assert (stopped.active, stopped.next_at_us, stopped.last_error) == (False, 0, outcome.RECIPIENT_ERASED)
    assert [(await world.get(one)).event for one in (foreign, other)] == [foreign.event, other.event]


async def test_who_is_erased_while_their_event_is_in_hand(world: ScheduleWorld) -> None:
    """Nothing of them is left in the row, and the time gives the event as it is now."""
    made = await world.create(event=new_event("ada"))
    world.pass_until(made.next_at_us)
    await world.store.claim(world.clock(), 10)
    await world.update(made, event=new_event("bob").SerializeToString())
    assert await world.people.erase(world.tenant_id, "ada", world.clock()) == 1
    assert await world.people.erase(world.tenant_id, "ada", world.clock()) == 0
    world.clock.pass_s(LEASE_S + 1)
    await world.work()
    assert [one.recipient.user_id for one in await world.events()] == ["bob"]


async def test_contacts_of_schedules_are_known_by_their_addresses(world: ScheduleWorld) -> None:
    """However they are written; somebody else's contact with an id of its own stays."""

    def contact(**fields: Any) -> ingest_pb2.NewEvent:
        named = event_pb2.Contact(recipient=event_pb2.Recipient(**fields))
        direct = event_pb2.DirectMessage(channel=event_pb2.CHANNEL_SMS, template_key="about-ada")
        return new_event(audience=[event_pb2.Target(contact=named)], direct=direct)

    described = event_pb2.Recipient(email=" Ada@example.com.")
    theirs = [
        await world.create(event=contact(email="Ada@Example.com")),
        await world.create(event=contact(phone="+254 712 345-678")),
        await world.create(event=new_event(audience=[event_pb2.Target(recipient=described)], variables=b'{"a":1}')),
    ]
    other = await world.create(event=contact(user_id="eve", email="ada@example.com"))
    addresses = ("ada@example.com", "+254712345678")
    assert await world.people.erase(world.tenant_id, "ada", world.clock(), addresses) == 3
    for one in theirs:
        found = await world.get(one)
        assert (found.active, found.event) == (False, ingest_pb2.NewEvent(event_type="report.due").SerializeToString())
    assert (await world.get(other)).event == other.event


async def _refused(world: ScheduleWorld, method: str, **fields: Any) -> ClarionError:
    with pytest.raises(ClarionError) as refused:
        await world.call(method, **fields)
    return refused.value


async def test_tenants_have_their_own(world: ScheduleWorld) -> None:
    """Another tenant's schedule is not found, changed or listed; a scope's are listed apart; pages are whole."""
    made = [await world.create(name=f"s{number}", scope="a" if number % 2 else "b") for number in range(5)]
    stranger = new_id()
    for method, fields in (("GetSchedule", {}), ("UpdateSchedule", {"name": "x"}), ("DeleteSchedule", {})):
        error = await _refused(world, method, tenant_id=stranger, schedule_id=made[0].id, **fields)
        assert error.code is Code.NOT_FOUND
    assert (await world.call("ListSchedules", tenant_id=stranger)).schedules == []
    found, cursor = [], ""
    while True:
        page = await world.call("ListSchedules", tenant_id=world.tenant_id, limit=2, cursor=cursor)
        found += [one.id for one in page.schedules]
        cursor = page.next_cursor
        if not cursor:
            break
    assert found == [one.id for one in reversed(made)]
    of_scope = await world.call("ListSchedules", tenant_id=world.tenant_id, scope="a")
    assert [one.name for one in of_scope.schedules] == ["s3", "s1"]
    await world.call("DeleteSchedule", tenant_id=world.tenant_id, schedule_id=made[0].id)
    assert (
        await _refused(world, "GetSchedule", tenant_id=world.tenant_id, schedule_id=made[0].id)
    ).code is Code.NOT_FOUND


async def test_a_tenant_has_a_bound(world: ScheduleWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than that is refused."""
    monkeypatch.setattr(check, "MAX_SCHEDULES", 2)
    await world.create()
    await world.create()
    with pytest.raises(ClarionError) as refused:
        await world.create()
    assert refused.value.code is Code.CONFLICT


async def test_what_is_refused_at_once(world: ScheduleWorld) -> None:
    """Every wrong field is named; what is changed is checked together with what stays."""
    wanted = schedules_pb2.Schedule(
        tenant_id=world.tenant_id,
        cron="61 * * * *",
        event=new_event(due_at_us=1, metadata={"schedule": "x"}, variables=b"[]").SerializeToString(),
    )
    error = await _refused(world, "CreateSchedule", schedule=wanted)
    fields = [field for field, _ in error.fields]
    assert fields == ["name", "cron", "event.due_at_us", "event.metadata", "event.variables"]
    made = await world.create(timezone="Europe/Berlin")
    wrong_zone = await _refused(
        world, "UpdateSchedule", tenant_id=world.tenant_id, schedule_id=made.id, timezone="Berlin", cron="x"
    )
    assert [field for field, _ in wrong_zone.fields] == ["timezone"]
    wrong_cron = await _refused(world, "UpdateSchedule", tenant_id=world.tenant_id, schedule_id=made.id, cron="x")
    assert [field for field, _ in wrong_cron.fields] == ["cron"]
    assert await world.get(made) == made
    never = await _refused(world, "PreviewSchedule", cron="* * */20 * 1L")
    assert never.fields == (("cron", "never matches"),)
    too_late = await _refused(world, "PreviewSchedule", cron="0 9 * * *", after_us=2**62)
    assert [field for field, _ in too_late.fields] == ["after_us"]
    preview = await world.call("PreviewSchedule", cron="0 9 * * *", after_us=world.clock())
    assert [one % (24 * _HOUR_US) for one in preview.next_at_us] == [9 * _HOUR_US] * 5
    assert 0 < preview.next_at_us[0] - world.clock() <= 24 * _HOUR_US


async def test_what_is_claimed_at_once_is_bounded(
    pool: "asyncpg.Pool[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the size of the events together, but one at least; the rest is claimed next, and nothing twice."""
    schedules = ScheduleStore(pool)
    event = new_event(variables=b'{"a":"%s"}' % (b"x" * 1000)).SerializeToString()
    for number in range(7):
        await schedules.create(NewSchedule(new_id(), "", f"s{number}", "* * * * *", "", active=True, event=event), 0)
    monkeypatch.setattr(store, "MAX_CLAIM_BYTES", 2 * len(event) + 1)
    claims = [await schedules.claim(_HOUR_US, 100) for _ in range(4)]
    assert [len(claim) for claim in claims] == [3, 3, 1, 0]
    assert len({one.id for claim in claims for one in claim}) == 7
