"""The ledger of events with several recipients: plans in parts, counters, lists, and events of earlier versions."""

import asyncio
import random
from collections import Counter
from typing import TypeAlias

import asyncpg
import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.ledger.rows import Item
from services.ingest.ledger.servicer import LISTED, SHOWN
from services.ingest.retries.store import RetryStore
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, RETRYING, SENT, SKIPPED
from tests.integration.ingest.ledger import Ledger, shared_event, user_ids

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
EMAIL = event_pb2.CHANNEL_EMAIL
_COUNTS = "SELECT status, n FROM ingest.event_counts WHERE event_id = $1 AND n <> 0"
_ROWS = "SELECT status, count(*) AS n FROM ingest.deliveries WHERE event_id = $1 GROUP BY status"


@pytest.mark.parametrize("count", [1, 3, 100, 2000])
async def test_a_plan_in_parts_in_any_order(ledger: Ledger, count: int) -> None:
    """Each message twice and in any order: finished exactly when the last delivery is, counted and released once."""
    users = user_ids(count)
    event = shared_event(ledger.tenant, users)
    plans = [builders.planned(event, user) for user in users]
    attempts = [builders.attempted(event, plan.delivery_id, SENT) for plan in plans]
    last = attempts.pop()
    items: list[Item] = [event, *builders.parts(event, plans), *attempts] * 2
    random.Random(count).shuffle(items)
    for first in range(0, len(items), 700):
        await ledger.write(*items[first : first + 700])
    before = await ledger.event(event.id)
    assert (before.delivery_count, before.finished_at_us) == (count, 0)
    for _ in range(2):
        await ledger.write(last)
    after = await ledger.event(event.id)
    assert after.finished_at_us
    assert [(one.status, one.count) for one in after.counts] == [(SENT, count)]
    assert await ledger.backlog() == (0, 0, 0)
    assert await ledger.count(_COUNTS, event.id) == ({SENT: count} if count > 500 else {})
    assert len(await ledger.every_delivery(event.id)) == count


async def test_an_event_is_not_finished_before_its_plan_is_closed(ledger: Ledger) -> None:
    """All that is known is sent, and more parts come: it stays open, whatever the number of its deliveries."""
    event = shared_event(ledger.tenant, user_ids(1200))
    plans = [builders.planned(event, user) for user in user_ids(1200)]
    *open_parts, closing = builders.parts(event, plans)
    sent = [builders.attempted(event, plan.delivery_id, SENT) for plan in plans]
    await ledger.write(event, *open_parts, *sent[:1000])
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(closing)
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(*sent[1000:])
    assert (await ledger.event(event.id)).finished_at_us


async def test_an_event_is_not_finished_before_all_of_its_parts_are_known(ledger: Ledger) -> None:
    """The closing record and the end of all known deliveries are read before another part."""
    event = shared_event(ledger.tenant, user_ids(1200))
    plans = [builders.planned(event, user) for user in user_ids(1200)]
    first, second, closing = builders.parts(event, plans)
    sent = [builders.attempted(event, plan.delivery_id, SENT) for plan in plans]
    await ledger.write(event, closing, first, *sent[:500], *sent[1000:])
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(second, *sent[500:1000])
    assert (await ledger.event(event.id)).finished_at_us


async def test_counters_are_exact_under_concurrency(ledger: Ledger) -> None:
    """Several processes write parts and attempts of one event at the same time, some twice."""
    users = user_ids(1500)
    event = shared_event(ledger.tenant, users)
    plans = [builders.planned(event, user) for user in users]
    chance = random.Random(7)
    items: list[Item] = [*builders.parts(event, plans, 100)] * 2
    for plan in plans:
        items.append(builders.attempted(event, plan.delivery_id, RETRYING))
        if chance.random() < 0.8:
            items.append(builders.attempted(event, plan.delivery_id, chance.choice((SENT, DEAD)), 2))
    chance.shuffle(items)

    async def process(number: int) -> None:
        for batch in _batches(items[number::3]):
            await ledger.write(*batch)

    await ledger.write(event)
    await asyncio.gather(*map(process, range(3)))
    rows = await ledger.count(_ROWS, event.id)
    assert await ledger.count(_COUNTS, event.id) == rows
    assert sum(rows.values()) == 1500
    assert not (await ledger.event(event.id)).finished_at_us


