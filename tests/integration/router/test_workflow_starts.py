"""For whom stored workflows are started, and why not for others, on real PostgreSQL and NATS."""

import asyncio
from collections.abc import Sequence

import pytest

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2, runs_pb2
from runtime.ids import new_id
from services.router.ports import NewRun
from services.router.recipients.check import checked
from services.router.recipients.store import RecipientStore
from services.router.runs.run import Decision
from services.router.runs.store import LEASE_S, RunStore
from services.router.segments.store import SegmentStore
from tests.integration.router.run_world import TENANT, inline, names, stored
from tests.integration.router.workflow_world import WorkflowWorld, contact, delay, send

DONE = runs_pb2.RUN_STATE_DONE


async def _store(flow: WorkflowWorld, *ids: str, tags: tuple[str, ...] = ()) -> None:
    people = [recipients_pb2.StoredRecipient(recipient_id=id_, email=f"{id_}@example.com", tags=tags) for id_ in ids]
    for start in range(0, len(people), 100):
        request = recipients_pb2.PutRecipientsRequest(tenant_id=TENANT, recipients=people[start : start + 100])
        await RecipientStore(flow.pool).put(TENANT, checked(request))


async def _segment(flow: WorkflowWorld, tag: str) -> str:
    raw = b'{"field": "tags", "op": "has_all", "value": ["%b"]}' % tag.encode()
    segment = await SegmentStore(flow.pool).create(TENANT, new_id(), tag, raw)
    return segment.id


async def test_filters(flow: WorkflowWorld) -> None:
    """Tags, and a segment: who is filtered has one skipped delivery, of the first step, with the reason and no run."""
    await _store(flow, "ada", tags=("vip", "beta"))
    await _store(flow, "bob", tags=("vip",))
    segment_id = await _segment(flow, "beta")
    tagged = await flow.workflow(send("a"), send("b"), filters={"tags": ["vip", "beta"]})
    segmented = await flow.workflow(send("c"), filters={"segment_id": segment_id})
    for_all = await flow.workflow(send("d"))
    event = flow.started([tagged, segmented, for_all], contact("ada"), contact("bob"))
    await flow.begin(event)
    await flow.flow_on()
    assert sorted(await flow.sent()) == [("ada", "a"), ("ada", "b"), ("ada", "c"), ("ada", "d"), ("bob", "d")]
    assert sorted(await flow.reasons()) == [("a", "filtered_tags"), ("c", "filtered_segment")]
    assert (await flow.plan(event), await flow.state(event)) == ((7, [7]), DONE)
    skipped = [one for record in await flow.records("routed") for one in record.routed.deliveries if one.reason]
    assert [(one.workflow_run_id, one.recipient.user_id) for one in skipped] == [("", "bob"), ("", "bob")]


async def test_an_event_without_a_contact(flow: WorkflowWorld) -> None:
    """Each workflow says that there is nobody."""
    workflows = [await flow.workflow(send("a")), await flow.workflow(delay("wait", 60), send("b"))]
    event = flow.started(workflows)
    await flow.begin(event)
    await flow.flow_on()
    assert await flow.deliveries() == []
    assert sorted(await flow.reasons()) == [("a", "no_contact"), ("b", "no_contact")]
    assert (await flow.plan(event), await flow.state(event)) == ((2, [2]), DONE)


async def test_who_is_not_stored_and_who_was_erased(flow: WorkflowWorld) -> None:
    """They start nothing, and it is told why."""
    flow.erased.add("gone")
    workflow = await flow.workflow(send("a"))
    wrong = contact("wrong", email="not an address")
    event = flow.started([workflow], stored("nobody"), inline("gone"), contact("nameless"), wrong)
    await flow.begin(event)
    await flow.flow_on()
    assert [reason for _, reason in await flow.reasons()] == [
        "recipient_unknown",
        "recipient_erased",
        "recipient_unknown",
        "malformed_email",
    ]
    assert await flow.plan(event) == (4, [4])


async def test_tags_of_somebody_who_is_described(flow: WorkflowWorld) -> None:
    """An event of another API describes its recipient: the tags are those that are stored, the address is its own."""
    await _store(flow, "ada", tags=("vip",))
    workflow = await flow.workflow(send("a"), filters={"tags": ["vip"]})
    event = flow.started([workflow], inline("ada", "new@example.com"), inline("bob"))
    await flow.begin(event)
    await flow.flow_on()
    assert [one.recipient.email for one in await flow.deliveries()] == ["new@example.com"]
    assert await flow.reasons() == [("a", "filtered_tags")]


