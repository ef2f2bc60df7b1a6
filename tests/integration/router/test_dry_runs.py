"""Dry runs: what a workflow would send to somebody, decided with real people, segments and cooldowns."""

from typing import Any

import msgspec
import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import workflows_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain.reasons import Reason
from services.router.recipients.identity import Identities
from services.router.segments.store import SegmentStore
from services.router.workflow_runs.cooldowns import PostgresCooldowns
from services.router.workflow_runs.ports import Cooldown
from services.router.workflow_runs.sends import CatalogSends
from services.router.workflow_runs.trial import DryRuns
from tests.integration.router.run_world import TENANT
from tests.integration.router.workflow_world import WorkflowWorld, contact, delay, send

ADA = event_pb2.Contact(
    recipient=event_pb2.Recipient(user_id="ada", email="ada@example.com", name="Ada", data=b'{"plan":"pro"}')
)


class _DryRuns:
    """Makes dry runs of the tenant's workflows."""

    def __init__(self, flow: WorkflowWorld) -> None:
        self._flow = flow
        self.cooldowns = PostgresCooldowns(flow.pool)
        self._made = DryRuns(
            flow.workflow_store,
            flow.recipients,
            Identities(flow.pool),
            flow.segments,
            self.cooldowns,
            CatalogSends(flow.catalog),
            flow.policies,
            erased=flow._erased,
            now=flow.clock,
        )

    async def of(self, *steps: dict[str, Any], filters: Any = None, **fields: Any) -> Any:
        """Return the answer for a document that is not stored."""
        document = msgspec.json.encode({"steps": steps, **({"filters": filters} if filters else {})})
        return await self.stored(document=document, **fields)

    async def stored(self, **fields: Any) -> Any:
        """Return the answer; for Ada if nobody else is named."""
        given = {"tenant_id": TENANT, "target": event_pb2.Target(contact=ADA), **fields}
        return await self._made.run(workflows_pb2.DryRunRequest(**given))


@pytest.fixture
def dry(flow: WorkflowWorld) -> _DryRuns:
    """Dry runs of a router."""
    return _DryRuns(flow)


def _brief(answer: Any) -> list[tuple[str, str, str]]:
    return [(step.step, step.outcome, step.reason) for step in answer.steps]


async def test_it_says_what_would_be_sent_and_when(flow: WorkflowWorld, dry: _DryRuns) -> None:
    """To somebody who is not stored, by a workflow that is; nothing is sent, and nothing stored."""
    pro = {"==": [{"var": "contact.data.plan"}, "pro"]}
    checked = {"id": "if", "kind": "condition", "rule": pro, "then": [send("text", "SMS")], "else": [send("other")]}
    workflow = await flow.workflow(send("hello"), delay("wait", 60), checked)
    answer = await dry.stored(workflow_id=workflow, at_us=1_777_622_400_000_000)
    assert answer.reason == ""
    assert _brief(answer) == [
        ("hello", "sent", ""),
        ("wait", "waiting", ""),
        ("wait", "went_on", ""),
        ("if", "condition_met", ""),
        ("text", "skipped", Reason.MISSING_PHONE),
    ]
    hello, wait, *_, text = answer.steps
    assert (hello.kind, hello.channel, hello.template_version_id) == ("send", event_pb2.CHANNEL_EMAIL, "welcome@email")
    assert (wait.detail, wait.channel) == ("Waits until 2026-05-01T08:01:00Z.", 0)
    assert text.at_us == 1_777_622_460_000_000
    assert text.detail == Reason.MISSING_PHONE.text
    assert await flow.deliveries() == []
    assert await flow.pool.fetchval("SELECT count(*) FROM router.recipients") == 0
    assert await flow.pool.fetchval("SELECT count(*) FROM router.workflow_runs") == 0


async def test_rules_and_times_see_the_event_that_is_given(dry: _DryRuns) -> None:
    """Its name, data, source and variables."""
    wait = {"id": "wait", "kind": "delay", "from": {"path": "event.data.at"}}
    of_shop = {"==": [{"var": "event.source.type"}, "shop"]}
    extra = msgspec.json.encode({"event_data": {"at": "2026-05-02T00:00:00Z"}, "source": {"type": "shop"}})
    answer = await dry.of(wait, send("hello", only_if=of_shop), payload_extra=extra, at_us=1_777_622_400_000_000)
    assert _brief(answer) == [("wait", "waiting", ""), ("wait", "went_on", ""), ("hello", "sent", "")]
    assert answer.steps[0].detail == "Waits until 2026-05-02T00:00:00Z."
    answer = await dry.of(wait, send("hello"))
    assert _brief(answer) == [("wait", "failed", Reason.DELAY_UNREADABLE)]


