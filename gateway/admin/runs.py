"""Events that an operator sends, and runs: events that wait for their time, or have many recipients."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import ingest_pb2, ledger_pb2
from clarion.router.v1 import runs_pb2
from gateway.accepting import DEADLINE_S
from gateway.admin import event_bodies, forms
from gateway.admin.event_bodies import EventToSendBody
from gateway.clients import Clients
from gateway.observing import EVENT_ID, TENANT_ID
from gateway.replies import json_reply
from gateway.revisions import Revisions
from runtime import telemetry
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid

STATES = {name.removeprefix("RUN_STATE_").lower(): number for name, number in runs_pb2.RunState.items() if number}
LIMIT_KINDS = {
    number: name.removeprefix("LIMIT_KIND_").lower() for name, number in error_pb2.LimitKind.items() if number
}
_STATE_NAMES = {number: name for name, number in STATES.items()}

# Who cancels here, as the timeline tells it.
_BY = "operator"
Moment = Annotated[str, Meta(examples=["2026-04-22T12:00:00Z"])]


class NewEventBody(EventToSendBody):
    """The body of POST /tenants/{id}/events. due_at: at once if it is absent or past."""

    due_at: Moment | None = None
    # Without one each call is an event of its own.
    idempotency_key: str = ""


# Names of NewEvent, and what they are called here.
_FIELDS = {**event_bodies.FIELDS, "due_at_us": "due_at", "dedupe.key": "idempotency_key"}


class RunRoutes:
    """Handlers that ask ingest to accept events, and the router's RunService."""

    def __init__(self, clients: Clients, revisions: Revisions) -> None:
        self._clients = clients
        self._revisions = revisions

    async def send(self, request: web.Request) -> web.Response:
        """Accept an event for an audience."""
        body = await forms.read(request, NewEventBody)
        event = _event(body)
        tenant_id = forms.path_id(request)
        tenant = await forms.check_tenant(request, self._clients, tenant_id)
        if not tenant.active:
            raise ClarionError(Code.CONFLICT, "The tenant is not active. Activate it to send events.")
        item = ingest_pb2.AcceptItem(tenant_id=tenant_id, event=event, revision=self._revisions.of(tenant_id))
        wire = ingest_pb2.AcceptEventsRequest(items=[item])
        answer = await self._clients.call(self._clients.ingest.AcceptEvents, wire, deadline=DEADLINE_S)
        (result,) = answer.results
        if not result.HasField("accepted"):
            raise forms.named(ClarionError.from_proto(result.error), _FIELDS)
        accepted = result.accepted
        request[EVENT_ID] = accepted.event_id
        shown = {
            "event_id": accepted.event_id,
            "duplicate": accepted.duplicate,
            "differs": accepted.differs,
            "limits": [_limit(limit) for limit in accepted.limits],
            "deliveries": [{"id": one.delivery_id, "endpoint_id": one.endpoint_id} for one in accepted.deliveries],
            "failures": [
                {"endpoint_id": one.endpoint_id, "reason": one.reason, "detail": one.detail}
                for one in accepted.failures
            ],
        }
        return json_reply(shown, status=202)

    async def list_all(self, request: web.Request) -> web.Response:
        """List runs, newest first."""
        state = forms.text(request, "state")
        if state and state not in STATES:
            raise forms.invalid("state", f"must be one of {', '.join(STATES)}")
        wire = runs_pb2.ListRunsRequest(
            **forms.scope(request),
            state=STATES.get(state, runs_pb2.RUN_STATE_UNSPECIFIED),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.runs.ListRuns, wire)
        return json_reply(forms.page(request, list(map(shown, answer.runs)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return an event's run with its progress."""
        wire = runs_pb2.GetRunRequest(event_id=_event_id(request))
        answer = await self._clients.call(self._clients.runs.GetRun, wire)
        return json_reply(shown(answer.run))

    async def pause(self, request: web.Request) -> web.Response:
        """Stop a run before its next page."""
        wire = runs_pb2.PauseRunRequest(event_id=_event_id(request))
        answer = await self._clients.call(self._clients.runs.PauseRun, wire)
        request[TENANT_ID] = answer.run.tenant_id
        return json_reply(shown(answer.run))

    async def resume(self, request: web.Request) -> web.Response:
        """Let a paused run go on."""
        wire = runs_pb2.ResumeRunRequest(event_id=_event_id(request))
        answer = await self._clients.call(self._clients.runs.ResumeRun, wire)
        request[TENANT_ID] = answer.run.tenant_id
        return json_reply(shown(answer.run))

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel an event, with or without a run: nothing more of it is sent but what is in hand."""
        event_id = _event_id(request, "event_id")
        tenant_id = await forms.path_tenant(request, self._clients)
        await self._check_owner(tenant_id, event_id)
        wire = runs_pb2.CancelEventRequest(tenant_id=tenant_id, event_id=event_id, by=_BY)
        answer = await self._clients.call(self._clients.runs.CancelEvent, wire)
        return json_reply({"event_id": event_id, "run": shown(answer.run) if answer.HasField("run") else None})

    async def workflow_counts(self, request: web.Request) -> web.Response:
        """Return how many deliveries of an event have each status, by workflow and step."""
        event_id = _event_id(request)
        owner = await self._clients.call(
            self._clients.ledger.FindTenant, ledger_pb2.FindTenantRequest(event_id=event_id)
        )
        wire = ledger_pb2.GetWorkflowCountsRequest(tenant_id=owner.tenant_id, event_id=event_id)
        answer = await self._clients.call(self._clients.ledger.GetWorkflowCounts, wire)
        counts = [
            {
                "workflow_id": one.workflow_id or None,
                "step": one.step,
                "channel": forms.channel_name(one.channel),
                "status": forms.status_name(one.status),
                "count": one.count,
            }
            for one in answer.counts
        ]
        return json_reply({"data": counts})

    async def _check_owner(self, tenant_id: str, event_id: str) -> None:
        """Raise NOT_FOUND if the event is another tenant's. One that the ledger does not have yet may be canceled."""
        try:
            wire = ledger_pb2.GetEventRequest(event_id=event_id)
            found = await self._clients.call(self._clients.ledger.GetEvent, wire)
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
        else:
            if found.event.tenant_id != tenant_id:
                raise ClarionError(Code.NOT_FOUND, "This tenant has no such event.")


def shown(run: runs_pb2.Run) -> dict[str, Any]:
    """Return a run as the API shows it."""
    return {
        "event_id": run.event_id,
        "tenant_id": run.tenant_id,
        "event_type": run.event_type,
        "scope": run.scope or None,
        "state": _STATE_NAMES.get(run.state, "waiting"),
        "due_at": forms.iso(run.due_at_us),
        "recipients": run.recipients,
        "sends": run.sends,
        "skips": run.skips,
        "open_workflow_runs": run.open_workflow_runs,
        "held_back": run.held_back or None,
        "created_at": forms.iso(run.created_at_us),
        "updated_at": forms.iso(run.updated_at_us),
    }


def _event_id(request: web.Request, name: str = "id") -> str:
    """Return the id of the event in the path. Raises NOT_FOUND for one that cannot exist."""
    event_id: str = request.match_info[name]
    if not is_uuid(event_id):
        raise ClarionError(Code.NOT_FOUND, "There is no event with this id.")
    request[EVENT_ID] = event_id
    return event_id


def _event(body: NewEventBody) -> ingest_pb2.NewEvent:
    """Return the event that is to be accepted. Raises INVALID."""
    event = event_bodies.event_of(body)
    event.trace_id = telemetry.current_trace()
    event.due_at_us = max(0, forms.moment(body.due_at, "due_at")) if body.due_at is not None else 0
    event.dedupe.kind = ingest_pb2.DEDUPE_KIND_KEY if body.idempotency_key else ingest_pb2.DEDUPE_KIND_NONE
    event.dedupe.key = body.idempotency_key
    return event


def _limit(limit: error_pb2.LimitState) -> dict[str, Any]:
    return {
        "kind": LIMIT_KINDS.get(limit.kind, ""),
        "scope": limit.scope or None,
        "window_s": limit.window_s or None,
        "bound": limit.bound,
        "remaining": limit.remaining,
        "reset_s": limit.reset_s or None,
    }
