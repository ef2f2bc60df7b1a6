"""Accepting on admission, event log and settings in memory: duplicates, limits, failures at each step."""

import asyncio
import itertools
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id, time_of
from services.domain.delivery_ids import CURRENT_SCHEME
from services.ingest.accept import Accepted
from services.ingest.event_size import size_in_streams
from services.ingest.intake import event_of
from services.ingest.ports import DAY_S, ContentKey, TenantSettings
from services.ingest.refusals import QUOTA_RETRY_AFTER_S
from tests.unit.ingest.desk import KEY, OTHER, OURS, TENANT, Desk, call, first_of, row

_AWAY = ClarionError(Code.UNAVAILABLE, "The message broker does not answer.", retry_after=1)
_FULL = ClarionError(Code.OVERLOADED, "Too much work is waiting.", retry_after=1)


async def test_an_event_is_stored_as_it_was_sent() -> None:
    """Under admission's id, with the caller's fields, the moment, the key and what it weighs."""
    desk = Desk()
    new = call(
        caller_event_id="mine",
        variables=b'{"a":1}',
        payload_extra=b"{}",
        trace_id="t",
        channels=[event_pb2.CHANNEL_SMS],
    )
    accepted = await desk.accept(new)
    [event] = desk.log.events
    assert accepted == Accepted(event.id, OURS, duplicate=False)
    assert (event.tenant_id, event.event_type, event.caller_event_id) == (TENANT, OURS, "mine")
    assert (event.variables, event.payload_extra, event.trace_id) == (b'{"a":1}', b"{}", "t")
    assert (list(event.channels), event.recipient) == ([event_pb2.CHANNEL_SMS], new.recipient)
    weight = size_in_streams(event_of(TENANT, new))
    assert (event.accepted_at_us, event.dedupe_key, event.weight) == (1_000_000, KEY, weight)
    assert (event.id_scheme, event.due_at_us, event.scope) == (CURRENT_SCHEME, 0, "")
    assert not event.HasField("pinned")


async def test_a_malformed_event_reaches_nobody() -> None:
    """It is refused before its key is claimed."""
    desk = Desk()
    assert (await desk.refused(ingest_pb2.NewEvent())).code is Code.INVALID
    assert (desk.admission.rows, desk.log.events) == ({}, [])


async def test_a_repeat_is_answered_with_the_first_event() -> None:
    """While its event is on its way to the ledger, and when that has it; another body is noted as such."""
    desk = Desk()
    first = await desk.accept(call())
    pending = await desk.accept(call())
    desk.admission.store(desk.log.events[0])
    stored = await desk.accept(call())
    assert pending == stored == Accepted(first.event_id, OURS, duplicate=True)
    other = await desk.accept(call(OTHER))
    assert other == Accepted(first.event_id, OURS, duplicate=True, differs=True)
    assert len(desk.log.events) == 1


async def test_a_key_is_its_tenants() -> None:
    """The same key of two tenants names two events."""
    desk = Desk()
    first, other = await desk.accept(call()), await desk.accept(call(), new_id())
    assert (first.duplicate, other.duplicate, len(desk.log.events)) == (False, False, 2)


@pytest.mark.parametrize(
    ("content_key", "duplicate", "differs"),
    [(ContentKey.FULL, False, False), (ContentKey.PAYLOAD, True, True)],
)
async def test_without_a_key_the_content_is_the_key(content_key: ContentKey, *, duplicate: bool, differs: bool) -> None:
    """By default all of it, so that another body is another event; by the tenant's setting the payload alone."""
    desk = Desk()
    desk.tenants.known[TENANT] = TenantSettings(content_key=content_key)
    first = await desk.accept(call(key="", variables=b'{"n":1}'))
    assert (await desk.accept(call(key="", variables=b'{"n":1}'))).event_id == first.event_id
    other = await desk.accept(call(key="", variables=b'{"n":2}'))
    assert (other.duplicate, other.differs) == (duplicate, differs)
    assert (other.event_id == first.event_id) is duplicate