async def test_outcomes_are_those_that_are_asked_for(dry: _DryRuns) -> None:
    """By the ids of steps."""
    bounced = {"==": [{"var": "steps.hello.status"}, "bounced"]}
    steps = [send("hello"), delay("wait", 60), send("again", only_if=bounced)]
    assert _brief(await dry.of(*steps))[-1] == ("again", "passed_over", "")
    outcomes = {"hello": trace_pb2.DELIVERY_STATUS_BOUNCED}
    assert _brief(await dry.of(*steps, outcomes=outcomes))[-1] == ("again", "sent", "")


async def test_why_a_workflow_would_not_be_started(flow: WorkflowWorld, dry: _DryRuns) -> None:
    """Its filters, in the order of a real run."""
    await Identities(flow.pool).resolve([(TENANT, ADA)])
    rule = b'{"field":"data.plan","op":"is","value":"free"}'
    segment = await SegmentStore(flow.pool).create(TENANT, "free", "Free", rule)
    by_id = event_pb2.Target(recipient_id="ada")

    async def reason(**fields: Any) -> str:
        return str((await dry.of(send("hello"), **{"target": by_id, **fields})).reason)

    assert await reason() == ""
    assert await reason(filters={"tags": ["vip"]}) == Reason.FILTERED_TAGS
    assert await reason(filters={"segment_id": segment.id}) == Reason.FILTERED_SEGMENT
    assert await reason(target=event_pb2.Target(recipient_id="nobody")) == Reason.RECIPIENT_UNKNOWN
    assert await reason(target=event_pb2.Target()) == Reason.NO_CONTACT
    await flow.pool.execute("UPDATE router.recipients SET tags = '{vip}'")
    assert await reason(filters={"tags": ["vip"]}) == ""
    described = event_pb2.Target(recipient=event_pb2.Recipient(user_id="ada", email="a@example.com"))
    assert await reason(filters={"tags": ["vip"]}, target=described) == ""
    flow.erased.add("ada")
    assert await reason() == Reason.RECIPIENT_ERASED


async def test_a_cooldown_counts_and_is_not_taken(flow: WorkflowWorld, dry: _DryRuns) -> None:
    """Only that of a real run does."""
    workflow = await flow.workflow(send("hello"), filters={"cooldown_s": 60})
    for _ in range(2):
        assert (await dry.stored(workflow_id=workflow)).reason == ""
    until = flow.clock() + 60_000_000
    await dry.cooldowns.take([Cooldown(TENANT, workflow, "ada", new_id(), until)], flow.clock())
    assert (await dry.stored(workflow_id=workflow)).reason == Reason.COOLDOWN
    assert (await dry.stored(workflow_id=workflow, at_us=until)).reason == ""
    other = contact("grace", email="grace@example.com")
    assert (await dry.stored(workflow_id=workflow, target=other)).reason == ""


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"workflow_id": new_id()}, ["workflow_id"]),
        ({"document": b""}, ["workflow_id"]),
        ({"document": b"{}"}, ["document.steps"]),
        ({"variables": b"[]"}, ["variables"]),
        ({"payload_extra": b"{"}, ["payload_extra"]),
        ({"target": event_pb2.Target(group="all")}, ["target"]),
        (
            {"target": event_pb2.Target(recipient=event_pb2.Recipient(data=b"3"))},
            ["target.data"],
        ),
        ({"outcomes": {"hello": 99}}, ["outcomes.hello"]),
        ({"at_us": -1}, ["at_us"]),
        ({"event_type": "x" * 256}, ["event_type"]),
        ({"scope": "live"}, ["scope"]),
        ({"tenant_id": "x"}, ["tenant_id"]),
    ],
)
async def test_what_cannot_be_tried(dry: _DryRuns, fields: Any, wrong: list[str]) -> None:
    """The wrong field is named."""
    with pytest.raises(ClarionError) as fault:
        await dry.of(send("hello"), **fields) if "document" not in fields else await dry.stored(**fields)
    assert (fault.value.code, [field for field, _ in fault.value.fields]) == (Code.INVALID, wrong)


async def test_a_workflow_of_another_tenant_is_not_tried(flow: WorkflowWorld, dry: _DryRuns) -> None:
    """It does not exist."""
    workflow = await flow.workflow(send("hello"))
    with pytest.raises(ClarionError) as fault:
        await dry.stored(workflow_id=workflow, tenant_id=new_id())
    assert fault.value.code is Code.NOT_FOUND
