"""The ledger of events that wait for their time, or are canceled: what counts as waiting, unfinished and finished."""

import asyncio
import itertools
from typing import Any

import pytest

from runtime.ids import new_id
from services.ingest.ledger.rows import Item
from tests.integration.ingest import builders
from tests.integration.ingest.builders import QUEUED, SENT, SKIPPED
from tests.integration.ingest.ledger import Ledger, shared_event, user_ids
from tests.waiting import eventually


async def test_an_event_that_waits(ledger: Ledger) -> None:
    """It counts as waiting until its first plan is read, then as unfinished, then as neither; the recount agrees."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 0, unfinished_bytes = 0, scheduled = 1")
    event = builders.event(ledger.tenant, weight=10)
    event.due_at_us = event.accepted_at_us + 3_600_000_000
    id_ = builders.delivery_id(event)
    life: list[tuple[Item, tuple[int, int, int], bool]] = [
        (event, (0, 0, 1), True),
        (builders.waiting(event, event.due_at_us), (0, 0, 1), True),
        (builders.routed(event, {id_: QUEUED}), (1, 10, 0), False),
        (builders.attempted(event, id_, SENT), (0, 0, 0), False),
    ]
    for item, backlog, is_waiting in life:
        for _ in range(2):
            await ledger.write(item)
            assert await ledger.backlog() == backlog
            await ledger.store.tidy(recount=True)
            assert await ledger.backlog() == backlog
        assert (await ledger.event(event.id)).waiting == is_waiting
    answer = await ledger.call("GetEvent", event_id=event.id)
    assert [step.step for step in answer.steps] == ["accepted", "waiting", "routed", "queued", "rendered", "sent"]
    assert (answer.steps[1].next_attempt_at_us, answer.event.due_at_us) == (event.due_at_us, event.due_at_us)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_a_waiting_event_is_released_in_any_order(ledger: Ledger, order: tuple[int, ...]) -> None:
    """Accepted, planned and sent are read in any order, each in a group of its own."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 5, unfinished_bytes = 50, scheduled = 1")
    event = builders.event(ledger.tenant, weight=10)
    event.due_at_us = event.accepted_at_us + 3_600_000_000
    id_ = builders.delivery_id(event)
    items: list[Item] = [event, builders.routed(event, {id_: QUEUED}), builders.attempted(event, id_, SENT)]
    for position in order:
        await ledger.write(items[position])
    unfinished, _, scheduled = await ledger.backlog()
    assert (unfinished, scheduled) == (5, 0)


async def test_a_time_that_has_come_is_at_once(ledger: Ledger) -> None:
    """Admission counted the event as unfinished, and so does the ledger."""
    event = builders.event(ledger.tenant, weight=10)
    event.due_at_us = event.accepted_at_us
    await ledger.write(event)
    await ledger.store.tidy(recount=True)
    assert await ledger.backlog() == (1, 10, 0)
    assert not (await ledger.event(event.id)).waiting


async def test_a_canceled_event(ledger: Ledger) -> None:
    """Canceled while it waits: finished, with its reason, and nothing is counted any more."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 0, unfinished_bytes = 0, scheduled = 1")
    event = builders.event(ledger.tenant, weight=10)
    event.due_at_us = event.accepted_at_us + 3_600_000_000
    await ledger.write(event)
    await ledger.write(builders.canceled(event), builders.plan(event, [], reason="canceled"))
    answer = await ledger.call("GetEvent", event_id=event.id)
    assert (answer.event.reason, answer.event.waiting) == ("canceled", False)
    assert answer.event.finished_at_us
    steps = {step.step: step for step in answer.steps}
    assert (steps["canceled"].reason, steps["canceled"].detail) == ("canceled", "operator")
    assert await ledger.backlog() == (0, 0, 0)


async def test_an_event_that_is_canceled_after_it_was_planned(ledger: Ledger) -> None:
    """Its plan has no reason; what was in hand ends as it does."""
    event = builders.event(ledger.tenant)
    id_ = builders.delivery_id(event)
    await ledger.write(event, builders.routed(event, {id_: QUEUED}))
    await ledger.write(builders.canceled(event))
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(builders.attempted(event, id_, SENT))
    answer = await ledger.event(event.id)
    assert answer.finished_at_us
    assert answer.reason == "canceled"


async def test_an_expansion_that_is_canceled_in_the_middle(ledger: Ledger) -> None:
    """What was planned ends, and the plan is closed with so many deliveries: then the event is finished."""
    event = shared_event(ledger.tenant, user_ids(1000))
    plans = [builders.planned(event, user) for user in user_ids(500)]
    await ledger.write(event, builders.plan(event, plans, continues=True))
    await ledger.write(builders.canceled(event), builders.plan(event, [], total=500, reason="canceled"))
    assert not (await ledger.event(event.id)).finished_at_us
    ends = [builders.attempted(event, plan.delivery_id, SKIPPED) for plan in plans[1:]]
    await ledger.write(*ends, builders.attempted(event, plans[0].delivery_id, SENT))
    event_now = await ledger.event(event.id)
    assert event_now.finished_at_us
    assert event_now.reason == "canceled"


async def test_canceling_what_retention_deleted_leaves_nothing_unfinished(ledger: Ledger) -> None:
    """The row is finished at once, so that retention deletes it; so is one that says only that the event waited."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 0, unfinished_bytes = 0")
    canceled, waited = builders.event(ledger.tenant), builders.event(ledger.tenant)
    for event in (canceled, waited):
        builders.age(event, 200)
    await ledger.write(builders.canceled(canceled), builders.waiting(waited, waited.accepted_at_us))
    assert await ledger.pool.fetchval("SELECT count(*) FROM ingest.events WHERE finished_at IS NULL") == 0
    # One that is old because it waited for months is not finished by that.
    long_ago = builders.event(ledger.tenant)
    builders.age(long_ago, 200)
    long_ago.due_at_us = long_ago.accepted_at_us + 1_000_000
    await ledger.write(long_ago)
    await ledger.write(builders.canceled(long_ago))
    assert not (await ledger.event(long_ago.id)).finished_at_us


