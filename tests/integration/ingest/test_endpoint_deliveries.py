"""The ledger of deliveries to endpoints on real PostgreSQL: recorded in any order, listed, and what waits in rows."""

import itertools
from collections import Counter
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.ledger import reader
from services.ingest.ledger.rows import Item
from tests.integration.ingest import builders, webhooks
from tests.integration.ingest.builders import DEAD, QUEUED, RETRYING, SENT, SKIPPED
from tests.integration.ingest.ledger import Ledger, shared_event, user_ids

A, B = new_id(), new_id()


async def _listed(ledger: Ledger, **fields: Any) -> list[ledger_pb2.DeliverySummary]:
    """Return all pages."""
    found: list[ledger_pb2.DeliverySummary] = []
    cursor = ""
    for _ in range(100):
        page = await ledger.call(
            "ListEndpointDeliveries", **{"tenant_id": ledger.tenant, "limit": 3, "cursor": cursor, **fields}
        )
        found += page.deliveries
        cursor = page.next_cursor
        if not cursor:
            return found
    raise AssertionError("the pages do not end")


async def _one(ledger: Ledger, event: event_pb2.Event, endpoint: str = A) -> ledger_pb2.GetDeliveryResponse:
    answer: ledger_pb2.GetDeliveryResponse = await ledger.call(
        "GetDelivery", delivery_id=webhooks.delivery(event, endpoint), tenant_id=ledger.tenant
    )
    return answer


async def test_a_delivery_with_its_attempts(ledger: Ledger) -> None:
    """Where it goes, what the endpoint answered, and the times; on the timeline nothing is rendered."""
    event = webhooks.event(ledger.tenant, A, metadata={"source": "shop"}, caller_event_id="c-1")
    call = webhooks.answer(503, b"\x00busy", is_cut=True)
    due = event.accepted_at_us + 60_000_000
    await ledger.write(
        event,
        webhooks.plan(event),
        webhooks.attempted(event, A, RETRYING, 1, next_us=due, http=call),
        webhooks.attempted(event, A, SENT, 2, http=webhooks.answer()),
    )
    answer = await _one(ledger, event)
    one = answer.delivery
    assert (one.endpoint_id, one.channel, one.status, one.attempts) == (A, webhooks.WEBHOOK, SENT, 2)
    assert not one.HasField("recipient")
    assert (one.event_type, one.caller_event_id, dict(one.metadata)) == ("order.confirmed", "c-1", {"source": "shop"})
    assert (one.created_at_us, one.has_content) == (event.accepted_at_us, True)
    assert 0 < one.first_attempt_at_us < one.sent_at_us
    assert (one.next_attempt_at_us, one.parked) == (0, "")
    assert [step.step for step in answer.steps] == ["queued", "retrying", "sent"]
    assert answer.steps[1].http == call
    attempts = (
        await ledger.call("ListAttempts", tenant_id=ledger.tenant, delivery_id=webhooks.delivery(event, A))
    ).attempts
    assert [(attempt.attempt, attempt.status, attempt.http.status) for attempt in attempts] == [
        (1, RETRYING, 503),
        (2, SENT, 200),
    ]
    assert attempts[0].http == call
    assert attempts[0].next_attempt_at_us == due
    event_now = await ledger.event(event.id)
    assert [delivery.endpoint_id for delivery in event_now.deliveries] == [A]
    assert (event_now.several_recipients, event_now.HasField("recipient")) == (False, False)


@pytest.mark.parametrize(("endpoints", "outcome"), [((A, B), "ok"), ((), "skipped")])
async def test_a_type_without_a_template(ledger: Ledger, endpoints: tuple[str, ...], outcome: str) -> None:
    """Its endpoints get it, and the event does not say that nothing is sent; without endpoints it does."""
    event = builders.event(ledger.tenant)
    decided = [webhooks.planned(event, endpoint) for endpoint in endpoints]
    await ledger.write(event, builders.plan(event, decided, reason="no_active_template"))
    answer = await ledger.call("GetEvent", event_id=event.id)
    [routed] = [step for step in answer.steps if step.step == "routed"]
    assert (routed.outcome, routed.reason) == (outcome, "no_active_template")
    assert ("endpoint" in routed.detail) == bool(endpoints)
    assert answer.event.reason == ("" if endpoints else "no_active_template")
    assert [step.outcome for step in answer.steps if step.step == "queued"] == ["ok" for _ in endpoints]