async def test_calls_at_once_share_one_event() -> None:
    """The first one stores it, the others wait for that; one with another body hears of it."""
    desk = Desk()
    desk.log.gate.clear()
    calls = [asyncio.create_task(desk.accept(new)) for new in (call(), call(), call(OTHER))]
    await asyncio.sleep(0)
    assert not any(call.done() for call in calls)
    desk.log.gate.set()
    first, same, other = await asyncio.gather(*calls)
    assert first == Accepted(first.event_id, OURS, duplicate=False)
    assert same == Accepted(first.event_id, OURS, duplicate=True)
    assert other == Accepted(first.event_id, OURS, duplicate=True, differs=True)
    assert len(desk.log.events) == 1


@pytest.mark.parametrize("failure", [_AWAY, _FULL])
async def test_where_the_broker_fails_all_are_told_and_a_repeat_stores_it_once(failure: ClarionError) -> None:
    """The key stays claimed: the repeat is stored under its first id, with the first call's moment."""
    desk = Desk()
    desk.log.failure = failure
    answers = await asyncio.gather(*[desk.accept(call()) for _ in range(3)], return_exceptions=True)
    assert answers == [failure] * 3
    claimed = desk.row_of(KEY).event_id
    desk.log.failure = None
    accepted = await desk.accept(call())
    [event] = desk.log.events
    assert accepted.event_id == event.id == claimed
    assert event.accepted_at_us == time_of(claimed)
    assert not desk.acceptor._under_way


async def test_an_answer_of_the_broker_that_was_lost() -> None:
    """The event is stored, and its caller was told otherwise: the repeat finds it, whichever process gets it."""
    desk = Desk()
    desk.log.loses_answers = True
    assert (await desk.refused(call())).code is Code.UNAVAILABLE
    desk.log.loses_answers = False
    accepted = await desk.another().accept(TENANT, call())
    assert [accepted.event_id] == [event.id for event in desk.log.events]


async def test_a_call_that_is_cut_off_leaves_the_key_to_the_next() -> None:
    """Its deadline, say: whoever waited for it is told to try again, and the repeat is stored under the same id."""
    desk = Desk()
    desk.log.gate.clear()
    leader, follower = (asyncio.create_task(desk.accept(call())) for _ in range(2))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await leader
    with pytest.raises(ClarionError) as told:
        await follower
    assert (told.value.code, told.value.retry_after) == (Code.UNAVAILABLE, 1)
    desk.log.gate.set()
    claimed = desk.row_of(KEY).event_id
    assert (await desk.accept(call())).event_id == claimed
    assert not desk.acceptor._under_way


async def test_a_follower_that_gives_up_takes_nothing_from_the_leader() -> None:
    """The first call goes on, and its event is stored."""
    desk = Desk()
    desk.log.gate.clear()
    leader, follower = (asyncio.create_task(desk.accept(call())) for _ in range(2))
    await asyncio.sleep(0)
    follower.cancel()
    with pytest.raises(asyncio.CancelledError):
        await follower
    desk.log.gate.set()
    assert not (await leader).duplicate


async def test_some_of_a_group_fail_alone() -> None:
    """One is malformed, one repeats another, one is past its tenant's limit: the others are stored."""
    desk = Desk()
    limited = new_id()
    desk.tenants.known[limited] = TenantSettings(max_unfinished_events=0)
    asked = [
        (TENANT, call(key="1")),
        (TENANT, ingest_pb2.NewEvent()),
        (TENANT, call(key="1")),
        (limited, call(key="1")),
        (TENANT, call(key="2")),
    ]
    answers = await asyncio.gather(*[desk.accept(new, tenant) for tenant, new in asked], return_exceptions=True)
    told = [one.code if isinstance(one, ClarionError) else one.duplicate for one in answers]  # type: ignore[union-attr]
    assert told == [False, Code.INVALID, True, Code.LIMITED, False]
    assert len(desk.log.events) == 2


