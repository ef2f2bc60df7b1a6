"""A tenant's workflows: what events of a type start, step by step, for each person."""

from typing import Annotated, Any

import msgspec
import orjson
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType, field

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import audit_pb2
from clarion.router.v1 import workflows_pb2
from gateway.access.asker import ASKER
from gateway.admin import audit_sentences, forms
from gateway.admin.audit_names import AuditNames
from gateway.admin.event_bodies import MAX_TARGETS, TargetRecipient, recipient_of
from gateway.admin.runs import Moment
from gateway.clients import Clients
from gateway.replies import json_reply
from gateway.revisions import Revisions
from runtime.errors import ClarionError, Code
from services.domain import statuses

# Times of the earliest and latest version that can exist.
MAX_VERSION = 2**31 - 1

Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Welcome"])]
Description = Annotated[str, Meta(max_length=1000)]
EventType = Annotated[str, Meta(min_length=1, max_length=255, examples=["user_signup"])]
Scope = Annotated[str, Meta(max_length=255)]
Version = Annotated[int, Meta(ge=0, le=MAX_VERSION)]
Document = Annotated[
    dict[str, Any],
    Meta(description="`filters`, `category` and `steps`; see docs/workflows.md."),
]

_encode = msgspec.json.Encoder().encode


class NewWorkflowBody(forms.Body):
    """The body of POST /tenants/{id}/workflows. scope: empty: events of every scope start it."""

    name: Name
    event_type: EventType
    document: Document
    description: Description = ""
    scope: Scope = ""
    active: bool = False


class WorkflowChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/workflows/{workflow_id}. Absent fields stay as they are.

    document: a new version, if it differs. expected_version: the version that it was made from; 0: whichever.
    """

    name: Name | UnsetType = UNSET
    event_type: EventType | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    document: Document | UnsetType = UNSET
    expected_version: Version = 0


class WorkflowCheckBody(forms.Body):
    """The body of POST /tenants/{id}/workflow-check."""

    document: Document


class WorkflowDryRunBody(forms.Body):
    """The body of POST /tenants/{id}/workflow-dry-run.

    Exactly one of workflow_id and document, and exactly one of recipient and recipient_id.
    """

    workflow_id: forms.OptionalId = ""
    document: Document | None = None
    recipient: TargetRecipient | None = None
    recipient_id: Annotated[str, Meta(max_length=255)] = ""
    event_type: Annotated[str, Meta(max_length=255)] = ""
    variables: dict[str, Any] = field(default_factory=dict)
    # As an event has it: with event_data and source, if the tenant's programs send these.
    payload: dict[str, Any] = field(default_factory=dict)
    # When it begins; absent: now.
    at: Moment | None = None
    # What to take for the statuses of steps, by their ids; the others count as sent.
    outcomes: Annotated[dict[str, str], Meta(max_length=MAX_TARGETS)] = field(default_factory=dict)
    scope: Scope = ""


# The fields of the change that UpdateWorkflowRequest has under the same name and type.
_PLAIN_FIELDS = ("name", "event_type", "description", "active")
# Names of messages, and what they are called here.
_FIELDS = {"payload_extra": "payload", "at_us": "at"}


class WorkflowRoutes:
    """Handlers that ask the router's WorkflowService, always for the tenant in the path."""

    def __init__(self, clients: Clients, revisions: Revisions) -> None:
        self._clients = clients
        self._revisions = revisions
        self._names = AuditNames(clients)

    async def create(self, request: web.Request) -> web.Response:
        """Store a workflow with its first version."""
        body = await forms.read(request, NewWorkflowBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        workflow = workflows_pb2.Workflow(
            tenant_id=tenant_id,
            scope=body.scope,
            name=body.name,
            description=body.description,
            event_type=body.event_type,
            active=body.active,
            document=_encode(body.document),
        )
        wire = workflows_pb2.CreateWorkflowRequest(workflow=workflow, by=request[ASKER].actor)
        try:
            answer = await self._clients.call(self._clients.workflows.CreateWorkflow, wire)
        except ClarionError as error:
            raise _named(error) from None
        self._revisions.remember(tenant_id, answer.revision)
        return json_reply(shown(answer.workflow), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List workflows without their documents, newest first."""
        search = request.query.get("search", "")
        if len(search) > 100:
            raise forms.invalid("search", "must have at most 100 characters")
        wire = workflows_pb2.ListWorkflowsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            scope=forms.text(request, "scope"),
            event_type=forms.text(request, "event_type"),
            search=search,
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        if "active" in request.query:
            wire.active = forms.flag(request, "active")
        answer = await self._clients.call(self._clients.workflows.ListWorkflows, wire)
        rows = [shown(one, with_document=False) for one in answer.workflows]
        return json_reply(forms.page(request, rows, answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one workflow with its current document."""
        wire = workflows_pb2.GetWorkflowRequest(**await self._of(request))
        answer = await self._clients.call(self._clients.workflows.GetWorkflow, wire)
        return json_reply(shown(answer.workflow))

    async def change(self, request: web.Request) -> web.Response:
        """Update the fields that the body contains; another document is a new version."""
        body = await forms.read(request, WorkflowChangeBody)
        wire = workflows_pb2.UpdateWorkflowRequest(
            **await self._of(request), expected_version=body.expected_version, by=request[ASKER].actor
        )
        for name in _PLAIN_FIELDS:
            if (value := getattr(body, name)) is not UNSET:
                setattr(wire, name, value)
        if body.document is not UNSET:
            wire.document = _encode(body.document)
        try:
            answer = await self._clients.call(self._clients.workflows.UpdateWorkflow, wire)
        except ClarionError as error:
            raise _named(error) from None
        self._revisions.remember(wire.tenant_id, answer.revision)
        return json_reply(shown(answer.workflow))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a workflow. Its runs end when they are looked at next."""
        wire = workflows_pb2.DeleteWorkflowRequest(**await self._of(request))
        answer = await self._clients.call(self._clients.workflows.DeleteWorkflow, wire)
        self._revisions.remember(wire.tenant_id, answer.revision)
        return web.Response(status=204)

    async def versions(self, request: web.Request) -> web.Response:
        """List the versions that are kept, newest first, with who made them."""
        wire = workflows_pb2.ListWorkflowVersionsRequest(**await self._of(request))
        answer = await self._clients.call(self._clients.workflows.ListWorkflowVersions, wire)
        rows = await self._shown_versions(wire.tenant_id, answer.versions)
        return json_reply({"data": rows, "next_cursor": None})

    async def version(self, request: web.Request) -> web.Response:
        """Return one version with its document."""
        number = request.match_info["version"]
        if not (number.isascii() and number.isdigit()) or not 0 < int(number[:11]) <= MAX_VERSION:
            raise ClarionError(Code.NOT_FOUND, "The workflow has no such version.")
        wire = workflows_pb2.GetWorkflowVersionRequest(**await self._of(request), version=int(number))
        answer = await self._clients.call(self._clients.workflows.GetWorkflowVersion, wire)
        (row,) = await self._shown_versions(wire.tenant_id, [answer.version])
        return json_reply({**row, "document": _document(answer.version.document)})

    async def check(self, request: web.Request) -> web.Response:
        """Return what is wrong with a document, without storing it."""
        body = await forms.read(request, WorkflowCheckBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = workflows_pb2.CheckWorkflowRequest(tenant_id=tenant_id, document=_encode(body.document))
        answer = await self._clients.call(self._clients.workflows.CheckWorkflow, wire)
        faults = [{"field": one.field, "step": one.step or None, "detail": one.description} for one in answer.faults]
        return json_reply({"faults": faults})

    async def dry_run(self, request: web.Request) -> web.Response:
        """Return what a workflow would send to somebody, when, and why not otherwise."""
        body = await forms.read(request, WorkflowDryRunBody)
        if bool(body.workflow_id) == (body.document is not None):
            raise forms.invalid("workflow_id", "or document must be there, but not both")
        if bool(body.recipient_id) == (body.recipient is not None):
            raise forms.invalid("recipient_id", "or recipient must be there, but not both")
        wire = workflows_pb2.DryRunRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            workflow_id=body.workflow_id,
            document=_encode(body.document) if body.document is not None else b"",
            target=_target(body),
            event_type=body.event_type,
            variables=_encode(body.variables),
            payload_extra=_encode(body.payload),
            at_us=max(0, forms.moment(body.at, "at")) if body.at is not None else 0,
            outcomes={step: _status(name, f"outcomes.{step}") for step, name in body.outcomes.items()},
            scope=body.scope,
        )
        try:
            answer = await self._clients.call(self._clients.workflows.DryRun, wire)
        except ClarionError as error:
            raise forms.named(error, _FIELDS) from None
        return json_reply({"reason": answer.reason or None, "steps": [_dry_step(one) for one in answer.steps]})

    async def _of(self, request: web.Request) -> dict[str, Any]:
        workflow_id = forms.path_uuid(request, "workflow_id")
        return {"tenant_id": await forms.path_tenant(request, self._clients), "workflow_id": workflow_id}

    async def _shown_versions(
        self, tenant_id: str, versions: "list[workflows_pb2.WorkflowVersionInfo] | Any"
    ) -> list[dict[str, Any]]:
        """Return versions without their documents, and with the names of who made them."""
        entries = [audit_pb2.AuditEntry(actor=one.created_by, tenant_id=tenant_id) for one in versions]
        wanted = {who for entry in entries if (who := audit_sentences.actor_of(entry))}
        names = await self._names.find(wanted)
        return [
            {
                "version": one.version,
                "created_at": forms.iso(one.created_at_us),
                "created_by": audit_sentences.actor(entry, names).text if one.created_by else None,
            }
            for one, entry in zip(versions, entries, strict=True)
        ]


def shown(workflow: workflows_pb2.Workflow, *, with_document: bool = True) -> dict[str, Any]:
    """Return a workflow as the API shows it."""
    found = {
        "id": workflow.id,
        "tenant_id": workflow.tenant_id,
        "scope": workflow.scope or None,
        "name": workflow.name,
        "description": workflow.description,
        "event_type": workflow.event_type,
        "active": workflow.active,
        "version": workflow.version,
        "open_runs": workflow.open_runs,
        "last_started_at": forms.iso(workflow.last_started_at_us),
        "created_at": forms.iso(workflow.created_at_us),
        "updated_at": forms.iso(workflow.updated_at_us),
    }
    return {**found, "document": _document(workflow.document)} if with_document else found


def _document(raw: bytes) -> orjson.Fragment:
    # Unparsed: orjson could not write all of its numbers.
    return orjson.Fragment(raw or b"{}")


def _dry_step(step: workflows_pb2.DryStep) -> dict[str, Any]:
    return {
        "step": step.step,
        "kind": step.kind,
        "at": forms.iso(step.at_us),
        "outcome": step.outcome,
        "reason": step.reason or None,
        "detail": step.detail,
        "channel": forms.channel_name(step.channel),
        "template_version_id": step.template_version_id or None,
    }


def _target(body: WorkflowDryRunBody) -> event_pb2.Target:
    if body.recipient is None:
        return event_pb2.Target(recipient_id=body.recipient_id)
    return event_pb2.Target(recipient=recipient_of(body.recipient))


def _status(name: str, place: str) -> "trace_pb2.DeliveryStatus.ValueType":
    if name not in statuses.BY_NAME:
        raise forms.invalid(place, f"must be one of {', '.join(statuses.BY_NAME)}")
    return statuses.BY_NAME[name]


def _named(error: ClarionError) -> ClarionError:
    """Return the router's error with the names that the fields have in this API."""
    return forms.named(error, {name: name.removeprefix("workflow.") for name, _ in error.fields})