async def test_a_contact_with_a_conflict(flow: WorkflowWorld) -> None:
    """The first identifier counts, and the record of the plan says whom the other one belongs to."""
    await _store(flow, "ada", "bob")
    workflow = await flow.workflow(send("a"))
    event = flow.started([workflow], contact("ada", email="bob@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    assert [one.recipient.email for one in await flow.deliveries()] == ["ada@example.com"]
    (record,) = await flow.records("contact_conflict")
    found = record.contact_conflict
    assert (found.meant, found.other, found.identifier) == ("ada", "bob", "email")


async def test_everybody_with_a_tag_or_in_a_segment(flow: WorkflowWorld) -> None:
    """Page by page, each once, for each workflow; with two workflows a page has half as many people."""
    await _store(flow, *names(25), tags=("news",))
    await _store(flow, "other")
    segment_id = await _segment(flow, "news")
    at_once, later = await flow.workflow(send("a")), await flow.workflow(delay("wait", 60), send("b"))
    tags = event_pb2.Target(tags=event_pb2.TagSet(tags=["news"]))
    event = flow.started([at_once, later], tags, event_pb2.Target(segment_id=segment_id))
    await flow.begin(event)
    await flow.flow_on()
    assert await flow.sent_to() == names(25)
    run = await flow.store.of_event(event.id)
    assert (run.state, run.recipients, run.open_runs) == (runs_pb2.RUN_STATE_RUNNING, 25, 25)
    flow.clock.pass_s(60)
    await flow.flow_on(flow.flow(), flow.flow())
    assert await flow.sent_to() == sorted(names(25) * 2)
    assert (await flow.plan(event), await flow.state(event)) == ((50, [50]), DONE)


async def test_pages_have_a_bounded_number_of_deliveries(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many steps send at once and however many are named; each person has one turn, over two routers."""
    await _store(flow, *names(12, "s"), tags=("news",))
    workflows = [await flow.workflow(send("a"), send("b")), await flow.workflow(send("c"))]
    targets = [
        *[inline(name) for name in names(4, "i")],
        *[contact(email=f"{name}@example.com") for name in names(4, "c")],
        *[contact(email=f"not an address {name}") for name in names(2)],
        *[stored(name) for name in ("s0003", "nobody", "s0004")],
    ]
    sizes: list[int] = []
    decide = RunStore.decide

    async def noting(store: RunStore, decisions: Sequence[Decision], now_us: int) -> set[str]:
        sizes.extend(len(one.output.deliveries) for one in decisions)
        return await decide(store, decisions, now_us)

    monkeypatch.setattr(RunStore, "decide", noting)
    tags = event_pb2.Target(tags=event_pb2.TagSet(tags=["news"]))
    for event, stored_people in ((flow.started(workflows, *targets), 2), (flow.started(workflows, *targets, tags), 12)):
        await flow.begin(event)
        await flow.flow_on(routers=[flow.router(page=9), flow.router(page=9)])
        sent = [(one.recipient.email, one.step) for one in await flow.deliveries() if one.event_id == event.id]
        assert len(sent) == len({one.id for one in await flow.deliveries() if one.event_id == event.id})
        assert len(sent) == 3 * (4 + 4 + stored_people)
        # A contact with a malformed address has one skipped delivery of each workflow.
        whole = len(sent) + 2 * 3
        assert (await flow.plan(event), await flow.state(event)) == ((whole, [whole]), DONE)
    assert max(sizes) <= 9


async def test_a_cooldown_under_simultaneous_events(flow: WorkflowWorld) -> None:
    """A hundred at once over two routers: one starts; and after the cooldown another one."""
    workflow = await flow.workflow(send("a"), filters={"cooldown_s": 3600})
    events = [flow.started([workflow], contact("ada", email="ada@example.com")) for _ in range(100)]
    await flow.begin(*events)
    await flow.flow_on(routers=[flow.router(), flow.router()])
    assert await flow.sent() == [("ada", "a")]
    assert await flow.reasons() == [("a", "cooldown")] * 99
    flow.clock.pass_s(3600)
    late = flow.started([workflow], contact("ada"))
    await flow.begin(late)
    await flow.flow_on(routers=[flow.router()])
    assert await flow.sent() == [("ada", "a"), ("ada", "a")]


async def test_an_event_is_not_held_by_its_own_cooldown(flow: WorkflowWorld) -> None:
    """If a router ends after it took the cooldown, and before the decision is stored, another one starts it."""
    workflow = await flow.workflow(send("a"), filters={"cooldown_s": 3600})
    event = flow.started([workflow], contact("ada", email="ada@example.com"))
    await flow.runs.begin([NewRun(event, 7)])
    ((run, _),) = await flow.store.claim(flow.clock(), 10, large=False)
    lost = await flow.runs._next(run)
    assert lost is not None
    assert len(lost.new) == 1
    flow.clock.pass_s(LEASE_S + 1)
    await flow.flow_on(routers=[flow.router()])
    assert await flow.sent() == [("ada", "a")]


async def test_people_cool_down_by_themselves(flow: WorkflowWorld) -> None:
    """One person's cooldown is not another's, nor that of another workflow."""
    workflows = [await flow.workflow(send(id_), filters={"cooldown_s": 3600}) for id_ in ("a", "b")]
    for person in ("ada", "bob"):
        event = flow.started(workflows, contact(person, email=f"{person}@example.com"))
        await flow.begin(event)
        await flow.flow_on()
    assert sorted(await flow.sent()) == [("ada", "a"), ("ada", "b"), ("bob", "a"), ("bob", "b")]
    assert await flow.cooldowns.forget(flow.clock()) == 0
    flow.clock.pass_s(3601)
    assert await flow.cooldowns.forget(flow.clock()) == 4
    await asyncio.gather(*[flow.cooldowns.forget(flow.clock()) for _ in range(2)])
