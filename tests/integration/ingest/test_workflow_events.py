"""The ledger of events that start stored workflows: counts, steps, quotas, lists, replays and secrets."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id, new_id
from services.ingest.activity.store import ActivityStore
from services.ingest.ledger.rows import Item
from services.ingest.retries.store import RetryStore
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, RETRYING, SENT, SKIPPED
from tests.integration.ingest.ledger import Ledger, user_ids

_FAILED = trace_pb2.DELIVERY_STATUS_FAILED
_STEPS = ("welcome", "reminder", "sms")
# What the counters of an event say that the rows of planned deliveries do not, or the other way round.
_DISAGREEING = """
WITH counters AS (
    SELECT NULL::uuid AS workflow_id, NULL::text AS step, c.status, c.n FROM ingest.event_counts c WHERE c.event_id = $1
    UNION ALL
    SELECT c.workflow_id, c.step, c.status, c.n FROM ingest.workflow_counts c WHERE c.event_id = $1
),
rows AS (
    SELECT d.workflow_id, d.step, d.status, count(*) AS n
    FROM ingest.deliveries d WHERE d.event_id = $1 AND d.counted IS NOT NULL
    GROUP BY GROUPING SETS ((d.status), (d.workflow_id, d.step, d.status))
)
SELECT * FROM (SELECT * FROM counters WHERE n <> 0 EXCEPT SELECT * FROM rows) AS more
UNION ALL
SELECT * FROM (SELECT * FROM rows EXCEPT SELECT * FROM counters) AS less
"""
# (workflow, step, status): how many.
_Counts = dict[tuple[str, str, int], int]


async def _counts(ledger: Ledger, event: event_pb2.Event) -> _Counts:
    """Return the counts by workflow and step, which the counters or the rows give."""
    answer = await ledger.call("GetWorkflowCounts", tenant_id=ledger.tenant, event_id=event.id)
    found: _Counts = {}
    for one in answer.counts:
        key = (one.workflow_id, one.step, one.status)
        found[key] = found.get(key, 0) + one.count
    return found


async def _rows(ledger: Ledger, event: event_pb2.Event) -> _Counts:
    """Return the same, counted from all pages of the list."""
    rows = await ledger.every_delivery(event.id, tenant_id=ledger.tenant)
    return dict(Counter((row.workflow_id, row.step, row.status) for row in rows))


def _plan(
    event: event_pb2.Event,
    user: str,
    workflow: str,
    step: str,
    status: trace_pb2.DeliveryStatus.ValueType = QUEUED,
    **fields: str,
) -> trace_pb2.PlannedDelivery:
    """Return a step's text message to somebody."""
    planned = builders.planned(event, f"{user}/{workflow}/{step}", status, **fields)
    planned.recipient.user_id = planned.destination = user
    planned.workflow_id, planned.workflow_run_id, planned.step = workflow, _run_of(event, workflow, user), step
    return planned


def _run_of(event: event_pb2.Event, workflow: str, user: str) -> str:
    return derived_id(event.id, "workflow", workflow, user)


def _step(
    event: event_pb2.Event, user: str, workflow: str, step: str, outcome: str, **fields: object
) -> trace_pb2.WorkflowStep:
    """Return what a run did."""
    return trace_pb2.WorkflowStep(
        workflow_run_id=_run_of(event, workflow, user),
        workflow_id=workflow,
        workflow_version=1,
        destination=user,
        step=step,
        outcome=outcome,
        **fields,  # type: ignore[arg-type]
    )