async def test_another_tenant_s_delivery_is_not_found(ledger: Ledger) -> None:
    """In all calls that name the tenant."""
    event = webhooks.event(ledger.tenant, A)
    await ledger.write(event, webhooks.plan(event), webhooks.attempted(event, A, DEAD))
    for method in ("GetDelivery", "ListAttempts", "RetryDelivery"):
        with pytest.raises(ClarionError) as refusal:
            await ledger.call(method, tenant_id=new_id(), delivery_id=webhooks.delivery(event, A))
        assert refusal.value.code is Code.NOT_FOUND
    assert await _listed(ledger, tenant_id=new_id()) == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_an_event_that_is_parked_counts_once(ledger: Ledger, order: tuple[int, ...]) -> None:
    """It leaves its tenant's quota when the rest of it is parked and stays out; in any order, with recounts."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 5, unfinished_bytes = 50")
    event = webhooks.event(ledger.tenant, A, weight=10)
    items: list[Item] = [
        event,
        webhooks.plan(event),
        webhooks.parked(event, A),
        webhooks.attempted(event, A, SENT),
    ]
    for position in order:
        await ledger.write(items[position])
    assert await ledger.backlog() == (4, 40 + (10 if event_came_late(order) else 0), 0)
    await ledger.store.tidy(recount=True)
    assert await ledger.backlog() == (0, 0, 0)
    one = (await _one(ledger, event)).delivery
    assert (one.status, one.parked) == (SENT, "")


def event_came_late(order: tuple[int, ...]) -> bool:
    """Whether the event's size was read after it had left the quota."""
    left_at = min(
        max(order.index(1), order.index(3)),  # finished
        max(order.index(1), order.index(2)) if order.index(2) < order.index(3) else 9,  # released
    )
    return order.index(0) > left_at


async def test_the_life_of_a_parked_event(ledger: Ledger) -> None:
    """Queued, parked, tried, parked again, sent: counted until it is parked, unfinished until it is sent."""
    await ledger.pool.execute("UPDATE ingest.backlog SET unfinished = 2, unfinished_bytes = 17")
    await ledger.write(webhooks.event(ledger.tenant, A, weight=7))  # so that what is counted twice shows
    event = webhooks.event(ledger.tenant, A, weight=10)
    until = event.accepted_at_us + 90_000_000
    life: list[tuple[Item, tuple[int, int, int], str, int]] = [
        (event, (2, 17, 0), "", 0),
        (webhooks.plan(event), (2, 17, 0), "", QUEUED),
        (webhooks.parked(event, A, "endpoint_disabled", until_us=until), (1, 7, 0), "endpoint_disabled", QUEUED),
        (webhooks.attempted(event, A, RETRYING, 1, next_us=until), (1, 7, 0), "", RETRYING),
        (webhooks.parked(event, A, "retry", 2, until_us=until), (1, 7, 0), "retry", RETRYING),
        (webhooks.parked(event, A, "endpoint_down", 2, after_us=6_000), (1, 7, 0), "endpoint_down", RETRYING),
        (webhooks.attempted(event, A, SENT, 2), (1, 7, 0), "", SENT),
    ]
    for item, backlog, parked, status in life:
        for redelivered in (item, event):
            await ledger.write(item)
            await ledger.write(redelivered)
            assert await ledger.backlog() == backlog
            await ledger.store.tidy(recount=True)
            assert await ledger.backlog() == backlog
        if status:
            answer = await _one(ledger, event)
            assert (answer.delivery.parked, answer.delivery.status) == (parked, status)
            is_over = status == SENT
            assert bool((await ledger.event(event.id)).finished_at_us) == is_over
    answer = await _one(ledger, event)
    assert [(step.step, step.reason) for step in answer.steps] == [
        ("queued", ""),
        ("parked", "endpoint_disabled"),
        ("retrying", "endpoint_error"),
        ("parked", "endpoint_down"),
        ("sent", ""),
    ]
    assert answer.steps[1].next_attempt_at_us == until
    attempts = await ledger.call("ListAttempts", tenant_id=ledger.tenant, delivery_id=answer.delivery.id)
    assert [attempt.attempt for attempt in attempts.attempts] == [1, 2]


