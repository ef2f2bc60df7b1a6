"""Triggers and executions as answers show them: pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from clarion.router.v1 import runs_pb2, workflows_pb2
from gateway.dialects.sendmator import ids
from gateway.dialects.sendmator.times import iso
from gateway.dialects.sendmator.triggers.finding import Trigger
from gateway.dialects.sendmator.workflows import documents
from services.domain.reasons import Reason

PENDING, PROCESSING, COMPLETED, FAILED, CANCELED = "pending", "processing", "completed", "failed", "canceled"

# Which channel each word stands for, and the path of its executions.
CHANNELS: dict[str, event_pb2.Channel.ValueType] = {
    "email": event_pb2.CHANNEL_EMAIL,
    "sms": event_pb2.CHANNEL_SMS,
    "push": event_pb2.CHANNEL_PUSH,
    "webhook": event_pb2.CHANNEL_WEBHOOK,
}
CHANNEL_NAMES: dict[int, str] = {number: name for name, number in CHANNELS.items()}
_PATHS: dict[int, str] = {event_pb2.CHANNEL_EMAIL: "messages", event_pb2.CHANNEL_SMS: "sms"}
# What each word for a job stands for among our statuses.
JOB_STATUSES: dict[str, tuple[trace_pb2.DeliveryStatus.ValueType, ...]] = {
    "pending": (trace_pb2.DELIVERY_STATUS_QUEUED, trace_pb2.DELIVERY_STATUS_RETRYING),
    "sent": (trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_DELIVERED),
    "filtered": (trace_pb2.DELIVERY_STATUS_SKIPPED,),
}
# The others that are final.
FAILED_STATUSES = (
    trace_pb2.DELIVERY_STATUS_FAILED,
    trace_pb2.DELIVERY_STATUS_DEAD,
    trace_pb2.DELIVERY_STATUS_BOUNCED,
    trace_pb2.DELIVERY_STATUS_COMPLAINED,
)
_JOB_NAMES = {number: name for name, numbers in JOB_STATUSES.items() for number in numbers}
_TEXTS = {reason.value: reason.text for reason in Reason}

# Labels of an event that is a message: on which channel, and the template that it names.
CHANNEL_LABEL, TEMPLATE_LABEL = "channel", "template"
DIRECT = "direct"


def message_type(channel: int) -> str:
    """Return the type of the events that are messages on a channel."""
    return f"{DIRECT}.{CHANNEL_NAMES[channel]}"


class Jobs(NamedTuple):
    """How many deliveries stand how. total counts those that are planned."""

    pending: int = 0
    sent: int = 0
    failed: int = 0
    filtered: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)

    def shown(self) -> dict[str, int]:
        """Return the counts with their total."""
        return {"total": self.total, **self._asdict()}


def job_status(status: "trace_pb2.DeliveryStatus.ValueType") -> str:
    """Return this API's word for a status: pending, sent, failed or filtered."""
    return _JOB_NAMES.get(status, "failed")


def jobs_of(counts: Iterable[tuple["trace_pb2.DeliveryStatus.ValueType", int]]) -> Jobs:
    """Return counts by status under this API's words. What bounced after it was sent has failed."""
    found = dict.fromkeys(Jobs._fields, 0)
    for status, count in counts:
        found[job_status(status)] += count
    return Jobs(**found)


def flow(event: ledger_pb2.EventSummary) -> str:
    """Return "direct" for a message, "workflow" for an event."""
    return DIRECT if event.metadata.get(CHANNEL_LABEL, "") else "workflow"


