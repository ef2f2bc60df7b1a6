"""What a trigger did, as GET /workflows/{id} shows it."""

from collections.abc import Sequence
from typing import Any

from clarion.ingest.v1 import ledger_pb2
from clarion.router.v1 import workflows_pb2
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.errors import ApiError, not_found
from gateway.dialects.sendmator.times import iso
from gateway.dialects.sendmator.triggers import views
from gateway.dialects.sendmator.triggers.finding import Trigger, is_readable

# The newest triggers of a workflow's type among which its own is looked for.
_LOOKED_AT = 20
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
    """Return what a workflow did for the newest trigger that started it, if it is among the newest of its type."""
    wire = ledger_pb2.ListEventsRequest(
        tenant_id=call.caller.tenant_id, event_type=workflow.event_type, limit=_LOOKED_AT
    )
    events = (await call.ask(call.clients.ledger.ListEvents, wire)).events
    for event in events:
        if not event.has_workflows or not is_readable(event, call.caller):
            continue
        counts = [one for one in await call.triggers.counts(call.caller, event.id) if one.workflow_id == workflow.id]
        if counts:
            found = await call.triggers.get(call.caller, event.id)
            return {"campaign_name": workflow.name, "trigger_id": event.id, **_statistics(found, counts)}
    return {"campaign_name": workflow.name, "trigger_id": None, **_statistics(None, ())}


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