@pytest.mark.parametrize(
    ("settings", "says", "retry_after"),
    [
        (TenantSettings(max_unfinished_events=1), "still being delivered", QUOTA_RETRY_AFTER_S),
        (TenantSettings(max_unfinished_bytes=1000), "more than 0 MiB", QUOTA_RETRY_AFTER_S),
        (TenantSettings(rate_limit_per_minute=1), "1 in a minute", 60),
        (TenantSettings(daily_cap=1), "1 in a day", 86_400),
    ],
    ids=["events", "bytes", "minute", "day"],
)
async def test_a_limit_that_is_reached(settings: TenantSettings, says: str, retry_after: int) -> None:
    """The caller is told which one and when to come back; a repeat of what was let in burns nothing."""
    desk = Desk()
    desk.tenants.known[TENANT] = settings
    accepted = await desk.accept(call(key="1"))
    refused = await desk.refused(call(key="2"))
    assert refused.code is Code.LIMITED
    assert says in refused.detail
    assert refused.limit is not None
    assert refused.limit.kind
    assert 1 <= (refused.retry_after or 0) <= retry_after
    assert (await desk.accept(call(key="1"))).event_id == accepted.event_id
    assert len(desk.log.events) == 1


async def test_what_waits_for_a_refused_call_is_refused_too() -> None:
    """Calls with one key at once are one event, also past a limit."""
    desk = Desk()
    desk.tenants.known[TENANT] = TenantSettings(max_unfinished_events=0)
    answers = await asyncio.gather(*[desk.accept(call()) for _ in range(2)], return_exceptions=True)
    assert [one.code for one in answers if isinstance(one, ClarionError)] == [Code.LIMITED] * 2


async def test_without_the_database_the_broker_keeps_keys_single() -> None:
    """Every key is new to admission; the event that is stored under it answers, whatever it asked for."""
    desk = Desk()
    desk.admission.away = True
    first = await desk.accept(call())
    same, other = await desk.accept(call()), await desk.accept(call(OTHER))
    assert same.event_id == first.event_id
    assert other == Accepted(first.event_id, OURS, duplicate=True, differs=True)
    assert len(desk.log.events) == 1


async def test_a_row_that_the_database_lost_is_put_right() -> None:
    """The broker knows the key: the row that the repeat has made names the first event from then on."""
    desk = Desk()
    desk.admission.away = True
    first = await desk.accept(call())
    desk.admission.away = False
    assert (await desk.accept(call())).event_id == first.event_id
    assert desk.row_of(KEY).event_id == first.event_id


async def test_what_came_while_admission_was_away_is_looked_up_once() -> None:
    """A stored key without a fingerprint: the ledger's event says what a repeat is compared with, and it is kept."""
    desk = Desk()
    event = event_pb2.Event(id=new_id(), tenant_id=TENANT, event_type=OTHER, recipient=call().recipient)
    desk.admission.rows[TENANT, KEY] = row(event.id, None)
    desk.admission.store(event)
    assert await desk.accept(call()) == Accepted(event.id, OTHER, duplicate=True, differs=True)
    assert desk.row_of(KEY).first == first_of(OTHER)
    desk.admission.events.clear()  # it is erased: what was kept still tells
    assert (await desk.accept(call())).differs


async def test_a_stored_event_that_was_erased_is_the_same() -> None:
    """Nobody knows what it was: the repeat counts as its duplicate."""
    desk = Desk()
    event_id = desk.claim(OTHER, keeps_body=False)
    desk.row_of(KEY).stored = True
    assert await desk.accept(call()) == Accepted(event_id, OURS, duplicate=True)


async def test_without_deduplication_each_call_is_an_event() -> None:
    """Also calls at once, and with one body: none waits for another, and no key is stored."""
    desk = Desk()
    desk.log.gate.clear()
    never = ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE)
    calls = [asyncio.create_task(desk.accept(call(key="", dedupe=never))) for _ in range(3)]
    await asyncio.sleep(0)
    desk.log.gate.set()
    accepted = await asyncio.gather(*calls)
    assert [one.duplicate for one in accepted] == [False] * 3
    assert {one.event_id for one in accepted} == {event.id for event in desk.log.events}
    assert len(desk.log.events) == 3
    assert {event.dedupe_key for event in desk.log.events} == {b""}
    assert not desk.admission.rows


