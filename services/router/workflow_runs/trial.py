"""Dry runs of workflows: what one would send to somebody, decided with all that a real run is decided with."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from clarion.common.v1 import event_pb2
from clarion.router.v1 import workflows_pb2
from runtime import clock
from runtime.ids import new_id
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import audience, delivery_ids, statuses
from services.domain.checks import check_id
from services.domain.reasons import Reason
from services.router.messages import OfWorkflow
from services.router.policies import Erased, Policies
from services.router.ports import Identified, Person, RecipientKey, Segments
from services.router.recipients.check import Fault, invalid, tenant, text
from services.router.workflow_runs.ports import Sends
from services.router.workflow_runs.sending import Sending
from services.router.workflow_runs.starting import filtered
from services.router.workflows import facts
from services.router.workflows.check import MAX_EVENT_TYPE
from services.router.workflows.document import Document, parse
from services.router.workflows.dry_run import PlannedStep, dry_run
from services.router.workflows.steps import Send, Webhook

# 2100-01-01
_MAX_AT_US = 4_102_444_800_000_000
_PEOPLE = ("recipient", "recipient_id", "contact")
_MAX_OUTCOMES = 50


class Stored(Protocol):
    """Implemented by services.router.workflows.store.WorkflowStore."""

    async def current(self, tenant_id: str, workflow_id: str) -> tuple[str, bytes]:
        """Return a workflow's event type and its current document. Raises NOT_FOUND, UNAVAILABLE."""


class Recipients(Protocol):
    """Implemented by services.router.recipients.people.PostgresRecipients."""

    async def find(self, wanted: Collection[RecipientKey], *, whole: bool = False) -> Mapping[RecipientKey, Person]:
        """Return those that are stored. Raises UNAVAILABLE."""


class Contacts(Protocol):
    """Implemented by services.router.recipients.identity.Identities."""

    async def look_up(self, tenant_id: str, contact: event_pb2.Contact) -> Identified:
        """Return who a contact is, or would be; stores nothing. Raises UNAVAILABLE."""


class HeldCooldowns(Protocol):
    """Implemented by services.router.workflow_runs.cooldowns.PostgresCooldowns."""

    async def is_held(self, tenant_id: str, workflow_id: str, recipient_id: str, at_us: int) -> bool:
        """Return whether a workflow may not be started for a person then. Raises UNAVAILABLE."""