async def test_the_counts_agree_with_the_deliveries_in_any_order(ledger: Ledger) -> None:
    """Parts, attempts and repeats come in any order to three processes at once; at each moment both are the same."""
    welcome, upsell = new_id(), new_id()
    event = builders.workflow_event(ledger.tenant, welcome, upsell, targets=[builders.group("all")])
    chance = random.Random(14)
    plans = [
        _plan(event, user, workflow, step, chance.choice((QUEUED, QUEUED, SKIPPED)))
        for user in user_ids(60)
        for workflow in (welcome, upsell)
        for step in _STEPS
    ]
    items: list[Item] = [builders.plan(event, plans[first : first + 50], continues=True) for first in range(0, 360, 50)]
    for plan in plans:
        if plan.status == QUEUED:
            items.append(builders.attempted(event, plan.delivery_id, RETRYING))
            items.append(builders.attempted(event, plan.delivery_id, chance.choice((SENT, _FAILED, DEAD)), 2))
    items *= 2
    chance.shuffle(items)
    planned = [item for item in items if isinstance(item, trace_pb2.TraceRecord) and item.HasField("routed")]
    await ledger.write(event, *planned[: len(planned) // 2])

    async def process(number: int) -> None:
        mine = items[number::3]
        for first in range(0, len(mine), 40):
            await ledger.write(*mine[first : first + 40])

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(process(number)) for number in range(3)]
        looks = 0
        while not all(task.done() for task in running):
            assert await ledger.pool.fetch(_DISAGREEING, event.id) == []
            looks += 1
    assert looks > 1
    assert await _counts(ledger, event) == await _rows(ledger, event)
    assert sum((await _counts(ledger, event)).values()) == 360
    total: Counter[int] = Counter()
    for (_, _, status), count in (await _counts(ledger, event)).items():
        total[status] += count
    assert {one.status: one.count for one in (await ledger.event(event.id)).counts} == total


async def test_nothing_is_sent_before_it_is_sent_and_repeats_take_nothing_back(ledger: Ledger) -> None:
    """While an event expands what is planned counts as queued; what is read again changes no count."""
    workflow, users = new_id(), user_ids(4)
    event = builders.workflow_event(ledger.tenant, workflow, targets=[builders.group("all")])
    plans = [_plan(event, user, workflow, "welcome") for user in users]
    pages = [builders.plan(event, [plan], continues=True) for plan in plans]
    ends = [builders.attempted(event, plan.delivery_id, SENT) for plan in plans]
    reached = 0
    await ledger.write(event)
    for page, end in zip(pages, ends, strict=True):
        for item in (page, end, page, end):
            await ledger.write(item)
            found = await _counts(ledger, event)
            sent = found.get((workflow, "welcome", SENT), 0)
            assert sent >= reached
            reached = sent
            assert sum(found.values()) == len(await ledger.every_delivery(event.id))
    assert await _counts(ledger, event) == {(workflow, "welcome", SENT): 4}


async def test_few_deliveries_are_counted_as_many_are(ledger: Ledger) -> None:
    """Those of an event without counters, those to endpoints, and those of no workflow, too."""
    workflow = new_id()
    small, large = [builders.workflow_event(ledger.tenant, workflow, targets=[builders.group("g")]) for _ in "ab"]
    for event, continues in ((small, False), (large, True)):
        webhook = trace_pb2.PlannedDelivery(
            delivery_id=new_id(), channel=event_pb2.CHANNEL_WEBHOOK, status=QUEUED, endpoint_id=new_id()
        )
        plans = [_plan(event, "ada", workflow, "sms"), _plan(event, "bob", workflow, "sms", SKIPPED), webhook]
        await ledger.write(event, builders.plan(event, plans, continues=continues))
        found = {(workflow, "sms", QUEUED): 1, (workflow, "sms", SKIPPED): 1, ("", "webhook", QUEUED): 1}
        assert await _counts(ledger, event) == found
        # A step may have the name of its channel.
        [ada] = await ledger.every_delivery(event.id, workflow_id=workflow, step="sms", status=QUEUED)
        assert (ada.step, ada.workflow_run_id) == ("sms", _run_of(event, workflow, "ada"))


async def test_a_dead_letter_that_is_sent_again_is_counted_once(ledger: Ledger) -> None:
    """It is queued again in the counters of its step, too."""
    workflow = new_id()
    event = builders.workflow_event(ledger.tenant, workflow)
    plan = _plan(event, "ada", workflow, "welcome")
    await ledger.write(event, builders.plan(event, [plan], continues=True))
    await ledger.write(builders.attempted(event, plan.delivery_id, DEAD, 7))
    assert await _counts(ledger, event) == {(workflow, "welcome", DEAD): 1}

    async def publish(_: object) -> None:
        pass

    assert await RetryStore(ledger.pool, ledger.pool).replay(plan.delivery_id, publish)
    assert await _counts(ledger, event) == {(workflow, "welcome", QUEUED): 1}
    await ledger.write(builders.attempted(event, plan.delivery_id, SENT, replay=1))
    assert await _counts(ledger, event) == {(workflow, "welcome", SENT): 1}


async def test_a_list_of_one_step(ledger: Ledger) -> None:
    """Deliveries of a workflow, of a step and of a status are found page by page; of another tenant nothing is."""
    welcome, upsell, users = new_id(), new_id(), user_ids(120)
    event = builders.workflow_event(ledger.tenant, welcome, upsell, targets=[builders.group("all")])
    plans = [
        _plan(event, user, workflow, step, SKIPPED if user.endswith("7") else QUEUED)
        for user in users
        for workflow, steps in ((welcome, ("a", "b")), (upsell, ("a",)))
        for step in steps
    ]
    await ledger.write(event, *[builders.plan(event, [plan], continues=True) for plan in plans])
    of_welcome = await ledger.every_delivery(event.id, workflow_id=welcome)
    assert Counter(row.step for row in of_welcome) == {"a": 120, "b": 120}
    of_step = await ledger.every_delivery(event.id, workflow_id=welcome, step="b", status=SKIPPED)
    assert sorted(row.recipient.user_id for row in of_step) == [user for user in users if user.endswith("7")]
    [one] = await ledger.every_delivery(event.id, workflow_id=upsell, recipient="u00003")
    assert (one.workflow_id, one.step, one.recipient.user_id) == (upsell, "a", "u00003")
    assert len(await ledger.every_delivery(event.id, step="a")) == 240
    await _assert_paged(ledger, event.id, workflow_id=welcome, step="a")
    await _assert_paged(ledger, event.id)
    for method in ("ListDeliveries", "GetWorkflowCounts"):
        with pytest.raises(ClarionError) as refused:
            await ledger.call(method, event_id=event.id, tenant_id=new_id())
        assert refused.value.code is Code.NOT_FOUND


async def _assert_paged(ledger: Ledger, event_id: str, **of: str) -> None:
    """Several statuses are listed together, the same by number as by cursor, and the last page says that it is."""
    for statuses in ([QUEUED], [QUEUED, SKIPPED], [SKIPPED, SENT]):
        every = [row for row in await ledger.every_delivery(event_id, **of) if row.status in statuses]
        size = len(every) // 4
        assert size * 4 == len(every) > 0
        for page in range(4):
            asked = {"event_id": event_id, "statuses": statuses, "limit": size, **of}
            told = await ledger.call("ListDeliveries", offset=page * size, **asked)
            assert [row.id for row in told.deliveries] == [row.id for row in every[page * size :][:size]]
            assert bool(told.next_cursor) == (len(every) > (page + 1) * size)


async def test_an_event_of_one_recipient_is_paged_by_number(ledger: Ledger) -> None:
    """As those of several are; and a cursor and a number together are refused."""
    event = builders.event(ledger.tenant)
    statuses = {new_id(): SKIPPED if number % 3 else QUEUED for number in range(24)}
    await ledger.write(event, builders.routed(event, statuses))
    await _assert_paged(ledger, event.id)
    for fields in ({"offset": 1, "cursor": new_id()}, {"offset": -1}, {"offset": 10_001}):
        with pytest.raises(ClarionError) as refused:
            await ledger.call("ListDeliveries", event_id=event.id, **fields)
        assert refused.value.fields[0][0] == "offset"


async def test_an_event_says_that_it_starts_workflows_and_whom_it_is_for(ledger: Ledger) -> None:
    """A contact counts at once; then who is meant takes their place, although nothing is sent to them yet."""
    workflow = new_id()
    event = builders.workflow_event(ledger.tenant, workflow, metadata={"source": "api"})
    await ledger.write(event)
    before = await ledger.event(event.id)
    assert (before.has_workflows, before.recipient_count, before.routed_at_us) == (True, 1, 0)
    assert (before.recipient.email, dict(before.metadata)) == ("ada@example.org", {"source": "api"})
    assert not before.several_recipients
    await ledger.write(
        builders.plan(event, [], continues=True),
        builders.workflow_steps(event, _step(event, "ada", workflow, "", "started")),
    )
    after = await ledger.event(event.id)
    assert (after.recipient_count, after.recipient.user_id) == (1, "ada")
    assert after.routed_at_us
    await ledger.write(builders.plan(event, [_plan(event, "ada", workflow, "welcome")], continues=True))
    sent = await ledger.event(event.id)
    assert (sent.recipient_count, sent.several_recipients) == (1, False)
    listed = await ledger.call("ListEvents", tenant_id=ledger.tenant, limit=10)
    assert [one.recipient_count for one in listed.events] == [1]
    group = builders.workflow_event(ledger.tenant, workflow, targets=[builders.group("all")])
    steps = [_step(group, user, workflow, "", "started") for user in user_ids(3)]
    await ledger.write(group, builders.workflow_steps(group, *steps))
    assert (await ledger.event(group.id)).recipient_count == 3


async def test_what_runs_did_is_on_the_timeline_once(ledger: Ledger) -> None:
    """In their order, of the event and of a run; what is written again changes nothing, but a second wait is longer."""
    workflow = new_id()
    event = builders.workflow_event(ledger.tenant, workflow)
    until_us, later_us = (event.accepted_at_us + hours * 3_600_000_000 for hours in (1, 2))
    first = builders.workflow_steps(
        event,
        _step(event, "ada", workflow, "", "started"),
        _step(event, "ada", workflow, "is-new", "condition_met"),
        _step(event, "ada", workflow, "pause", "waiting", until_us=until_us),
        _step(event, "bob", workflow, "", "failed", reason="rule_failed", detail="no such field"),
    )
    again = builders.workflow_steps(event, _step(event, "ada", workflow, "pause", "waiting", until_us=later_us))
    then = builders.workflow_steps(event, _step(event, "ada", workflow, "pause", "went_on"), after_us=4_000)
    plan = _plan(event, "ada", workflow, "welcome")
    await ledger.write(event, first, first)
    await ledger.write(again, first, then, builders.plan(event, [plan], continues=True))
    steps = (await ledger.call("GetEvent", event_id=event.id)).steps
    of_workflows = [step for step in steps if step.step == "workflow"]
    assert [(step.workflow_step, step.outcome, step.reason, step.next_attempt_at_us) for step in of_workflows] == [
        ("", "started", "", 0),
        ("is-new", "condition_met", "", 0),
        ("pause", "waiting", "", later_us),
        ("", "failed", "rule_failed", 0),
        ("pause", "went_on", "", 0),
    ]
    delivery = await ledger.call("GetDelivery", delivery_id=plan.delivery_id)
    assert [step.outcome for step in delivery.steps if step.step == "workflow"] == [
        "started",
        "condition_met",
        "waiting",
        "went_on",
    ]


async def test_a_contact_of_two_people_is_on_the_timeline(ledger: Ledger) -> None:
    """It says who was meant, and who has the other identifier."""
    event = builders.workflow_event(ledger.tenant, new_id())
    await ledger.write(event, builders.conflict(event, "ada", "bob"), builders.conflict(event, "ada", "bob"))
    steps: Sequence[ledger_pb2.TimelineStep] = (await ledger.call("GetEvent", event_id=event.id)).steps
    [conflict] = [step for step in steps if step.step == "contact_conflict"]
    assert "e-mail address belongs to bob" in conflict.detail
    assert "for ada" in conflict.detail


@pytest.mark.parametrize("due_in_us", [0, 1])
async def test_an_event_whose_workflows_wait_gives_its_quota_back_once(ledger: Ledger, due_in_us: int) -> None:
    """It does not take it again when they go on, and is finished when the last one has ended."""
    workflow = new_id()
    event = builders.workflow_event(ledger.tenant, workflow, weight=10)
    event.due_at_us = event.accepted_at_us + due_in_us
    counted = (0, 0, 1) if due_in_us else (1, 10, 0)
    query = "UPDATE ingest.backlog SET unfinished = $1, unfinished_bytes = $2, scheduled = $3"
    await ledger.pool.execute(query, *counted)
    started = builders.workflow_steps(event, _step(event, "ada", workflow, "", "started"))
    await ledger.write(event)
    await ledger.write(builders.released(event), started)
    await ledger.write(builders.released(event), event)
    assert await ledger.backlog() == (0, 0, 0)
    plan = _plan(event, "ada", workflow, "welcome")
    await ledger.write(builders.plan(event, [plan], continues=True))
    await ledger.store.tidy(recount=True)
    assert await ledger.backlog() == (0, 0, 0)
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(builders.attempted(event, plan.delivery_id, SENT))
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(builders.plan(event, [], total=1))
    assert (await ledger.event(event.id)).finished_at_us
    assert await ledger.backlog() == (0, 0, 0)


@pytest.mark.parametrize("order", ["together", "accepted before", "one by one", "by the janitor"])
async def test_a_secret_is_stored_until_it_is_sent(ledger: Ledger, order: str) -> None:
    """Its payload is gone when its event has ended, and does not come back if the event is read again."""
    event = builders.event(ledger.tenant, variables=b'{"code":"271828"}', is_secret=True)
    plain = builders.event(ledger.tenant, user_id="u2")
    id_ = builders.delivery_id(event)
    plan, end = builders.routed(event, {id_: QUEUED}), builders.attempted(event, id_, SENT)
    query = "SELECT event_id FROM ingest.event_payloads WHERE event_id = $1"
    await ledger.write(plain)
    if order == "together":
        await ledger.write(event, plan, end)
    else:
        await ledger.write(event)
        assert await ledger.pool.fetchval(query, event.id)
        await ledger.write(plan, *([end] if order == "accepted before" else []))
    if order == "one by one":
        await ledger.write(end)
    elif order == "by the janitor":
        await ledger.pool.execute("UPDATE ingest.deliveries SET status = $1 WHERE event_id = $2", SENT, event.id)
        await ledger.pool.execute("UPDATE ingest.events SET routed_at = now() - interval '1 minute'")
        await ledger.store.tidy(recount=False)
    assert (await ledger.event(event.id)).finished_at_us
    assert await ledger.pool.fetchval(query, event.id) is None
    await ledger.write(event)
    assert await ledger.pool.fetchval(query, event.id) is None
    assert await ledger.pool.fetchval(query, plain.id)


async def test_a_dead_letter_has_no_secret(ledger: Ledger) -> None:
    """It says what failed and to whom, and cannot be sent again."""
    event = builders.event(ledger.tenant, variables=b'{"code":"271828"}', is_secret=True)
    id_ = builders.delivery_id(event)
    died = builders.attempted(event, id_, DEAD, 7)
    letter = died.attempted.dead_letter
    letter.variables, letter.is_secret = b'{"code":"271828"}', True
    letter.direct.content_given.body = "Your code is 271828."
    await ledger.write(event, builders.routed(event, {id_: QUEUED}), died)
    for table in ("dead_letters", "event_payloads", "deliveries", "attempts"):
        assert "271828" not in repr(await ledger.pool.fetch(f"SELECT * FROM ingest.{table}"))

    async def publish(_: object) -> None:
        pytest.fail("nothing is left to send")

    with pytest.raises(ClarionError) as refused:
        await RetryStore(ledger.pool, ledger.pool).replay(id_, publish)
    assert refused.value.code is Code.CONFLICT


async def test_an_event_whose_workflows_wait_is_not_the_oldest_one_under_way(ledger: Ledger) -> None:
    """It waits as it should, for weeks perhaps; an event after it that is stuck is the one to look at."""
    waiting, due, stuck = [
        builders.workflow_event(ledger.tenant, new_id()),
        builders.workflow_event(ledger.tenant, new_id()),
        builders.event(ledger.tenant),
    ]
    due.due_at_us = due.accepted_at_us + 1
    await ledger.write(waiting, due, stuck, builders.released(waiting), builders.released(due))
    oldest = await ActivityStore(ledger.pool, events_days=90).oldest([ledger.tenant])
    assert oldest is not None
    assert str(oldest["id"]) == stuck.id
