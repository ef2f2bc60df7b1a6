"""/workflows: the handlers, but for triggering one."""

from typing import Any

from aiohttp import web

from clarion.router.v1 import workflows_pb2
from gateway.audit import RESOURCE
from gateway.dialects.sendmator import lists
from gateway.dialects.sendmator.calls import KEY_ACTOR, Call
from gateway.dialects.sendmator.errors import ApiError, bad_request, message_of, not_found
from gateway.dialects.sendmator.times import iso
from gateway.dialects.sendmator.workflows import documents, statistics
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid

QUERY = ("page", "limit", "event_type", "is_active", "search")


async def list_all(call: Call) -> web.Response:
    """List the workflows of the team, newest first."""
    page = lists.page(call.request)
    wire = workflows_pb2.ListWorkflowsRequest(
        tenant_id=call.caller.tenant_id,
        scope=call.caller.team,
        event_type=call.request.query.get("event_type", ""),
        search=lists.search(call.request),
        limit=page.limit,
        offset=page.offset,
    )
    if (active := lists.flag(call.request, "is_active")) is not None:
        wire.active = active
    answer = await call.ask(call.clients.workflows.ListWorkflows, wire)
    rows = [_shown(await _whole(call, one)) for one in answer.workflows]
    return json_reply(lists.shown("workflows", rows, page, total=answer.total))


async def get(call: Call) -> web.Response:
    """Return a workflow, and what its newest trigger did; or, by the id of a trigger, what that one did."""
    workflow_id = call.path("workflow_id")
    try:
        workflow = await _find(call)
    except ApiError:
        return json_reply(await statistics.of_trigger(call, workflow_id))
    return json_reply({**_shown(workflow), **await statistics.of_workflow(call, workflow)})


async def create(call: Call) -> web.Response:
    """Store a workflow with its first version."""
    body = await call.body()
    name, event_type = body.text("name"), body.text("event_type", "event_name")
    if not name.strip():
        raise bad_request("name is required")
    if not event_type.strip():
        raise bad_request("event_type is required")
    workflow = workflows_pb2.Workflow(
        tenant_id=call.caller.tenant_id,
        scope=call.caller.team,
        name=name,
        description=body.text("description", longest=1000),
        event_type=event_type,
        active=body.flag("is_active") is not False,
        document=documents.document_of(body),
    )
    wire = workflows_pb2.CreateWorkflowRequest(workflow=workflow, by=_by(call))
    made = (await _write(call, call.clients.workflows.CreateWorkflow, wire)).workflow
    call.request[RESOURCE] = made.id
    return json_reply(lists.both(_shown(made)), status=201)


async def update(call: Call) -> web.Response:
    """Update the fields that the body has; another content is a new version."""
    body = await call.body()
    stored = await _find_own(call)
    wire = workflows_pb2.UpdateWorkflowRequest(tenant_id=call.caller.tenant_id, workflow_id=stored.id, by=_by(call))
    for field in ("name", "event_type"):
        if field in body and not body.text(field).strip():
            raise bad_request(f"{field} must not be empty")
    if name := body.text("name"):
        wire.name = name
    if "description" in body:
        wire.description = body.text("description", longest=1000)
    if event_type := body.text("event_type", "event_name"):
        wire.event_type = event_type
    if (active := body.flag("is_active")) is not None:
        wire.active = active
    if documents.is_given(body):
        wire.document = documents.document_of(body, stored.document)
        wire.expected_version = body.number("version", least=1, most=2**31 - 1) or stored.version
    return json_reply(lists.both(_shown((await _write(call, call.clients.workflows.UpdateWorkflow, wire)).workflow)))


async def delete(call: Call) -> web.Response:
    """Delete a workflow; its runs end when they are looked at next."""
    stored = await _find_own(call)
    wire = workflows_pb2.DeleteWorkflowRequest(tenant_id=call.caller.tenant_id, workflow_id=stored.id)
    await call.ask(call.clients.workflows.DeleteWorkflow, wire)
    return json_reply({"success": True, "message": "Workflow deleted", "id": stored.id})


async def _find(call: Call) -> workflows_pb2.Workflow:
    """Return the workflow in the path, of the team or of all teams. Raises ApiError (404)."""
    workflow_id = call.path("workflow_id")
    if not is_uuid(workflow_id):
        raise not_found("Workflow")
    wire = workflows_pb2.GetWorkflowRequest(
        tenant_id=call.caller.tenant_id, workflow_id=workflow_id, without_activity=True
    )
    try:
        found = (await call.ask(call.clients.workflows.GetWorkflow, wire)).workflow
    except ClarionError as error:
        if error.code is Code.NOT_FOUND:
            raise not_found("Workflow") from None
        raise
    if found.scope not in ("", call.caller.team):
        raise not_found("Workflow")
    return found


async def _find_own(call: Call) -> workflows_pb2.Workflow:
    """Return the workflow in the path if the caller may change it. Raises ApiError (403, 404)."""
    found = await _find(call)
    if not found.scope and call.caller.key.scopes:
        raise ApiError(403, "This workflow belongs to all teams: a key for single teams cannot change it")
    return found


async def _whole(call: Call, workflow: workflows_pb2.Workflow) -> workflows_pb2.Workflow:
    """Return a workflow of a list with its document, which lists leave out."""
    found = await call.triggers.workflow(call.caller, workflow.id)
    return workflow if found is None else found


async def _write(call: Call, method: Any, wire: Any) -> Any:
    try:
        return await call.ask(method, wire)
    except ClarionError as error:
        if error.code is Code.CONFLICT:
            # What the router calls a scope is a team here.
            raise ApiError(409, message_of(error).replace("scope", "team")) from None
        raise


def _by(call: Call) -> str:
    return KEY_ACTOR + call.caller.key.key_id


def _shown(workflow: workflows_pb2.Workflow) -> dict[str, Any]:
    return {
        "id": workflow.id,
        "name": workflow.name,
        "description": workflow.description or None,
        "event_type": workflow.event_type,
        "is_active": workflow.active,
        "version": workflow.version,
        **documents.shown(workflow.document),
        "created_at": iso(workflow.created_at_us),
        "updated_at": iso(workflow.updated_at_us or workflow.created_at_us),
    }