def _batches(items: list[Item]) -> list[list[Item]]:
    return [items[first : first + 120] for first in range(0, len(items), 120)]


async def test_a_replayed_dead_letter_is_counted_once(ledger: Ledger) -> None:
    """It is queued again, its event is open, and the counters say so; then it is sent."""
    users = user_ids(600)
    event = shared_event(ledger.tenant, users)
    plans = [builders.planned(event, user) for user in users]
    ends = [builders.attempted(event, plan.delivery_id, SENT) for plan in plans[1:]]
    await ledger.write(event, *builders.parts(event, plans), *ends)
    await ledger.write(builders.attempted(event, plans[0].delivery_id, DEAD, 7))
    assert (await ledger.event(event.id)).finished_at_us

    async def publish(_: object) -> None:
        pass

    assert await RetryStore(ledger.pool, ledger.pool).replay(plans[0].delivery_id, publish)
    assert await ledger.count(_COUNTS, event.id) == {QUEUED: 1, SENT: 599}
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(builders.attempted(event, plans[0].delivery_id, SENT, replay=1))
    assert await ledger.count(_COUNTS, event.id) == {SENT: 600}
    assert (await ledger.event(event.id)).finished_at_us


async def test_counters_that_an_earlier_version_did_not_keep(ledger: Ledger) -> None:
    """The janitor counts an event that is long unfinished again, and finishes it."""
    users = user_ids(600)
    event = shared_event(ledger.tenant, users)
    plans = [builders.planned(event, user) for user in users]
    await ledger.write(event, *builders.parts(event, plans))
    await ledger.pool.execute("UPDATE ingest.deliveries SET status = $1", SENT)
    await ledger.pool.execute("UPDATE ingest.events SET routed_at = now()")
    await ledger.store.tidy(recount=False)
    assert await ledger.count(_COUNTS, event.id) == {QUEUED: 600}  # it may be under way
    await ledger.pool.execute("UPDATE ingest.events SET routed_at = now() - interval '11 minutes'")
    for _ in range(2):
        await ledger.store.tidy(recount=False)
    assert await ledger.count(_COUNTS, event.id) == {SENT: 600}
    assert (await ledger.event(event.id)).finished_at_us


async def test_counters_of_an_open_plan_that_an_earlier_version_did_not_keep(ledger: Ledger) -> None:
    """The janitor counts it, too: a plan that is paused stays open for long."""
    event = shared_event(ledger.tenant, user_ids(600))
    first, _ = builders.parts(event, [builders.planned(event, user) for user in user_ids(600)])
    await ledger.write(event, first)
    await ledger.pool.execute("UPDATE ingest.deliveries SET status = $1", SENT)
    await ledger.pool.execute("UPDATE ingest.events SET routed_at = now() - interval '11 minutes'")
    await ledger.store.tidy(recount=False)
    assert await ledger.count(_COUNTS, event.id) == {SENT: 500}
    assert not (await ledger.event(event.id)).finished_at_us


