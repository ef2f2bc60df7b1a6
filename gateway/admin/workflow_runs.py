"""Workflow runs: one workflow for one person, started by one event."""

from typing import Any

from aiohttp import web

from clarion.common.v1 import trace_pb2
from clarion.router.v1 import workflows_pb2
from gateway.access.asker import ASKER
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply

STATES = {
    name.removeprefix("WORKFLOW_RUN_STATE_").lower(): number
    for name, number in workflows_pb2.WorkflowRunState.items()
    if number
}
_STATE_NAMES = {number: name for name, number in STATES.items()}


class WorkflowRunRoutes:
    """Handlers that ask the router's WorkflowService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def list_all(self, request: web.Request) -> web.Response:
        """List workflow runs, newest first: of an event, of a workflow, of a recipient, or all of the tenant."""
        state = forms.one_of(request, "state", STATES)
        wire = workflows_pb2.ListWorkflowRunsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            event_id=forms.uuid(request, "event_id"),
            workflow_id=forms.uuid(request, "workflow_id"),
            recipient_id=forms.text(request, "recipient_id"),
            state=STATES.get(state, workflows_pb2.WORKFLOW_RUN_STATE_UNSPECIFIED),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.workflows.ListWorkflowRuns, wire)
        return json_reply(forms.page(request, list(map(shown, answer.runs)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return a workflow run with what it did until now, besides sending."""
        wire = workflows_pb2.GetWorkflowRunRequest(**await self._of(request))
        answer = await self._clients.call(self._clients.workflows.GetWorkflowRun, wire)
        return json_reply({**shown(answer.run), "steps": [_step(one) for one in answer.steps]})

    async def cancel(self, request: web.Request) -> web.Response:
        """End one workflow run: nothing more of it is sent but what is in hand."""
        wire = workflows_pb2.CancelWorkflowRunRequest(**await self._of(request), by=request[ASKER].actor)
        answer = await self._clients.call(self._clients.workflows.CancelWorkflowRun, wire)
        return json_reply(shown(answer.run))

    async def _of(self, request: web.Request) -> dict[str, Any]:
        run_id = forms.path_uuid(request, "workflow_run_id")
        return {"tenant_id": await forms.path_tenant(request, self._clients), "workflow_run_id": run_id}


def shown(run: workflows_pb2.WorkflowRun) -> dict[str, Any]:
    """Return a workflow run as the API shows it."""
    return {
        "id": run.id,
        "tenant_id": run.tenant_id,
        "event_id": run.event_id,
        "workflow_id": run.workflow_id,
        "workflow_name": run.workflow_name,
        "workflow_version": run.workflow_version,
        "recipient_id": run.recipient_id or None,
        "state": _STATE_NAMES.get(run.state, "active"),
        "at_steps": list(run.at_steps),
        "wake_at": forms.iso(run.wake_at_us),
        "held_back": run.held_back or None,
        "created_at": forms.iso(run.created_at_us),
        "updated_at": forms.iso(run.updated_at_us),
        "finished_at": forms.iso(run.finished_at_us),
    }


def _step(step: trace_pb2.WorkflowStep) -> dict[str, Any]:
    return {
        "step": step.step or None,
        "outcome": step.outcome,
        "reason": step.reason or None,
        "detail": step.detail,
        "until": forms.iso(step.until_us),
    }