def status_of(trigger: Trigger) -> str:
    """Return how far a trigger has come."""
    event, run = trigger.event, trigger.run
    if event.reason == Reason.CANCELED or (run is not None and run.state == runs_pb2.RUN_STATE_CANCELED):
        return CANCELED
    # Its run is forgotten after some days.
    if event.reason == Reason.INTERNAL_ERROR or (run is not None and run.state == runs_pb2.RUN_STATE_FAILED):
        return FAILED
    jobs = _jobs(event)
    if event.finished_at_us:
        return FAILED if jobs.failed and not jobs.sent else COMPLETED
    if not event.waiting and (event.routed_at_us or jobs.total):
        return PROCESSING
    return PENDING


def trigger(found: Trigger) -> dict[str, Any]:
    """Return the summary of a trigger."""
    event, kind = found.event, flow(found.event)
    jobs = _jobs(event)
    return {
        "id": event.id,
        "flow_type": kind,
        "trigger_type": kind,
        "status": status_of(found),
        "created_at": iso(event.accepted_at_us),
        "started_at": iso(event.routed_at_us),
        "completed_at": iso(event.finished_at_us),
        "summary": {
            "total_contacts": event.recipient_count,
            "sent": jobs.sent,
            "failed": jobs.failed,
            "filtered": jobs.filtered,
        },
        # Without the prefix of the other paths, as the vendor's own answers have it.
        "details_endpoint": f"/triggers/{event.id}/{kind}",
        **({"scheduled_for": iso(event.due_at_us)} if event.due_at_us else {}),
    }


def workflow_details(
    found: Trigger,
    counts: Sequence[ledger_pb2.WorkflowCount],
    stored: Mapping[str, workflows_pb2.Workflow | None],
) -> dict[str, Any]:
    """Return a trigger with what each workflow did, step by step. stored: the workflows by id; None: deleted."""
    by_step: dict[str, dict[tuple[str, int], list[ledger_pb2.WorkflowCount]]] = {}
    for one in counts:
        by_step.setdefault(one.workflow_id, {}).setdefault((one.step, one.channel), []).append(one)
    is_over = bool(found.event.finished_at_us)
    return {
        **trigger(found),
        "workflows": [
            _workflow(found.event.id, workflow_id, by_step.get(workflow_id, {}), workflow, is_over=is_over)
            for workflow_id, workflow in stored.items()
        ],
    }


def _workflow(
    trigger_id: str,
    workflow_id: str,
    steps: Mapping[tuple[str, int], Sequence[ledger_pb2.WorkflowCount]],
    workflow: workflows_pb2.Workflow | None,
    *,
    is_over: bool,
) -> dict[str, Any]:
    sends = documents.sends(workflow.document) if workflow is not None else []
    names = {one.id: one.name for one in sends}
    order = {one.id: position for position, one in enumerate(sends, 1)}
    channels = {one.id: CHANNELS.get(one.channel, event_pb2.CHANNEL_UNSPECIFIED) for one in sends}
    # Also steps that nobody has reached yet.
    known = {step for step, _ in steps}
    keys = [*steps, *((step, channel) for step, channel in channels.items() if step not in known)]
    keys.sort(key=lambda key: (order.get(key[0], len(order) + 1), key[0]))
    shown, total = [], Jobs()
    for position, (step, channel) in enumerate(keys, 1):
        jobs = jobs_of((one.status, one.count) for one in steps.get((step, channel), ()))
        total = Jobs(*map(sum, zip(total, jobs, strict=True)))
        execution = ids.execution_id(ids.Execution(trigger_id, workflow_id, step))
        shown.append(
            {
                "id": step,
                "step_order": order.get(step, position),
                "step_name": names.get(step) or step,
                "channel_type": CHANNEL_NAMES.get(channel, "email"),
                "status": _status(jobs, is_over=is_over),
                "jobs": jobs.shown(),
                "execution_id": execution,
                "execution_details_endpoint": jobs_path(channel, execution),
            }
        )
    return {
        "workflow_id": workflow_id,
        "name": workflow.name if workflow is not None else None,
        "status": "filtered" if total.filtered and total.filtered == total.total else _status(total, is_over=is_over),
        "jobs": total.shown(),
        "steps": shown,
    }