class DryRuns:
    """Makes dry runs. They store and send nothing."""

    def __init__(
        self,
        stored: Stored,
        recipients: Recipients,
        contacts: Contacts,
        segments: Segments,
        cooldowns: HeldCooldowns,
        sends: Sends,
        policies: Policies,
        *,
        erased: Erased,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._stored = stored
        self._recipients = recipients
        self._contacts = contacts
        self._segments = segments
        self._cooldowns = cooldowns
        self._sends = sends
        self._policies = policies
        self._erased = erased
        self._now = now

    async def run(self, request: workflows_pb2.DryRunRequest) -> workflows_pb2.DryRunResponse:
        """Return what would happen. Raises INVALID, NOT_FOUND (the workflow), UNAVAILABLE."""
        at_us = request.at_us or self._now()
        event = _checked(request, at_us)
        if request.workflow_id:
            event_type, raw = await self._stored.current(request.tenant_id, request.workflow_id)
            event.event_type = event.event_type or event_type
        else:
            raw = request.document
        document = parse(raw)
        person = await self._person(event, request.target)
        if person is None:
            return workflows_pb2.DryRunResponse(reason=Reason.NO_CONTACT)
        if reason := await self._filtered(event, document, person, request.workflow_id):
            return workflows_pb2.DryRunResponse(reason=reason)
        of = OfWorkflow(request.workflow_id, "")
        sending = Sending(event, person, of, await self._sends.of(event.tenant_id, document), self._policies, at_us)

        def plan(step: Send | Webhook) -> PlannedStep:
            sending.plan(step)
            planned = sending.planned[-1]
            return PlannedStep(planned.reason, planned.template_version_id)

        seen = facts.of(event, person.recipient, tags=tuple(sorted(person.tags)))
        outcomes = {step: statuses.name(status) for step, status in request.outcomes.items()}
        # By a thread, because rules that see much take long.
        found = await asyncio.to_thread(dry_run, document, seen, plan, outcomes, at_us)
        return workflows_pb2.DryRunResponse(
            steps=[
                workflows_pb2.DryStep(**{**one._asdict(), "channel": one.channel or event_pb2.CHANNEL_UNSPECIFIED})
                for one in found
            ]
        )

    async def _person(self, event: event_pb2.Event, target: event_pb2.Target) -> Person | None:
        """Return whom the workflow would be started for; None: nobody."""
        match target.WhichOneof("target"):
            case "recipient_id":
                known = await self._known(event.tenant_id, target.recipient_id)
                recipient = event_pb2.Recipient(user_id=target.recipient_id)
                return known or Person(recipient, audience.of_user(target.recipient_id), is_unknown=True)
            case "recipient":
                one = target.recipient
                known = await self._known(event.tenant_id, one.user_id) if one.user_id else None
                return Person(one, audience.destination(one), tags=known.tags if known else frozenset())
            case "contact":
                return (await self._contacts.look_up(event.tenant_id, target.contact)).person
        return None

    async def _known(self, tenant_id: str, recipient_id: str) -> Person | None:
        key = tenant_id, recipient_id
        return (await self._recipients.find([key], whole=True)).get(key)

    async def _filtered(self, event: event_pb2.Event, document: Document, person: Person, workflow_id: str) -> str:
        """Return why the workflow would not be started for the person; empty: it would."""
        tenant_id, user_id = event.tenant_id, person.recipient.user_id
        if reason := self._erased(tenant_id, user_id, event.accepted_at_us):
            return reason
        matching: Collection[str] | None = None
        if document.segment_id:
            ids = [user_id] if user_id else []
            matching = await self._segments.matching(tenant_id, document.segment_id, ids) if ids else ()
        if reason := filtered(document, person, matching):
            return reason
        is_cooled = document.cooldown_s and workflow_id and user_id
        if is_cooled and await self._cooldowns.is_held(tenant_id, workflow_id, user_id, event.accepted_at_us):
            return Reason.COOLDOWN
        return ""


def _checked(request: workflows_pb2.DryRunRequest, at_us: int) -> event_pb2.Event:
    """Return the event that is tried. Raises INVALID naming each wrong field."""
    faults: list[Fault] = [*tenant(request.tenant_id)]
    if bool(request.workflow_id) == bool(request.document):
        faults.append(("workflow_id", "or document must be given, and not both"))
    faults += text("event_type", request.event_type, limit=MAX_EVENT_TYPE)
    kind = request.target.WhichOneof("target")
    if kind is not None and kind not in _PEOPLE:
        faults.append(("target", f"must be one of {', '.join(_PEOPLE)}: one person"))
    if not 0 <= request.at_us <= _MAX_AT_US:
        faults.append(("at_us", "must be from 0 to the year 2100"))
    if len(request.outcomes) > _MAX_OUTCOMES:
        faults.append(("outcomes", f"must be at most {_MAX_OUTCOMES}"))
    for step, status in list(request.outcomes.items())[:_MAX_OUTCOMES]:
        if not statuses.name(status):
            faults.append((f"outcomes.{step[:64]}", "must be a status"))
    given = {"recipient": request.target.recipient, "contact": request.target.contact.recipient}.get(kind or "")
    if given is not None:
        _object("target.data", given.data, faults)
    variables = _object("variables", request.variables, faults)
    payload_extra = _object("payload_extra", request.payload_extra, faults)
    if faults:
        raise invalid(faults)
    check_id("workflow_id", request.workflow_id, required=False)
    check_id("scope", request.scope, required=False)
    return event_pb2.Event(
        id=new_id(),
        tenant_id=request.tenant_id,
        event_type=request.event_type,
        scope=request.scope,
        id_scheme=delivery_ids.CURRENT_SCHEME,
        accepted_at_us=at_us,
        variables=variables,
        payload_extra=payload_extra,
    )


def _object(field: str, raw: bytes, faults: list[Fault]) -> bytes:
    """Return a JSON object; appends to faults what is wrong with it."""
    if not raw:
        return b"{}"
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so is that for what is not UTF-8
        value = None
    if not isinstance(value, dict):
        faults.append((field, "must be a JSON object"))
    elif is_too_deep(raw, value):
        faults.append((field, f"must be nested at most {MAX_DEPTH} levels deep"))
    return raw