async def test_our_own_try_without_deduplication_is_one_event() -> None:
    """The publisher repeats what the broker has not answered: the answer is still that of a new event."""
    desk = Desk()
    append = desk.log.append

    async def twice(event: event_pb2.Event, **how: Any) -> Any:
        await append(event, **how)
        return await append(event, **how)

    desk.log.append = twice  # type: ignore[method-assign]  # as the publisher's own repeat does
    accepted = await desk.accept(call(key="", dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE)))
    assert accepted == Accepted(desk.log.events[0].id, OURS, duplicate=False)
    assert len(desk.log.events) == 1


async def test_an_idempotency_key_is_short_for_a_key() -> None:
    """Whichever way it is said, the same key is the same event, for a day."""
    desk = Desk()
    first = await desk.accept(call(key="k"))
    named = ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key="k")
    assert (await desk.accept(call(key="", dedupe=named))).event_id == first.event_id
    assert {claim.ttl_s for claim in desk.admission.claims} == {DAY_S}


@pytest.mark.parametrize(
    ("kind", "differs_by_variables"),
    [(ingest_pb2.DEDUPE_KIND_CONTENT, False), (ingest_pb2.DEDUPE_KIND_PAYLOAD, True)],
)
async def test_the_caller_says_which_content_is_the_key(
    kind: ingest_pb2.DedupeKind.ValueType, *, differs_by_variables: bool
) -> None:
    """Whatever the tenant's setting is."""
    desk = Desk()
    for content_key in ContentKey:
        desk.tenants.known[TENANT] = TenantSettings(content_key=content_key)
        asked = ingest_pb2.Dedupe(kind=kind, scope=content_key.value)
        first = await desk.accept(call(key="", dedupe=asked, variables=b'{"n":1}'))
        other = await desk.accept(call(key="", dedupe=asked, variables=b'{"n":2}'))
        assert (other.event_id == first.event_id) is differs_by_variables
        assert other.differs is differs_by_variables


async def test_keys_of_two_scopes_are_two_events() -> None:
    """The scope of the deduplication; where it has none, that of the event."""
    desk = Desk()
    asked = [
        call(),
        call(scope="live"),
        call(scope="test"),
        call(key="", dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key="k", scope="other")),
        call(key="", dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key="k", scope="live")),
        call(key="", scope="test", dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key="k")),
    ]
    accepted = [await desk.accept(new) for new in asked]
    assert [one.duplicate for one in accepted] == [False, False, False, False, True, True]
    assert [one.event_id for one in accepted[4:]] == [accepted[1].event_id, accepted[2].event_id]


async def test_a_receipt_says_what_is_left() -> None:
    """Of each rate, after a new event; of a duplicate nothing is taken, and nothing is told."""
    desk = Desk()
    desk.tenants.known[TENANT] = TenantSettings(rate_limit_per_minute=10, daily_cap=20)
    first = await desk.accept(call(key="1"))
    assert [(limit.window_s, limit.bound, limit.remaining) for limit in first.limits] == [(60, 10, 9), (DAY_S, 20, 19)]
    assert (await desk.accept(call(key="1"))).limits == ()
    assert [limit.remaining for limit in (await desk.accept(call(key="2", cost=3))).limits] == [6, 16]


async def test_admission_is_told_cost_memory_schedule_and_scope() -> None:
    """The cost is 1 and the memory a day, unless the caller says otherwise; what is due waits only in the future."""
    desk = Desk(ticks=itertools.repeat(1_000_000))
    week = ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key="w", ttl_s=7 * DAY_S)
    for new in (
        call(key="1"),
        call(key="", dedupe=week, cost=3),
        call(key="2", due_at_us=1_000_001),
        call(key="3", due_at_us=1_000_000),
        call(key="4", scope="live"),
    ):
        await desk.accept(new)
    assert [(claim.ttl_s, claim.cost, claim.scheduled, claim.scope) for claim in desk.admission.claims] == [
        (DAY_S, 1, False, ""),
        (7 * DAY_S, 3, False, ""),
        (DAY_S, 1, True, ""),
        (DAY_S, 1, False, ""),
        (DAY_S, 1, False, "live"),
    ]
    assert [event.due_at_us for event in desk.log.events] == [0, 0, 1_000_001, 1_000_000, 0]
    # The ledger writes rows of keys that admission could not: 0 means a day.
    assert [event.dedupe_ttl_s for event in desk.log.events] == [0, 7 * DAY_S, 0, 0, 0]


