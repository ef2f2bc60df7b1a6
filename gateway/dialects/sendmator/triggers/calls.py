"""GET /triggers/… and executions: the handlers."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from aiohttp import web

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from gateway.dialects.sendmator import ids, lists
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.errors import ApiError, bad_request, not_found
from gateway.dialects.sendmator.triggers import views
from gateway.dialects.sendmator.triggers.finding import Trigger
from gateway.replies import json_reply

# Workflows of a trigger whose names are looked up.
MAX_WORKFLOWS = 100
# Executions that a list by pages counts.
MAX_COUNTED = 1_000


async def get(call: Call) -> web.Response:
    """Return the summary of a trigger."""
    return json_reply(views.trigger(await call.triggers.get(call.caller, call.path("trigger_id"))))


async def workflow(call: Call) -> web.Response:
    """Return a trigger with what each workflow did, step by step."""
    return json_reply(await details(call, await call.triggers.get(call.caller, call.path("trigger_id"))))


async def direct(call: Call) -> web.Response:
    """Return a trigger with the execution of its message."""
    found = await call.triggers.get(call.caller, call.path("trigger_id"))
    if views.flow(found.event) != views.DIRECT:
        raise not_found("Direct execution")
    return json_reply(views.direct_details(found))


async def details(call: Call, found: Trigger) -> dict[str, Any]:
    """Return a trigger with what each workflow did, step by step."""
    counts, started = await asyncio.gather(
        call.triggers.counts(call.caller, found.event.id), call.triggers.started(found.event)
    )
    # Also those that have not come to a message yet.
    named = list(dict.fromkeys([*(one.workflow_id for one in counts if one.workflow_id), *started]))[:MAX_WORKFLOWS]
    stored = await asyncio.gather(*(call.triggers.workflow(call.caller, workflow_id) for workflow_id in named))
    return views.workflow_details(found, counts, dict(zip(named, stored, strict=True)))


async def execution(call: Call) -> web.Response:
    """Return an execution: of a message, or of a workflow's step."""
    at = ids.execution(call.path("execution_id"))
    found = await _found(call, at)
    if at.workflow_id:
        shown = views.step_execution(found, at, await call.triggers.counts(call.caller, at.trigger_id))
    else:
        shown = views.execution(found)
    return json_reply(lists.both(shown))


async def jobs(call: Call) -> web.Response:
    """List what each contact gets of an execution, one status of it or all, page by page."""
    at = ids.execution(call.path("execution_id"))
    event = (await _found(call, at)).event
    status = call.request.query.get("status", "")
    wanted = _statuses(status)
    page = lists.page(call.request, default=50)
    bound = (call.caller.tenant_id, call.path("execution_id"), status)
    cursor = call.request.query.get("cursor", "") or call.request.query.get("starting_after", "")
    if cursor and "page" in call.request.query:
        raise bad_request("page cannot be combined with a cursor")
    wire = ledger_pb2.ListDeliveriesRequest(
        tenant_id=call.caller.tenant_id,
        event_id=at.trigger_id,
        workflow_id=at.workflow_id,
        step=at.step,
        statuses=wanted,
        limit=page.limit,
        cursor=call.backend.cursors.open(cursor, *bound) if cursor else "",
        offset=page.offset,
    )
    answer = await call.ask(call.clients.ledger.ListDeliveries, wire)
    sealed = call.backend.cursors.seal(answer.next_cursor, *bound) if answer.next_cursor else None
    shown = lists.shown(
        "jobs",
        [views.job(one, event) for one in answer.deliveries],
        page,
        total=await _total(call, at, event, wanted),
        has_more=bool(sealed),
        next_cursor=sealed,
    )
    return json_reply(shown)


def listing(channel: "event_pb2.Channel.ValueType", kind: str) -> Any:
    """Return the handler that lists the messages of a channel. kind: the key that one shape has for them."""

    async def list_all(call: Call) -> web.Response:
        page = lists.page(call.request)
        events = [event async for event in _messages(call, channel, most=min(MAX_COUNTED, page.offset + MAX_COUNTED))]
        rows = events[page.offset : page.offset + page.limit]
        shown = [views.execution(Trigger(event, None)) for event in rows]
        return json_reply(lists.shown(kind, shown, page, total=len(events)))

    return list_all


async def _messages(call: Call, channel: "event_pb2.Channel.ValueType", *, most: int) -> Any:
    """Yield messages of a channel, newest first, at most so many."""
    wire = ledger_pb2.ListEventsRequest(event_type=views.message_type(channel), limit=lists.MAX_LIMIT)
    async for event in call.triggers.newest(call.caller, wire):
        yield event
        most -= 1
        if not most:
            return


async def _found(call: Call, at: ids.Execution) -> Trigger:
    try:
        return await call.triggers.get(call.caller, at.trigger_id)
    except ApiError:
        raise not_found("Execution") from None


async def _total(
    call: Call,
    at: ids.Execution,
    event: ledger_pb2.EventSummary,
    wanted: Collection["trace_pb2.DeliveryStatus.ValueType"],
) -> int:
    """Return how many deliveries of an execution have one of these statuses; none: any."""
    if not at.workflow_id:
        return sum(one.count for one in event.counts if not wanted or one.status in wanted)
    counts = await call.triggers.counts(call.caller, at.trigger_id)
    of_step = [one for one in counts if (one.workflow_id, one.step) == (at.workflow_id, at.step)]
    return sum(one.count for one in of_step if not wanted or one.status in wanted)


def _statuses(name: str) -> Sequence["trace_pb2.DeliveryStatus.ValueType"]:
    """Return our statuses that a word stands for; none: any. Raises ApiError."""
    if not name:
        return ()
    if name in views.JOB_STATUSES:
        return views.JOB_STATUSES[name]
    if name == "failed":
        return views.FAILED_STATUSES
    raise bad_request(f"status must be one of {', '.join((*views.JOB_STATUSES, 'failed'))}")
