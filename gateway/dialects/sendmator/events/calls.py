"""POST /events/… and /workflows/trigger: the handlers."""

import asyncio
import contextlib
import time
from typing import Any

from aiohttp import web

from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import segments_pb2, workflows_pb2
from gateway.dialects.sendmator import ids
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.errors import ApiError, bad_request, not_found
from gateway.dialects.sendmator.events.events import When, event_of, when_of, workflow_event
from gateway.dialects.sendmator.triggers.calls import details
from gateway.dialects.sendmator.triggers.finding import pause
from gateway.dialects.sendmator.triggers.views import PROCESSING
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid

# How long a call that waits does so, seconds; after that the status says "processing". In the last one of them it reads
# what the answer shows then.
WAIT_S, _LAST_S = 10.0, 1.0


async def send(call: Call) -> web.Response:
    """Accept an event, and answer at once."""
    body = await call.body()
    event = event_of(body, call.caller, when_of(body, call.backend.now()))
    accepted = await _accept(call, event)
    return json_reply(queued("Event", accepted, When(event.due_at_us)), status=201)


async def trigger(call: Call) -> web.Response:
    """Accept an event, and answer when it is processed, or after ten seconds."""
    until = time.monotonic() + WAIT_S
    body = await call.body()
    if "trigger_at" in body or "triggerAt" in body:
        raise bad_request("trigger_at is not possible here: use POST /api/v1/events/send")
    accepted = await _accept(call, event_of(body, call.caller, When()))
    answer = queued("Event", accepted, When())
    found = await _processed(call, accepted.event_id, until)
    if found is None:
        return json_reply({**answer, "status": PROCESSING, "workflows": []}, status=201)
    if found["status"] != PROCESSING:
        answer["message"] = "Event processed successfully"
    return json_reply({**answer, **found}, status=201)


async def trigger_workflow(call: Call) -> web.Response:
    """Start one workflow for a contact, for those with tags, or for all, whatever events start it."""
    body = await call.body()
    when = when_of(body, call.backend.now())
    stored = await _workflow(call, body.text("workflow_id"), body.text("workflow_name"))
    event = workflow_event(body, call.caller, stored.id, stored.event_type)
    event.due_at_us = when.due_at_us
    await check_segments(call, event)
    try:
        accepted = await call.accept(event)
    except ClarionError as error:
        if error.code is Code.NOT_FOUND:
            raise not_found("Workflow") from None
        raise
    answer = {**queued("Workflow", accepted, when), "workflow_id": stored.id}
    return json_reply(answer, status=201)


def queued(what: str, accepted: ingest_pb2.Accepted, when: When) -> dict[str, Any]:
    """Return the answer to an accepted event. what: "Event"."""
    answer = {
        "success": True,
        "trigger_id": accepted.event_id,
        "job_id": ids.job_id(accepted.event_id),
        "message": f"{what} queued successfully",
    }
    if when.due_at_us:
        answer["message"] = f"{what} scheduled for {when.shown}"
        answer["scheduled_for"] = when.shown
    return answer


async def check_segments(call: Call, event: ingest_pb2.NewEvent) -> None:
    """Raise ApiError (404) for a segment that the account does not have."""
    for target in event.audience:
        if not target.HasField("segment_id"):
            continue
        if not is_uuid(target.segment_id):
            raise not_found("Segment")
        wire = segments_pb2.GetSegmentRequest(tenant_id=call.caller.tenant_id, segment_id=target.segment_id)
        try:
            await call.ask(call.clients.segments.GetSegment, wire)
        except ClarionError as error:
            if error.code is Code.NOT_FOUND:
                raise not_found("Segment") from None
            raise


async def _accept(call: Call, event: ingest_pb2.NewEvent) -> ingest_pb2.Accepted:
    try:
        return await call.accept(event)
    except ClarionError as error:
        if error.code is Code.NOT_FOUND:
            raise ApiError(404, "Event type not found") from None
        raise


async def _processed(call: Call, trigger_id: str, until: float) -> dict[str, Any] | None:
    """Return a trigger with its workflows once it is over, or as it was at last; None: the ledger does not say."""
    shown: dict[str, Any] | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(until - time.monotonic()):
            while True:
                with contextlib.suppress(ApiError, ClarionError):
                    found = await call.triggers.get(call.caller, trigger_id, waits=False)
                    if found.is_over:
                        return await details(call, found)
                    if time.monotonic() >= until - _LAST_S:
                        shown = {**await details(call, found), "status": PROCESSING}
                await pause()
    return shown


async def _workflow(call: Call, workflow_id: str, name: str) -> workflows_pb2.Workflow:
    if not workflow_id and not name:
        raise bad_request("workflow_id or workflow_name is required")
    wire = workflows_pb2.GetWorkflowRequest(
        tenant_id=call.caller.tenant_id, scope=call.caller.team, without_activity=True
    )
    if workflow_id:
        if not is_uuid(workflow_id):
            raise not_found("Workflow")
        wire.workflow_id = workflow_id
    else:
        wire.name = name
    try:
        found = (await call.ask(call.clients.workflows.GetWorkflow, wire)).workflow
    except ClarionError as error:
        if error.code is Code.NOT_FOUND:
            raise not_found("Workflow") from None
        raise
    if found.scope not in ("", call.caller.team):
        raise not_found("Workflow")
    return found