def direct_details(found: Trigger) -> dict[str, Any]:
    """Return a trigger with the one execution of a message."""
    channel = CHANNELS.get(found.event.metadata.get(CHANNEL_LABEL, ""), event_pb2.CHANNEL_EMAIL)
    return {
        **trigger(found),
        "execution": execution(found),
        "jobs": _jobs(found.event).shown(),
        "execution_details_endpoint": jobs_path(channel, found.event.id),
    }


def execution(found: Trigger) -> dict[str, Any]:
    """Return the execution of a message."""
    event = found.event
    return {
        "id": event.id,
        "execution_id": event.id,
        "trigger_id": event.id,
        "channel": event.metadata.get(CHANNEL_LABEL, "") or None,
        "template_key": event.metadata.get(TEMPLATE_LABEL, "") or None,
        "status": status_of(found),
        "total_contacts": event.recipient_count,
        "jobs": _jobs(event).shown(),
        "created_at": iso(event.accepted_at_us),
        "executed_at": iso(event.routed_at_us),
        "completed_at": iso(event.finished_at_us),
        "scheduled_for": iso(event.due_at_us),
    }


def step_execution(found: Trigger, at: ids.Execution, counts: Iterable[ledger_pb2.WorkflowCount]) -> dict[str, Any]:
    """Return the execution of a workflow's step."""
    of_step = [one for one in counts if (one.workflow_id, one.step) == (at.workflow_id, at.step)]
    jobs = jobs_of((one.status, one.count) for one in of_step)
    return {
        "id": ids.execution_id(at),
        "execution_id": ids.execution_id(at),
        "trigger_id": at.trigger_id,
        "workflow_id": at.workflow_id,
        "step": at.step,
        "channel": CHANNEL_NAMES.get(of_step[0].channel) if of_step else None,
        "status": _status(jobs, is_over=found.is_over),
        "jobs": jobs.shown(),
        "created_at": iso(found.event.accepted_at_us),
        "executed_at": iso(found.event.routed_at_us),
        "completed_at": iso(found.event.finished_at_us),
        "scheduled_for": iso(found.event.due_at_us),
    }


def job(delivery: ledger_pb2.DeliverySummary, event: ledger_pb2.EventSummary) -> dict[str, Any]:
    """Return what one contact gets of an execution. event: of the delivery, which may have its only recipient."""
    person = delivery.recipient if delivery.HasField("recipient") else event.recipient
    word = job_status(delivery.status)
    why = _TEXTS.get(delivery.reason, delivery.reason) or None
    return {
        "id": delivery.id,
        "contact_external_id": person.user_id or None,
        "email": person.email or None,
        "phone": person.phone or None,
        "channel": CHANNEL_NAMES.get(delivery.channel),
        "status": word,
        "reason": delivery.reason or None,
        "filter_reason": why if word == "filtered" else None,
        "error_message": why if word == "failed" else None,
        "provider": delivery.provider or None,
        "retry": {"attempts": delivery.attempts, "next_attempt_at": iso(delivery.next_attempt_at_us)},
        "sent_at": iso(delivery.sent_at_us),
        "created_at": iso(delivery.created_at_us),
        "updated_at": iso(delivery.updated_at_us or delivery.created_at_us),
    }


def jobs_path(channel: int, execution_id: str) -> str:
    """Return the path of an execution's jobs, whole."""
    return f"/api/v1/{_PATHS.get(channel, 'messages')}/executions/{execution_id}/jobs"


def _jobs(event: ledger_pb2.EventSummary) -> Jobs:
    return jobs_of((one.status, one.count) for one in event.counts)


def _status(jobs: Jobs, *, is_over: bool) -> str:
    if not jobs.total:
        return COMPLETED if is_over else PENDING
    if jobs.pending:
        return PROCESSING
    return FAILED if jobs.failed and not jobs.sent else COMPLETED
