"""Decides what a workflow run does now: gathers the facts that it looks at, and asks the engine."""

import asyncio

from clarion.common.v1 import event_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.gate import Gate
from services.domain import statuses
from services.domain.reasons import Reason
from services.router import messages
from services.router.people import StoredPeople
from services.router.policies import Erased, Policies
from services.router.ports import Person
from services.router.workflow_runs import run as runs
from services.router.workflow_runs.ports import Bodies, Sends, Statuses, Versions
from services.router.workflow_runs.run import WorkflowDecision, WorkflowRun
from services.router.workflow_runs.sending import Sending, workflow_delivery_id
from services.router.workflows import engine, facts
from services.router.workflows.document import Document
from services.router.workflows.steps import Send
from services.router.workflows.versions import VersionKey

# Rules that see more bytes than this are asked by a thread, for one run at a time and for the tenants in turn: twenty
# rules that see 256 KiB take a fifth of a second. As many may wait as runs are under way.
_SMALL = 4096
_UNBOUNDED = 1_000_000


class Deciding:
    """Asks all that a decision needs. erased: Erasures.refusal_of."""

    def __init__(
        self,
        versions: Versions,
        sends: Sends,
        people: StoredPeople,
        statuses_: Statuses,
        bodies: Bodies,
        policies: Policies,
        *,
        erased: Erased,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._versions = versions
        self._sends = sends
        self._people = people
        self._statuses = statuses_
        self._bodies = bodies
        self._policies = policies
        self._erased = erased
        self._now = now
        self._long_looks = Gate(per_caller=1, total=1, waiting=_UNBOUNDED)

    async def decide(self, run: WorkflowRun) -> WorkflowDecision:
        """Return what a run does now. Raises UNAVAILABLE if something cannot be asked for at the moment."""
        event = run.of.event
        if reason := self._erased(run.tenant_id, run.recipient_id, event.accepted_at_us):
            return runs.ended(run, runs.CANCELED, "ended", reason, self._now())
        key = VersionKey(run.tenant_id, run.workflow_id, run.version)
        version = (await self._versions.get([key])).get(key)
        if version is None:
            return runs.ended(run, runs.CANCELED, "ended", Reason.WORKFLOW_DELETED, self._now())
        if version.document is None:
            raise runs.later_version(run.workflow_id)
        document = version.document
        person = await self._person(run)
        sends = await self._sends.of(run.tenant_id, document)
        now_us = self._now()
        of = messages.OfWorkflow(run.workflow_id, run.id)
        sending = Sending(event, person, of, sends, self._policies, now_us)
        whole = await self._whole(run) if document.reads_events else event
        statuses_ = await self._named_statuses(run, document)

        def look() -> engine.Decision:
            tags = tuple(sorted(person.tags))
            seen = facts.of(whole, person.recipient, tags=tags, statuses=statuses_, plan=sending.plan)
            return engine.advance(document, run.position, seen, now_us)

        if document.reads_events and facts.size_of(whole, person.recipient) > _SMALL:
            async with self._long_looks.enter(run.tenant_id):
                looked = await asyncio.to_thread(look)
        else:
            looked = look()
        return runs.decide(run, looked, sending, now_us)

    async def _person(self, run: WorkflowRun) -> Person:
        """Return the person, as they are stored now; of one whom the event describes only the tags are read."""
        key = run.tenant_id, run.recipient_id
        stored = (await self._people.find([key], whole=True)).get(key) if run.recipient_id else None
        if run.recipient is not None:
            tags = stored.tags if stored is not None else frozenset[str]()
            return Person(run.recipient, run.destination, tags=tags)
        if stored is not None:
            return stored._replace(destination=run.destination)
        return Person(event_pb2.Recipient(user_id=run.recipient_id), run.destination, is_unknown=True)

    async def _whole(self, run: WorkflowRun) -> event_pb2.Event:
        """Return the event with its body, of a deleted one without."""
        event = run.of.event
        if run.of.body is None:
            return event
        referring = event_pb2.Delivery(event_id=event.id, tenant_id=event.tenant_id, body_reference=run.of.body)
        whole = event_pb2.Event()
        whole.CopyFrom(event)
        try:
            body = await self._bodies.complete(referring)
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return whole
        whole.variables, whole.payload_extra = body.variables, body.payload_extra
        return whole

    async def _named_statuses(self, run: WorkflowRun, document: Document) -> dict[str, str]:
        """Return the statuses that rules may look at now, by step."""
        wanted = sorted(engine.needs(document, run.position))
        if not wanted:
            return {}
        ids = [
            workflow_delivery_id(run.of.event, _channel(document, step), run.destination, run.workflow_id, step)
            for step in wanted
        ]
        found = await self._statuses.of(ids)
        return {
            step: statuses.BY_NUMBER[status].name
            for step, status in zip(wanted, found, strict=True)
            if status in statuses.BY_NUMBER
        }


def _channel(document: Document, step_id: str) -> "event_pb2.Channel.ValueType":
    step = document.by_id[step_id]
    return step.channel if isinstance(step, Send) else event_pb2.CHANNEL_WEBHOOK
