"""Random workflows, events, crashes and clocks on PostgreSQL and NATS: runs do what a simple model of them does."""

import random
from collections import defaultdict
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import recipients_pb2, runs_pb2
from runtime import nats
from services.domain import audience
from services.router.recipients.check import checked
from services.router.recipients.store import RecipientStore
from services.router.runs.store import LEASE_S, RunStore
from services.router.workflow_runs.run import workflow_run_id
from services.router.workflow_runs.store import WorkflowRunStore
from services.router.workflows.document import parse
from tests.integration.router.run_world import TENANT, fail, stored
from tests.integration.router.workflow_world import WorkflowWorld
from tests.unit.router.workflows.model import DAY, SECOND, Json, Model, ModelFacts, any_steps

# Workflows of an example, and the people for whom each is started.
_WORKFLOWS, _PEOPLE = 25, 4
_EXAMPLES = 4
_BREAKS = [
    (RunStore, "decide"),
    (RunStore, "published"),
    (WorkflowRunStore, "decide"),
    (WorkflowRunStore, "published"),
    (nats.StreamPublisher, "publish_all"),
]
_STATUSES = {
    "sent": trace_pb2.DELIVERY_STATUS_SENT,
    "failed": trace_pb2.DELIVERY_STATUS_FAILED,
    "delivered": trace_pb2.DELIVERY_STATUS_DELIVERED,
}


@dataclass
class _Case:
    """One run. steps: of its workflow; immediate ones have no row, and say nothing of themselves."""

    id: str
    event: event_pb2.Event
    model: Model
    facts: ModelFacts
    is_immediate: bool
    known: set[str] = field(default_factory=set)

    def look(self, now_us: int) -> None:
        """Let the model go on if its time has come."""
        while self.model.wake_at_us is not None and self.model.wake_at_us <= now_us:
            self.facts.now_us = now_us
            self.model.look(self.facts)


class _Trial:
    """Some runs, all on one clock."""

    def __init__(self, flow: WorkflowWorld, chance: random.Random) -> None:
        self._flow = flow
        self._chance = chance
        self.cases: list[_Case] = []

    async def start(self) -> None:
        """Store workflows and people, and have events begin."""
        people = [await self._person(number) for number in range(_PEOPLE)]
        for _ in range(_WORKFLOWS):
            steps = any_steps(self._chance)
            if _number(steps) > 50:
                continue
            workflow = await self._flow.workflow(*steps)
            is_immediate = parse(msgspec.json.encode({"steps": steps})).is_immediate
            total, starts_at = self._chance.choice([10, 50, 80]), self._starts_at()
            extra = {"event_data": {"total": total, "starts_at": starts_at}}
            event = self._flow.started(
                [workflow], *[stored(one.user_id) for one, _ in people], payload_extra=msgspec.json.encode(extra)
            )
            for person, (plan, tags) in people:
                run_id = workflow_run_id(event, workflow, audience.destination(person))
                skipped = frozenset(
                    one["id"] for one in _all(steps) if one.get("channel") == "SMS" and not person.phone
                )
                facts = ModelFacts(self._flow.clock(), plan, tags, total, starts_at, skipped=skipped)
                self.cases.append(_Case(run_id, event, Model(steps), facts, is_immediate))
            await self._flow.begin(event)

    async def run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let time pass until all have ended, while routers end at any place."""
        while left := [one.model.wake_at_us for one in self.cases if one.model.wake_at_us is not None]:
            late = self._chance.choice([0, 0, 1, 999, SECOND, 3600 * SECOND])
            self._flow.clock.us = max(self._flow.clock.us, min(left)) + late
            while self._chance.random() < 0.3:
                await self._break(monkeypatch)
            await self._flow.flow_on(self._flow.flow(), routers=[self._flow.router()])
            self._look()
            await self._deliver()

    async def _break(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """End all routers at some place of what they do now."""
        owner, name = self._chance.choice(_BREAKS)
        with monkeypatch.context() as broken:
            broken.setattr(owner, name, fail)
            await self._flow.flow_on()
        if name != "decide":
            self._look()  # it is stored, so it has happened
        self._flow.clock.pass_s(LEASE_S + 1)

    def _look(self) -> None:
        for case in self.cases:
            case.look(self._flow.clock())

    async def _deliver(self) -> None:
        """Let some deliveries come to their end."""
        by_id = {case.id: case for case in self.cases}
        for delivery in await self._flow.deliveries():
            case = by_id.get(delivery.workflow_run_id)  # None: of an earlier example
            if case is not None and delivery.step not in case.known and self._chance.random() < 0.5:
                case.known.add(delivery.step)
                case.facts.statuses[delivery.step] = status = self._chance.choice(list(_STATUSES))
                self._flow.statuses.known[delivery.id] = _STATUSES[status]

    async def _person(self, number: int) -> tuple[event_pb2.Recipient, tuple[str, list[str]]]:
        plan, tags = self._chance.choice(["pro", "free"]), self._chance.choice([[], ["vip"], ["new", "vip"]])
        phone = self._chance.choice(["", "+254712345678"])
        id_ = f"{self._chance.getrandbits(40)}-{number}"
        one = recipients_pb2.StoredRecipient(
            recipient_id=id_, email="a@example.com", phone=phone, tags=tags, data=msgspec.json.encode({"plan": plan})
        )
        request = recipients_pb2.PutRecipientsRequest(tenant_id=TENANT, recipients=[one])
        await RecipientStore(self._flow.pool).put(TENANT, checked(request))
        return event_pb2.Recipient(user_id=id_, phone=phone), (plan, tags)

    def _starts_at(self) -> object:
        now_s = self._flow.clock() // SECOND
        return self._chance.choice([None, "soon", now_s + self._chance.randrange(3600, 90_000), 5_000_000_000])


@settings(
    max_examples=_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
    phases=[Phase.generate],  # a smaller seed is no simpler case
)
@given(seed=st.integers(0, 2**32))
async def test_runs_do_what_the_model_does(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """A hundred runs in each example: each step once, in the model's order, and each event's plan is closed."""
    trial = _Trial(flow, random.Random(seed))
    flow.clock.us += trial._chance.randrange(7 * DAY)
    await trial.start()
    await trial.run(monkeypatch)
    planned: dict[str, list[str]] = defaultdict(list)
    for record in await flow.records("routed"):
        for one in record.routed.deliveries:
            planned[one.workflow_run_id].append(one.step)
    did: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for record in await flow.records("workflow_steps"):
        for step in record.workflow_steps.steps:
            did[step.workflow_run_id].append((step.step, step.outcome))
    for case in trial.cases:
        assert planned[case.id] == case.model.sent
        assert case.is_immediate or did[case.id] == case.model.did
    for event in {case.event.id: case.event for case in trial.cases}.values():
        number = sum(len(case.model.sent) for case in trial.cases if case.event.id == event.id)
        assert (await flow.plan(event), await flow.state(event)) == ((number, [number]), runs_pb2.RUN_STATE_DONE)


def _all(steps: list[Json]) -> list[Json]:
    inner = [branch for one in steps for branch in (*one.get("branches", ()), one.get("then", []), one.get("else", []))]
    return [*steps, *(one for some in inner for one in _all(some))]


def _number(steps: list[Json]) -> int:
    return len(_all(steps))