@pytest.mark.parametrize(
    ("wait_s", "asked_s", "kept_s"),
    [
        (3600, 0, 3600 + DAY_S),
        (365 * DAY_S, 7 * DAY_S, 366 * DAY_S),
        (DAY_S, 30 * DAY_S, 30 * DAY_S),
        (200 * 365 * DAY_S, 0, 2**31 - 1),
    ],
)
async def test_a_key_is_remembered_until_a_day_after_the_event_is_due(wait_s: int, asked_s: int, kept_s: int) -> None:
    """Longer if the caller says so. The ledger, which writes lost rows again, is told."""
    desk = Desk(ticks=itertools.repeat(1_000_000))
    dedupe = ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key="k", ttl_s=asked_s)
    await desk.accept(call(key="", dedupe=dedupe, due_at_us=1_000_000 + wait_s * 1_000_000))
    assert [claim.ttl_s for claim in desk.admission.claims] == [kept_s]
    assert [event.dedupe_ttl_s for event in desk.log.events] == [kept_s]


async def test_an_event_whose_time_comes_while_it_is_accepted_still_waits() -> None:
    """Admission has counted it as scheduled; so its time is after its acceptance, for router and ledger."""
    desk = Desk()
    await desk.accept(call(due_at_us=1_000_001))
    await desk.accept(call(key="2", due_at_us=1_000_002))
    assert [claim.scheduled for claim in desk.admission.claims] == [True, False]
    waiting, at_once = desk.log.events
    assert waiting.accepted_at_us < waiting.due_at_us
    assert at_once.accepted_at_us >= at_once.due_at_us


@pytest.mark.parametrize(
    ("row", "stored", "event_type", "duplicate", "kept"),
    [
        pytest.param(None, None, OURS, False, OURS, id="nobody else"),
        pytest.param(None, OURS, OURS, True, OURS, id="the row was lost, the same is stored"),
        pytest.param(None, OTHER, OTHER, True, OTHER, id="the row was lost, another one is stored"),
        pytest.param(OTHER, None, OURS, False, OURS, id="the other one claimed, we stored"),
        pytest.param(OTHER, OTHER, OTHER, True, OTHER, id="the other one claimed and stored"),
        pytest.param(OTHER, OURS, OURS, False, OURS, id="the other one claimed, we stored in an earlier try"),
        pytest.param(OURS, None, OURS, True, OURS, id="the same claimed"),
        pytest.param(OURS, OURS, OURS, True, OURS, id="the same claimed and stored"),
        pytest.param(OURS, OTHER, OTHER, True, OTHER, id="the same claimed, another one stored"),
        pytest.param("", None, OURS, True, OURS, id="the version before claimed"),
    ],
)
async def test_the_stored_body_is_the_first(
    row: str | None, stored: str | None, event_type: str, *, duplicate: bool, kept: str
) -> None:
    """Of two processes with one key: the answer is that of what is in the stream, and the key's row says the same."""
    desk = Desk()
    claimed = None if row is None else desk.claim(row or OTHER, keeps_body=bool(row))
    first = None if stored is None else await desk.append(stored, claimed or "")
    accepted = await desk.accept(call())
    [event] = desk.log.events
    assert event.id == (claimed or first or accepted.event_id)
    assert accepted == Accepted(event.id, event_type, duplicate=duplicate, differs=event_type != OURS)
    assert (desk.row_of(KEY).event_id, desk.row_of(KEY).first) == (event.id, first_of(kept))


async def test_our_own_try_is_no_duplicate() -> None:
    """The broker's answer was lost within one call and its repeat finds the event: it is this call's own."""
    desk = Desk()
    append = desk.log.append

    async def twice(event: event_pb2.Event, **how: Any) -> Any:
        await append(event, **how)
        return await append(event, **how)

    desk.log.append = twice  # type: ignore[method-assign]  # as the publisher's own repeat does
    assert not (await desk.accept(call())).duplicate