async def test_an_event_in_which_not_all_is_parked(ledger: Ledger) -> None:
    """One of two endpoints is down, and a mail is under way: the event counts until only the parked one is left."""
    event = builders.event(ledger.tenant, weight=10, id_scheme=1)
    mail = builders.delivery_id(event)
    plan = webhooks.plan(event, [A, B])
    plan.routed.deliveries.append(trace_pb2.PlannedDelivery(delivery_id=mail, channel=builders.SMS, status=QUEUED))
    await ledger.write(event, plan, webhooks.parked(event, A))
    assert await ledger.backlog() == (1, 10, 0)
    await ledger.write(webhooks.attempted(event, B, SENT))
    assert await ledger.backlog() == (1, 10, 0)
    await ledger.write(builders.attempted(event, mail, SENT))
    assert await ledger.backlog() == (0, 0, 0)
    assert not (await ledger.event(event.id)).finished_at_us
    await ledger.write(webhooks.attempted(event, A, SENT))
    assert await ledger.backlog() == (0, 0, 0)
    assert (await ledger.event(event.id)).finished_at_us


async def test_a_crash_before_the_release_is_made_up_for(ledger: Ledger) -> None:
    """The janitor releases what the second transaction did not."""
    event = webhooks.event(ledger.tenant, A, weight=10)
    await ledger.write(event, webhooks.plan(event))
    await ledger.write(webhooks.parked(event, A))
    await ledger.pool.execute("UPDATE ingest.events SET is_released = NULL")
    await ledger.store.tidy(recount=True)
    assert await ledger.pool.fetchval("SELECT is_released FROM ingest.events")
    assert await ledger.backlog() == (0, 0, 0)


async def test_a_fan_out_in_several_records(ledger: Ledger) -> None:
    """1,200 endpoints: counters, of which those that wait are shown as queued; released and finished as a whole."""
    endpoints = [new_id() for _ in range(1200)]
    event = webhooks.event(ledger.tenant, *endpoints, weight=10)
    parts = builders.parts(event, [webhooks.planned(event, endpoint) for endpoint in endpoints])
    await ledger.write(event, *parts)
    waiting, others = endpoints[:200], endpoints[200:]
    await ledger.write(*[webhooks.parked(event, endpoint) for endpoint in waiting])
    assert await ledger.backlog() == (1, 10, 0)
    await ledger.write(*[webhooks.attempted(event, endpoint, SENT) for endpoint in others])
    assert await ledger.backlog() == (0, 0, 0)
    event_now = await ledger.event(event.id)
    assert {one.status: one.count for one in event_now.counts} == {QUEUED: 200, SENT: 1000}
    assert not event_now.several_recipients
    assert not event_now.finished_at_us
    assert {one.endpoint_id for one in await ledger.every_delivery(event.id)} == set(endpoints)
    ends = [webhooks.attempted(event, endpoint, DEAD if endpoint == waiting[0] else SENT) for endpoint in waiting]
    await ledger.write(*ends)
    await ledger.write(*ends)
    event_now = await ledger.event(event.id)
    assert {one.status: one.count for one in event_now.counts} == {DEAD: 1, SENT: 1199}
    assert event_now.finished_at_us
    await ledger.store.tidy(recount=True)
    assert await ledger.backlog() == (0, 0, 0)


async def test_endpoints_beside_recipients(ledger: Ledger) -> None:
    """Of an event with several recipients both are listed, the recipients first; a recipient's list has only theirs."""
    event = shared_event(ledger.tenant, user_ids(3))
    endpoints = sorted(new_id() for _ in range(120))
    plans = [builders.planned(event, user) for user in user_ids(3)]
    plans += [webhooks.planned(event, endpoint) for endpoint in endpoints]
    await ledger.write(event, *builders.parts(event, plans))
    found = await ledger.every_delivery(event.id)
    assert [one.recipient.user_id for one in found[:3]] == user_ids(3)
    assert {one.endpoint_id for one in found[3:]} == set(endpoints)
    assert len(found) == 123
    assert len(await ledger.every_delivery(event.id, recipient="u00001")) == 1
    alone = builders.event(ledger.tenant, user_id="ada", id_scheme=1)
    plan = webhooks.plan(alone, [A])
    plan.routed.deliveries.append(
        trace_pb2.PlannedDelivery(delivery_id=builders.delivery_id(alone), channel=builders.SMS, status=QUEUED)
    )
    await ledger.write(alone, plan)
    assert len(await ledger.every_delivery(alone.id)) == 2
    assert [one.endpoint_id for one in await ledger.every_delivery(alone.id, recipient="ada")] == [""]


