"""An erased person in runs that have not ended."""

import re
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import runs_pb2
from runtime import nats
from runtime.ids import new_id
from services.domain import delivery_ids
from services.domain.reasons import Reason
from services.router.runs.people import PeopleInRuns
from services.router.runs.store import LEASE_S
from tests.integration.router.run_world import TENANT, World, fail, group, inline, names, stored


@pytest.fixture
def people(world: World) -> PeopleInRuns:
    """Two runs in each batch."""
    return PeopleInRuns(world.pool, batch=2)


async def _erase(
    world: World, people: PeopleInRuns, user_id: str, *, after: str = "", addresses: tuple[str, ...] = ()
) -> int:
    """Erase a person of all runs; return the number of runs that they were in."""
    count, more = 0, True
    while more:
        erased = await people.erase(TENANT, user_id, world.clock(), after, addresses)
        count, after, more = count + erased.runs, erased.after, bool(erased.after)
    return count


def _nameless(email: str) -> event_pb2.Target:
    return event_pb2.Target(recipient=event_pb2.Recipient(email=email))


async def _in_rows(world: World, user_id: str) -> int:
    """Return the number of rows that hold the id, in whatever column. Within a UUID does not count."""
    rows = await world.pool.fetch("SELECT event, output FROM router.runs")
    held = re.compile(rb"(?<![0-9a-f-])" + user_id.encode() + rb"(?![0-9a-f-])")
    return sum(any(held.search(column) for column in row.values() if column is not None) for row in rows)


async def test_who_is_erased_gets_nothing(world: World, people: PeopleInRuns) -> None:
    """The others do; an event for nobody else ends and says why; another tenant's person with this id stays."""
    only = world.event(due_in_s=60)
    only.recipient.CopyFrom(event_pb2.Recipient(user_id="ada", email="ada@example.com"))
    among = world.event(inline("ada"), inline("bob"), due_in_s=60)
    by_id = world.event(stored("ada"), due_in_s=60)
    with_group = world.event(inline("ada"), group("g"), due_in_s=60)
    unrelated = world.event(inline("adam"), due_in_s=60)
    foreign = world.event(inline("ada"), due_in_s=60, tenant_id=new_id())
    world.recipients.add(TENANT, "m", group="g")
    world.recipients.add(TENANT, "ada")
    await world.begin(only, among, by_id, with_group, unrelated, foreign)
    assert await _erase(world, people, "ada") == 4
    assert await _erase(world, people, "ada") == 0
    await world.work()
    assert await world.state(only) == runs_pb2.RUN_STATE_DONE
    world.clock.pass_s(61)
    await world.work()
    assert await world.sent_to() == ["ada", "adam", "bob", "m"]
    assert [one.tenant_id for one in await world.deliveries() if one.recipient.user_id == "ada"] == [foreign.tenant_id]
    reasons = {one.event_id: one.routed.reason for one in await world.records("routed")}
    assert (reasons[only.id], reasons[by_id.id]) == (Reason.RECIPIENT_ERASED, Reason.RECIPIENT_ERASED)
    assert await world.plan(only) == (0, [0])


async def test_contacts_are_known_by_their_addresses(world: World, people: PeopleInRuns) -> None:
    """One whom an event names by id, or by an address alone, is not stored again when its time comes."""

    def contact(**fields: Any) -> event_pb2.Target:
        return event_pb2.Target(contact=event_pb2.Contact(recipient=event_pb2.Recipient(**fields)))

    by_id = world.event(contact(user_id="ada", email="x@example.com"), inline("bob"), due_in_s=60)
    by_email = world.event(contact(email="Ada@Example.com"), due_in_s=60)
    by_phone = world.event(contact(phone="+254712345678"), due_in_s=60)
    as_written = world.event(contact(phone="+254 712 345-678"), contact(email=" Ada@Example.com."), due_in_s=60)
    another = world.event(contact(user_id="eve", email="ada@example.com"), due_in_s=60)
    # Described without an id, among others and alone.
    among = world.event(_nameless(email="Ada@example.com "), inline("bob"), due_in_s=60)
    alone = world.event(due_in_s=60)
    alone.recipient.phone = "+254 712 345678"
    await world.begin(by_id, by_email, by_phone, as_written, another, among, alone)
    addresses = ("ada@example.com", "+254712345678")
    assert await _erase(world, people, "ada", addresses=addresses) == 6
    assert await _in_rows(world, "Ada") == await _in_rows(world, "712") == 0
    world.clock.pass_s(61)
    await world.work()
    assert await world.sent_to() == ["bob", "bob", "eve"]
    assert await world.state(alone) == runs_pb2.RUN_STATE_DONE
    assert await world.state(by_email) == runs_pb2.RUN_STATE_DONE