async def test_canceling_what_never_was_counts_nothing(ledger: Ledger) -> None:
    """It may be read later, so for a day its row stays unfinished. An id of the future is never an event's."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 0, unfinished_bytes = 0")
    unknown, future = builders.event(ledger.tenant), builders.event(ledger.tenant)
    builders.age(future, -2)
    await ledger.write(builders.canceled(unknown), builders.canceled(future))
    await ledger.store.tidy(recount=True)
    assert await ledger.backlog() == (0, 0, 0)
    unfinished = "SELECT id::text FROM ingest.events WHERE finished_at IS NULL"
    assert [row["id"] for row in await ledger.pool.fetch(unfinished)] == [unknown.id]
    await ledger.pool.execute("UPDATE ingest.events SET canceled_at = now() - interval '25 hours'")
    await ledger.store.tidy(recount=True)
    assert await ledger.pool.fetch(unfinished) == []


@pytest.mark.parametrize("order", ["before", "after", "together"])
async def test_nobody_cancels_the_event_of_another_tenant(ledger: Ledger, order: str) -> None:
    """Whichever the ledger reads first: the event stays its tenant's, and is not canceled."""
    event = builders.event(ledger.tenant, weight=10)
    foreign = builders.canceled(event)
    foreign.tenant_id = new_id()
    steps: dict[str, list[list[Any]]] = {
        "before": [[foreign], [event]],
        "after": [[event], [foreign]],
        "together": [[foreign, event]],
    }
    for group in steps[order]:
        await ledger.write(*group)
    row = await ledger.pool.fetchrow("SELECT tenant_id, canceled_at FROM ingest.events WHERE id = $1", event.id)
    assert row is not None
    assert (str(row["tenant_id"]), row["canceled_at"]) == (ledger.tenant, None)


async def test_an_event_that_is_canceled_before_it_is_read_is_counted(ledger: Ledger) -> None:
    """The backlog keeps what admission counted for it."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 1, unfinished_bytes = 10")
    event = builders.event(ledger.tenant, weight=10)
    await ledger.pool.execute(
        "INSERT INTO ingest.admission (tenant_id, key_hash, event_id, size) VALUES ($1, $2, $3, 10)",
        ledger.tenant,
        event.dedupe_key,
        event.id,
    )
    await ledger.write(builders.canceled(event))
    await ledger.store.tidy(recount=True)
    assert await ledger.backlog() == (1, 10, 0)
    await ledger.write(event, builders.plan(event, [], reason="canceled"))
    assert await ledger.backlog() == (0, 0, 0)


async def test_parts_that_two_processes_read_together_release_once(ledger: Ledger) -> None:
    """Both began before either had written: the event stops waiting once, and it ends once."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 3, unfinished_bytes = 30, scheduled = 5")
    event = shared_event(ledger.tenant, user_ids(1000))
    event.due_at_us = event.accepted_at_us + 60_000_000
    parts = builders.parts(event, [builders.planned(event, user) for user in user_ids(1000)])
    await ledger.write(event)
    await _together(ledger, event.id, *parts)
    assert await ledger.backlog() == (4, 40, 4)
    done = builders.event(ledger.tenant, weight=10)
    await ledger.write(done)
    await _together(ledger, done.id, *[builders.plan(done, [], reason="canceled")] * 2)
    assert await ledger.backlog() == (3, 30, 4)


async def _together(ledger: Ledger, event_id: str, *items: Item) -> None:
    """Write each by a process of its own, all of which wait for the event's row at the same time."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with ledger.pool.acquire() as other:
        async with other.transaction():
            await other.execute("SELECT 1 FROM ingest.events WHERE id = $1 FOR UPDATE", event_id)
            writes = [asyncio.create_task(ledger.write(item)) for item in items]

            async def all_wait() -> bool:
                return int(await ledger.pool.fetchval(waiting)) == len(items)

            await eventually(all_wait)
        await asyncio.gather(*writes)