async def test_pages_of_an_endpoint_s_deliveries(ledger: Ledger) -> None:
    """Newest first, each once; of one endpoint, of all, and of a time."""
    events = [webhooks.event(ledger.tenant, A, *([B] if number % 2 else [])) for number in range(10)]
    for number, event in enumerate(events):
        builders.accept_before(event, (10 - number) / 24)
        await ledger.write(event, webhooks.plan(event), webhooks.attempted(event, A, SENT))
    assert [one.event_id for one in await _listed(ledger, endpoint_id=A)] == [event.id for event in reversed(events)]
    assert [one.event_id for one in await _listed(ledger, endpoint_id=B)] == [event.id for event in events[::-2]]
    every = await _listed(ledger)
    assert Counter(one.event_id for one in every) == {e.id: 1 + n % 2 for n, e in enumerate(events)}
    assert [one.event_id for one in every] == sorted((one.event_id for one in every), reverse=True)
    since, until = (int(event.id.replace("-", "")[:12], 16) * 1000 for event in (events[3], events[6]))
    assert len(await _listed(ledger, endpoint_id=A, since_us=since, until_us=until)) == 3
    assert await _listed(ledger, endpoint_id=new_id()) == []


async def test_the_time_of_acceptance_decides(ledger: Ledger) -> None:
    """Not that of the id, which is made before."""
    events = [webhooks.event(ledger.tenant, A) for _ in range(4)]
    for event, seconds in zip(events, (0, 0.005, 3600, 4 * 3600), strict=True):
        builders.made_before(event, seconds)
        await ledger.write(event, webhooks.plan(event), webhooks.attempted(event, A, SENT))
    since, until = events[1].accepted_at_us, events[3].accepted_at_us
    listed = await _listed(ledger, endpoint_id=A, since_us=since, until_us=until)
    assert {one.event_id for one in listed} == {event.id for event in events[1:3]}


async def test_filters_of_the_list(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """By status, type and labels, also where a page reads fewer deliveries than it would have to."""
    statuses = [SENT, DEAD, RETRYING, SKIPPED, SENT, QUEUED]
    wanted = []
    for number in range(24):
        status = statuses[number % 6]
        event = webhooks.event(
            ledger.tenant,
            A,
            event_type="order.paid" if number % 3 else "order.sent",
            metadata={"parity": str(number % 2), "number": str(number)} if number % 4 else {},
        )
        records: list[Item] = [event, webhooks.plan(event)]
        if status != QUEUED:
            records.append(webhooks.attempted(event, A, status))
        await ledger.write(*records)
        wanted.append((event, status, number))
    other = webhooks.event(new_id(), A, metadata={"parity": "1", "number": "3"})
    await ledger.write(other, webhooks.plan(other))

    async def found(**fields: Any) -> list[int]:
        numbers = {event.id: number for event, _, number in wanted}
        return [numbers[one.event_id] for one in await _listed(ledger, endpoint_id=A, **fields)]

    def those(check: Any) -> list[int]:
        return [number for event, status, number in reversed(wanted) if check(event, status, number)]

    for scanned, labelled in ((5000, 1000), (4, 1000), (4, 1)):
        monkeypatch.setattr(reader, "SCANNED", scanned)
        monkeypatch.setattr(reader, "LABELLED", labelled)
        assert await found(statuses=[DEAD]) == those(lambda _, status, __: status == DEAD)
        assert await found(statuses=[DEAD, QUEUED]) == those(lambda _, status, __: status in (DEAD, QUEUED))
        assert await found(statuses=[SENT]) == those(lambda _, status, __: status == SENT)
        assert await found(statuses=[SENT, DEAD]) == those(lambda _, status, __: status in (SENT, DEAD))
        assert await found(event_type="order.paid") == those(lambda _, __, number: number % 3)
        assert await found(metadata={"parity": "1"}) == those(lambda _, __, number: number % 2)
        assert await found(metadata={"parity": "1", "number": "3"}) == [3]
        assert await found(metadata={"parity": "0", "number": "3"}) == []
        assert await found(metadata={"parity": "1"}, statuses=[DEAD]) == those(
            lambda _, status, number: status == DEAD and number % 2
        )


async def test_a_cursor_is_of_one_list(ledger: Ledger) -> None:
    """With another filter, for another tenant, or made up: INVALID, naming the field."""
    for _ in range(5):
        event = webhooks.event(ledger.tenant, A)
        await ledger.write(event, webhooks.plan(event))
    page = await ledger.call("ListEndpointDeliveries", tenant_id=ledger.tenant, endpoint_id=A, limit=2)
    assert page.next_cursor
    wrong: list[dict[str, Any]] = [
        {"endpoint_id": B},
        {"endpoint_id": A, "statuses": [DEAD]},
        {"endpoint_id": A, "tenant_id": new_id()},
        {"endpoint_id": A, "metadata": {"a": "b"}},
        {"endpoint_id": A, "since_us": 1},
        {"endpoint_id": A, "cursor": "nonsense"},
        {"endpoint_id": A, "cursor": page.next_cursor[:-4] + "AAAA"},
    ]
    for fields in wrong:
        with pytest.raises(ClarionError) as refusal:
            await ledger.call(
                "ListEndpointDeliveries", **{"tenant_id": ledger.tenant, "cursor": page.next_cursor, **fields}
            )
        assert (refusal.value.code, [name for name, _ in refusal.value.fields]) == (Code.INVALID, ["cursor"])


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"limit": 201}, "limit"),
        ({"statuses": [99]}, "statuses"),
        ({"metadata": {str(n): "x" for n in range(6)}}, "metadata"),
        ({"endpoint_id": "x"}, "endpoint_id"),
        ({"tenant_id": ""}, "tenant_id"),
        ({"since_us": 2, "until_us": 1}, "since"),
    ],
)
async def test_wrong_filters(ledger: Ledger, fields: dict[str, Any], name: str) -> None:
    """INVALID, naming the field."""
    with pytest.raises(ClarionError) as refusal:
        await ledger.call("ListEndpointDeliveries", **{"tenant_id": ledger.tenant, **fields})
    assert (refusal.value.code, [field for field, _ in refusal.value.fields]) == (Code.INVALID, [name])


