"""Starts the stored workflows of events: for whom, and why not for others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock
from services.domain import audience
from services.domain.reasons import Reason
from services.router.messages import OfWorkflow, Plan
from services.router.pace import Pace
from services.router.policies import Erased, Policies, reason_of_unknown
from services.router.ports import Person, Segments
from services.router.runs.ports import NewWorkflowRun, Started
from services.router.workflow_runs.ports import Cooldown, Cooldowns, Sends, Sent, Versions
from services.router.workflow_runs.run import later_version, new_run, workflow_run_id
from services.router.workflow_runs.sending import Sending
from services.router.workflows.document import Document
from services.router.workflows.engine import advance
from services.router.workflows.facts import Facts
from services.router.workflows.state import State
from services.router.workflows.steps import Webhook
from services.router.workflows.versions import VersionKey

# Stands for nobody, in whose name it is told that an event without people starts no workflow.
_NOBODY = Person(event_pb2.Recipient(), "")


@dataclass(frozen=True, slots=True)
class _Workflow:
    """A workflow that an event starts. matching: whom its segment matches; None: it has none."""

    id: str
    version: int
    document: Document
    sends: Sent
    matching: Collection[str] | None


class WorkflowStarter:
    """Implements services.router.runs.ports.Workflows."""

    def __init__(
        self,
        versions: Versions,
        sends: Sends,
        segments: Segments,
        cooldowns: Cooldowns,
        policies: Policies,
        *,
        erased: Erased,
        pace: Pace | None = None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._versions = versions
        self._sends = sends
        self._segments = segments
        self._cooldowns = cooldowns
        self._policies = policies
        self._erased = erased
        self._pace = pace or Pace()
        self._now = now

    async def weight(self, event: event_pb2.Event) -> int:
        """See runs.ports.Workflows."""
        found = await self._versions.get(_keys(event))
        return sum(one.document.sends_at_once for one in found.values() if one.document is not None)

    async def start(self, event: event_pb2.Event, people: Sequence[Person]) -> Started:
        """See runs.ports.Workflows."""
        now_us = self._now()
        workflows = await self._workflows(event, people)
        reasons = {
            (workflow.id, person.destination): self._filtered(event, workflow, person)
            for workflow in workflows
            for person in people
        }
        if not people and not event.HasField("recipient") and not event.audience:
            people = (_NOBODY,)
            reasons = {(workflow.id, _NOBODY.destination): Reason.NO_CONTACT for workflow in workflows}
        await self._cool(event, workflows, people, reasons, now_us)
        described = audience.described(event)
        deliveries: list[event_pb2.Delivery] = []
        planned: list[trace_pb2.PlannedDelivery] = []
        new: list[NewWorkflowRun] = []

        def start(workflow: _Workflow, people: Sequence[Person]) -> None:
            for person in people:
                reason = reasons[workflow.id, person.destination]
                of = OfWorkflow(workflow.id, "" if reason else workflow_run_id(event, workflow.id, person.destination))
                sending = Sending(event, person, of, workflow.sends, self._policies, now_us)
                if reason:
                    _skip(workflow.document, sending, reason)
                elif workflow.document.is_immediate:
                    advance(workflow.document, State(), Facts(plan=sending.plan), now_us)
                else:
                    is_described = person.destination in described
                    new.append(new_run(event, workflow.id, workflow.version, person, is_described=is_described))
                deliveries.extend(sending.deliveries)
                planned.extend(sending.planned)

        for workflow in workflows:
            await self._pace.plan(people, partial(start, workflow))
        return Started(Plan(deliveries, planned), new)

    async def _workflows(self, event: event_pb2.Event, people: Sequence[Person]) -> Sequence[_Workflow]:
        """Return the workflows that an event starts, without those that were deleted meanwhile."""
        keys = _keys(event)
        found = await self._versions.get(keys)
        workflows = []
        for key in keys:
            if key not in found:
                continue
            document = found[key].document
            if document is None:
                raise later_version(key.workflow_id)
            sends = await self._sends.of(event.tenant_id, document)
            matching = await self._matching(event.tenant_id, document, people)
            # Another version, if that is not kept any more: the one that its runs are on is kept then.
            version = found[key].key.version
            workflows.append(_Workflow(key.workflow_id, version, document, sends, matching))
        return workflows

    async def _matching(self, tenant_id: str, document: Document, people: Sequence[Person]) -> Collection[str] | None:
        if not document.segment_id:
            return None
        ids = [person.recipient.user_id for person in people if person.recipient.user_id]
        return await self._segments.matching(tenant_id, document.segment_id, ids) if ids else ()

    def _filtered(self, event: event_pb2.Event, workflow: _Workflow, person: Person) -> str:
        """Return why a workflow is not started for somebody; empty: it is, but for its cooldown."""
        erased = self._erased(event.tenant_id, person.recipient.user_id, event.accepted_at_us)
        return erased or filtered(workflow.document, person, workflow.matching)

    async def _cool(
        self,
        event: event_pb2.Event,
        workflows: Sequence[_Workflow],
        people: Sequence[Person],
        reasons: dict[tuple[str, str], str],
        now_us: int,
    ) -> None:
        """Take the cooldowns of all that would start; add the reason of those that may not to the reasons.

        A person without an id cannot be recognised, so for them there is none.
        """
        wanted = {
            (workflow.id, person.destination): Cooldown(
                event.tenant_id,
                workflow.id,
                person.recipient.user_id,
                workflow_run_id(event, workflow.id, person.destination),
                now_us + workflow.document.cooldown_s * 1_000_000,
            )
            for workflow in workflows
            if workflow.document.cooldown_s
            for person in people
            if person.recipient.user_id and not reasons[workflow.id, person.destination]
        }
        if not wanted:
            return
        taken = await self._cooldowns.take(list(wanted.values()), now_us)
        for key, cooldown in wanted.items():
            if cooldown.workflow_run_id not in taken:
                reasons[key] = Reason.COOLDOWN


def _keys(event: event_pb2.Event) -> list[VersionKey]:
    return [VersionKey(event.tenant_id, one.workflow_id, one.version) for one in event.workflows.workflows]


def filtered(document: Document, person: Person, matching: Collection[str] | None) -> str:
    """Return why a workflow's filters do not let it start for somebody; empty: they do. matching: see _Workflow."""
    if person.is_unknown:
        return reason_of_unknown(person.recipient)
    if not person.tags.issuperset(document.tags):
        return Reason.FILTERED_TAGS
    if matching is not None and person.recipient.user_id not in matching:
        return Reason.FILTERED_SEGMENT
    return ""


def _skip(document: Document, sending: Sending, reason: str) -> None:
    """Note that a workflow is not started, at its first step that sends."""
    step = document.first_send or next((one for one in document.by_id.values() if isinstance(one, Webhook)), None)
    if step is not None:
        sending.skip(step, reason)