async def test_lists_show_some_deliveries_and_how_many_there_are(ledger: Ledger) -> None:
    """A list shows the first 20, one event the first 100; a page of deliveries can be narrowed."""
    users = user_ids(700)
    event = shared_event(ledger.tenant, users)
    plans = [builders.planned(event, user, SKIPPED if user == "u00007" else QUEUED) for user in users]
    sent = [builders.attempted(event, plan.delivery_id, SENT) for plan in plans[10:]]
    few = builders.shared_event(ledger.tenant, builders.person("ada", "ada@example.org"), builders.person("bob"))
    mails = [builders.planned(few, user, channel=EMAIL, step="welcome") for user in ("ada", "bob")]
    await ledger.write(event, *builders.parts(event, plans), *sent, few, builders.plan(few, mails))
    listed = {one.id: one for one in (await ledger.call("ListEvents")).events}
    assert [len(listed[one.id].deliveries) for one in (event, few)] == [LISTED, 2]
    counts = {one.status: one.count for one in listed[event.id].counts}
    assert counts == {QUEUED: 9, SKIPPED: 1, SENT: 690}
    assert (listed[event.id].delivery_count, listed[event.id].several_recipients) == (700, True)
    assert not listed[event.id].HasField("recipient")
    answer = await ledger.call("GetEvent", event_id=event.id)
    assert len(answer.event.deliveries) == SHOWN
    assert Counter(step.step for step in answer.steps) == {
        "accepted": 1, "routed": 1, "queued": 99, "skipped": 1, "rendered": 90, "sent": 90,
    }  # fmt: skip

    every = await ledger.every_delivery(event.id)
    assert [one.recipient.user_id for one in every] == users
    assert {one.id for one in every} == {plan.delivery_id for plan in plans}
    skipped = await ledger.every_delivery(event.id, status=SKIPPED)
    assert [one.recipient.user_id for one in skipped] == ["u00007"]
    [one] = await ledger.every_delivery(event.id, recipient="u00500")
    assert (one.status, one.recipient.phone) == (SENT, "+254712345678")
    assert len(await ledger.every_delivery(event.id, recipient="+254712345678")) == 100  # of so many recipients
    assert not await ledger.every_delivery(event.id, recipient="nobody")
    [mail] = await ledger.every_delivery(few.id, recipient="ada@example.org")
    assert (mail.step, mail.recipient.email, mail.event_id) == ("welcome", "ada@example.org", few.id)
    whole = await ledger.call("GetDelivery", delivery_id=one.id)
    assert (whole.delivery, whole.tenant_id) == (one, ledger.tenant)
    assert [step.step for step in whole.steps] == ["queued", "rendered", "sent"]


async def test_deliveries_of_an_event_with_one_recipient(ledger: Ledger) -> None:
    """They are listed the same way; a recipient's filter matches the event's."""
    event = builders.event(ledger.tenant, user_id="ada", email="ada@example.org")
    await ledger.write(*(item for item in (event, builders.routed(event, {builders.delivery_id(event): QUEUED}))))
    for recipient in ("", "ada", "ada@example.org"):
        [one] = await ledger.every_delivery(event.id, recipient=recipient)
        assert (one.id, one.step) == (builders.delivery_id(event), "sms")
    assert not await ledger.every_delivery(event.id, recipient="bob")
    for method, field in (("ListDeliveries", "event_id"), ("GetDelivery", "delivery_id")):
        for value, code in ((new_id(), Code.NOT_FOUND), ("x", Code.INVALID)):
            with pytest.raises(ClarionError) as refused:
                await ledger.call(method, **{field: value})
            assert refused.value.code is code


async def test_every_recipient_finds_the_event(ledger: Ledger) -> None:
    """By user id, e-mail address and number; also people of whom only the plan speaks, and nobody else."""
    event = builders.shared_event(
        ledger.tenant,
        builders.person("ada", "ada@example.org"),
        builders.person("", phone="+254700000001"),
        builders.group("team"),
    )
    member = builders.planned(event, "eve")
    await ledger.write(event, builders.plan(event, [member]))
    for recipient in ("ada", "ada@example.org", "+254700000001", "eve", "+254712345678"):
        found = await ledger.call("ListEvents", recipient=recipient)
        assert [one.id for one in found.events] == [event.id]
    assert not (await ledger.call("ListEvents", recipient="mallory")).events