async def test_an_answer_is_shown_for_the_newest_attempts(ledger: Ledger) -> None:
    """An endpoint that fails for days has hundreds; the older ones have their status and URL."""
    event = webhooks.event(ledger.tenant, A)
    attempts = [
        webhooks.attempted(event, A, RETRYING, number, next_us=1, http=webhooks.answer(500, b"x" * 4096))
        for number in range(1, 121)
    ]
    await ledger.write(event, webhooks.plan(event), *attempts)
    answer = await _one(ledger, event)
    bodies = [len(step.http.body) for step in answer.steps if step.step == "retrying"]
    assert bodies == [0] * 20 + [4096] * 100
    assert all(step.http.status == 500 for step in answer.steps if step.step == "retrying")
    steps = (await ledger.call("GetEvent", event_id=event.id)).steps
    assert {len(step.http.body) for step in steps} == {0}


async def test_a_dead_letter_names_its_endpoint(ledger: Ledger) -> None:
    """In the list for operators; a replay of it goes to the endpoint."""
    event = webhooks.event(ledger.tenant, A)
    await ledger.write(event, webhooks.plan(event), webhooks.attempted(event, A, DEAD))
    [letter] = (await ledger.call("ListDeadLetters", tenant_id=ledger.tenant)).dead_letters
    assert (letter.channel, letter.endpoint_id) == (webhooks.WEBHOOK, A)


@pytest.mark.parametrize(
    ("of", "status", "index"),
    [
        ("endpoint_id", "", "deliveries_endpoint"),
        ("endpoint_id", "AND status = 7 AND status NOT IN (4, 5)", "deliveries_endpoint_status"),
        ("tenant_id", "", "deliveries_webhooks"),
        ("tenant_id", "AND status = 7 AND status NOT IN (4, 5)", "deliveries_webhooks_status"),
    ],
)
async def test_pages_are_read_by_an_index(ledger: Ledger, of: str, status: str, index: str) -> None:
    """Without sorting."""
    query = (
        f"EXPLAIN (COSTS OFF) SELECT id FROM ingest.deliveries WHERE {of} = '{new_id()}' AND channel = 4 {status}"
        f" AND event_id < '{new_id()}' ORDER BY event_id DESC, id DESC LIMIT 50"
    )
    async with ledger.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = "\n".join(row[0] for row in await connection.fetch(query))
    assert f"using {index} " in plan
    assert "Sort" not in plan