async def test_no_row_keeps_who_was_erased(world: World, people: PeopleInRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what waits, is paused, or is decided and not known to be published; the plan's total stays right."""
    world.recipients.add(TENANT, *names(25), group="g")
    waiting = world.event(inline("ada"), inline("bob"), due_in_s=60)
    paused = world.event(inline("ada"), group("g"))
    decided = world.event(inline("ada"), group("g"))
    await world.begin(waiting, paused, decided)
    await world.store.pause(paused.id, world.clock())
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await world.work()
    assert await _in_rows(world, "ada") == 3
    assert await _erase(world, people, "ada") == 3
    assert await _in_rows(world, "ada") == 0
    world.clock.pass_s(LEASE_S + 1)
    await world.work()
    assert await world.state(paused) == runs_pb2.RUN_STATE_PAUSED
    assert await world.sent_to() == names(25)
    # The ledger stores a delivery once, whichever of the records that name it were published.
    records = [one.routed for one in await world.records("routed") if one.event_id == decided.id]
    planned = [one for record in records for one in record.deliveries]
    assert (len({one.delivery_id for one in planned}), [one.total for one in records if not one.continues]) == (
        26,
        [26],
    )
    erased = [one for one in planned if one.reason == Reason.RECIPIENT_ERASED]
    assert [(one.status, one.recipient.email) for one in erased] == [(trace_pb2.DELIVERY_STATUS_SKIPPED, "")]
    summary = await world.store.of_event(decided.id)
    assert (summary.sends, summary.skips) == (25, 1)


async def test_endpoints_get_nothing_about_who_was_erased(
    world: World, people: PeopleInRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body is about an event's only recipient: neither what waits nor what is decided goes to an endpoint."""
    endpoints = event_pb2.EndpointSet(endpoint_ids=[new_id()])
    about_ada = [world.event(due_in_s=seconds, endpoints=endpoints) for seconds in (1, 60)]
    for event in about_ada:
        event.recipient.CopyFrom(event_pb2.Recipient(user_id="ada", email="ada@example.com"))
    about_ada.append(world.event(inline("ada"), due_in_s=60, endpoints=endpoints))
    among_others = world.event(inline("ada"), inline("bob"), due_in_s=60, endpoints=endpoints)
    for_nobody = world.event(due_in_s=60, endpoints=endpoints)
    await world.begin(*about_ada, among_others, for_nobody)
    world.clock.pass_s(2)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await world.work()
    assert await _erase(world, people, "ada") == 4
    assert await _in_rows(world, "ada") == 0
    world.clock.pass_s(LEASE_S + 61)
    await world.work()
    sent = {one.event_id for one in await world.deliveries() if one.webhook.endpoint_id}
    assert sent == {among_others.id, for_nobody.id}


async def test_few_runs_are_read_at_a_time(world: World) -> None:
    """However many name the person; all are rewritten in the end, and those in between are looked at once."""
    events = [world.event(inline("ada" if n % 3 else "adam"), due_in_s=60) for n in range(10)]
    await world.begin(*events)
    people = PeopleInRuns(world.pool, batch=8, read=2)
    first = await people.erase(TENANT, "ada", world.clock())
    assert (first.runs <= 2, first.after != "") == (True, True)
    assert first.runs + await _erase(world, people, "ada", after=first.after) == 6
    assert await _in_rows(world, "adam") == 4
    assert await world.pool.fetchval("SELECT count(*) FROM router.runs WHERE revision > 0") == 6


async def test_an_erasure_while_a_page_is_decided(world: World, people: PeopleInRuns) -> None:
    """What was decided with the person is not stored; the page is decided again without them."""
    event = world.event(inline("ada"), inline("bob"), due_in_s=1)
    await world.begin(event)
    world.clock.pass_s(2)

    async def erase(_: event_pb2.Event) -> None:
        world.planner.before = None
        assert await _erase(world, people, "ada") == 1

    world.planner.before = erase
    await world.work()
    world.clock.pass_s(LEASE_S + 1)
    await world.work()
    assert await world.sent_to() == ["bob"]


async def test_the_places_of_others_stay(world: World, people: PeopleInRuns) -> None:
    """A person without an id is known by their place: it is the same after someone before them was erased."""
    nobody = event_pb2.Target(recipient=event_pb2.Recipient(email="nobody@example.com"))
    event = world.event(inline("ada"), nobody, due_in_s=60)
    await world.begin(event)
    assert await _erase(world, people, "ada") == 1
    world.clock.pass_s(61)
    await world.work()
    [delivery] = await world.deliveries()
    assert delivery.id == delivery_ids.delivery_id(event, event_pb2.CHANNEL_EMAIL, "#1", step="email")


async def test_what_is_decided_for_somebody_without_an_id(
    world: World, people: PeopleInRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not published, and no row keeps the address; somebody whose address only contains theirs stays."""
    world.recipients.add(TENANT, "m", group="g")
    longer = _nameless(email="not-ada@example.com")
    event = world.event(_nameless(email="ada@example.com"), longer, group("g"))
    await world.begin(event)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await world.work()
    assert await _erase(world, people, "u", addresses=("ada@example.com",)) == 1
    world.clock.pass_s(LEASE_S + 1)
    await world.work()
    sent = [one.recipient.email for one in await world.deliveries()]
    assert sorted(sent) == ["m@example.com", "not-ada@example.com"]