async def test_people_without_an_id_are_told_apart(ledger: Ledger) -> None:
    """Two recipients who are known by an address only have a row and a delivery each."""
    event = builders.shared_event(
        ledger.tenant, builders.person("", "a@example.org"), builders.person("", "b@example.org")
    )
    plans = [
        builders.planned(event, f"#{position}", recipient=target.recipient, destination=f"#{position}", channel=EMAIL)
        for position, target in enumerate(event.audience)
    ]
    await ledger.write(event, builders.plan(event, plans))
    found = await ledger.every_delivery(event.id)
    assert [one.recipient.email for one in found] == ["a@example.org", "b@example.org"]
    assert await ledger.pool.fetchval("SELECT count(*) FROM ingest.recipients") == 2


async def test_addresses_of_all_channels_are_kept(ledger: Ledger) -> None:
    """A plan names only the channel's address: one does not replace the other, whichever is read first."""
    event = builders.shared_event(ledger.tenant, builders.group("team"))
    mail = builders.planned(
        event, "ada", channel=EMAIL, recipient=event_pb2.Recipient(user_id="ada", email="ada@example.org")
    )
    await ledger.write(builders.plan(event, [mail], continues=True))
    await ledger.write(builders.plan(event, [builders.planned(event, "ada")], total=2))
    [one, other] = await ledger.every_delivery(event.id)
    assert one.recipient == other.recipient
    assert (one.recipient.email, one.recipient.phone) == ("ada@example.org", "+254712345678")


async def test_rows_of_the_version_before(ledger: Ledger) -> None:
    """An event with its recipient in its own columns and a small plan: shown, found, finished."""
    event = builders.event(ledger.tenant, user_id="ada", email="ada@example.org", weight=10)
    id_ = builders.delivery_id(event)
    await ledger.pool.execute(
        """
        INSERT INTO ingest.events (id, tenant_id, event_type, user_id, email, phone, accepted_at, routed_at,
            route_us, route_reason, planned, size)
        VALUES ($1, $2, 'order.confirmed', 'ada', 'ada@example.org', '', now(), now(), 5, '', 1, 10)
        """,
        event.id,
        ledger.tenant,
    )
    await ledger.pool.execute(
        """
        INSERT INTO ingest.deliveries
            (id, event_id, tenant_id, channel, status, reason, provider, attempts, replay, updated_at)
        VALUES ($1, $2, $3, 2, 1, '', '', 0, 0, now())
        """,
        id_,
        event.id,
        ledger.tenant,
    )
    for recipient in ("ada", "ada@example.org"):
        [found] = (await ledger.call("ListEvents", recipient=recipient)).events
        assert (found.id, found.recipient.user_id, found.recipient.email) == (event.id, "ada", "ada@example.org")
    assert not found.finished_at_us
    await ledger.write(builders.attempted(event, id_, SENT))
    assert (await ledger.event(event.id)).finished_at_us
    assert await ledger.backlog() == (0, 0, 0)
    await ledger.write(event, builders.routed(event, {id_: QUEUED}))  # read again by this version
    assert (await ledger.event(event.id)).finished_at_us
    assert await ledger.backlog() == (0, 0, 0)
    [found] = (await ledger.call("ListEvents", recipient="ada")).events
    assert found.recipient.email == "ada@example.org"


async def test_what_the_version_before_takes_for_a_whole_plan(ledger: Ledger) -> None:
    """It wrote the first part's number as the plan's and finished the event: the closing record opens it again."""
    event = shared_event(ledger.tenant, user_ids(700))
    plans = [builders.planned(event, user) for user in user_ids(700)]
    first, closing = builders.parts(event, plans)
    await ledger.write(event, first)
    await ledger.pool.execute("UPDATE ingest.events SET planned = 500, finished_at = now()")
    await ledger.write(closing)
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(*(builders.attempted(event, plan.delivery_id, SENT) for plan in plans))
    assert (await ledger.event(event.id)).finished_at_us
