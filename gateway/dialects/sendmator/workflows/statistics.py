"""What a trigger did, as GET /workflows/{id} shows it."""

import contextlib
from collections.abc import Sequence
from typing import Any

from clarion.ingest.v1 import ledger_pb2
from clarion.router.v1 import workflows_pb2
from gateway.dialects.sendmator import lists
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.errors import ApiError, not_found
from gateway.dialects.sendmator.times import iso
from gateway.dialects.sendmator.triggers import views
from gateway.dialects.sendmator.triggers.finding import Trigger

# Events that are read at a time: most callers may read the first one.
_READ = 20
_CHANNELS = ("email", "sms", "push")


async def of_trigger(call: Call, trigger_id: str) -> dict[str, Any]:
    """Return what a trigger's workflows did. Raises ApiError (404)."""
    try:
        found = await call.triggers.get(call.caller, trigger_id, waits=False)
    except ApiError:
        raise not_found("Workflow") from None
    counts = await call.triggers.counts(call.caller, trigger_id)
    made_at = iso(found.event.accepted_at_us)
    name = found.event.event_type
    return {"id": trigger_id, "campaign_name": name, "created_at": made_at, **_statistics(found, counts)}


async def of_workflow(call: Call, workflow: workflows_pb2.Workflow) -> dict[str, Any]:
    """Return what a workflow did for the newest trigger that started it."""
    found = await _newest(call, workflow)
    if found is None:
        return {"campaign_name": workflow.name, "trigger_id": None, **_statistics(None, ())}
    counts = await call.triggers.counts(call.caller, found.event.id)
    of_workflow = [one for one in counts if one.workflow_id == workflow.id]
    return {"campaign_name": workflow.name, "trigger_id": found.event.id, **_statistics(found, of_workflow)}


async def _newest(call: Call, workflow: workflows_pb2.Workflow) -> Trigger | None:
    """Return the newest trigger that started a workflow and that the caller may read; None: there is none.

    The ledger knows those for which it sent or filtered something, the router those for which it only waits until now.
    """
    wire = ledger_pb2.ListEventsRequest(workflow_id=workflow.id, limit=_READ)
    # All events of a team's workflow are the team's.
    of_team = not workflow.scope or bool(call.caller.key.scopes)
    async with contextlib.aclosing(call.triggers.newest(call.caller, wire, of_team=of_team)) as events:
        newest = await anext(events, None)
    runs = workflows_pb2.ListWorkflowRunsRequest(
        tenant_id=call.caller.tenant_id, workflow_id=workflow.id, limit=lists.MAX_LIMIT
    )
    ids = {one.event_id for one in (await call.ask(call.clients.workflows.ListWorkflowRuns, runs)).runs}
    if newest is not None:
        ids.add(newest.id)
    for event_id in sorted(ids, reverse=True):  # an event's id begins with the time of its acceptance
        try:
            return await call.triggers.get(call.caller, event_id, waits=False)
        except ApiError:
            continue  # of another team
    return None


def _statistics(found: Trigger | None, counts: Sequence[ledger_pb2.WorkflowCount]) -> dict[str, Any]:
    event = found.event if found is not None else ledger_pb2.EventSummary()
    totals = views.jobs_of((one.status, one.count) for one in counts)
    done = totals.sent + totals.failed + totals.filtered
    took_us = (event.finished_at_us - event.routed_at_us) if event.finished_at_us and event.routed_at_us else 0
    return {
        "trigger_type": "WORKFLOW",
        "trigger_source": "DIRECT_API",
        "status": views.status_of(found).upper() if found is not None else "PENDING",
        "triggered_at": iso(event.accepted_at_us),
        "started_at": iso(event.routed_at_us),
        "completed_at": iso(event.finished_at_us),
        "scheduled_at": iso(event.due_at_us),
        "duration_seconds": max(took_us, 0) // 1_000_000,
        "workflow_executions_count": len({(one.workflow_id, one.step) for one in counts}),
        "channels": _by_channel(counts),
        "totals": {
            "total_contacts": event.recipient_count,
            "total_sent": totals.sent,
            "total_failed": totals.failed,
            "total_filtered": totals.filtered,
            "overall_success_rate": _percent(totals.sent, totals.sent + totals.failed),
        },
        "progress": {"processed": done, "total": totals.total, "percentage": _percent(done, totals.total)},
    }


def _by_channel(counts: Sequence[ledger_pb2.WorkflowCount]) -> dict[str, Any]:
    """Return the counts of each channel that was used."""
    found = {}
    for name in _CHANNELS:
        of_channel = [one for one in counts if one.channel == views.CHANNELS[name]]
        if not of_channel:
            continue
        jobs = views.jobs_of((one.status, one.count) for one in of_channel)
        found[name] = {
            "execution_count": len({(one.workflow_id, one.step) for one in of_channel}),
            "total_contacts": jobs.total,
            "sent": jobs.sent,
            "failed": jobs.failed,
            "filtered": jobs.filtered,
            "success_rate": _percent(jobs.sent, jobs.sent + jobs.failed),
        }
    return found


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0
