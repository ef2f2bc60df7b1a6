"""Builds the timeline of an event from its rows: pure."""

from collections.abc import Sequence
from typing import Any, Protocol

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ledger_pb2
from services.domain import channels, statuses
from services.domain.reasons import Reason


class Row(Protocol):
    """A record of the store: its columns by name."""

    def __getitem__(self, column: str, /) -> Any:
        """Return a column's value."""


# A report that changes no status: the recipient unsubscribed.
_UNSUBSCRIBED = (Reason.UNSUBSCRIBED, statuses.OK)
_UNKNOWN = ("sent", statuses.OK)
# By which identifier somebody else is known, in words.
_IDENTIFIERS = {"email": "e-mail address", "phone": "phone number"}
# What the reason of an event says if some of it is sent.
_OF_THE_REST: dict[str, str] = {
    Reason.NO_ACTIVE_TEMPLATE: "The type has no template, so nobody gets a message. The endpoints get the event.",
    Reason.NO_SUBSCRIBER: "No endpoint subscribes to the type. The other channels get the event.",
}


def to_us(moment: Any) -> int:
    """Return Unix microseconds of a datetime; 0 for None."""
    return round(moment.timestamp() * 1_000_000) if moment is not None else 0


def exchange(attempt: Row) -> trace_pb2.HttpExchange | None:
    """Return the call of an attempt over HTTP; without what was answered, if that was not read or was deleted."""
    if attempt["http_url"] is None:
        return None
    answer = attempt["http_answer"]
    call = trace_pb2.HttpExchange() if answer is None else trace_pb2.HttpExchange.FromString(answer)
    call.url, call.status = attempt["http_url"], attempt["http_status"]
    return call


def timeline(
    event: Row,
    deliveries: Sequence[Row],
    attempts: Sequence[Row],
    replays: Sequence[Row] = (),
    of_workflows: Sequence[Row] = (),
    conflicts: Sequence[Row] = (),
) -> list[ledger_pb2.TimelineStep]:
    """Return the steps in order of time.

    replays: the events (id, accepted_at) that are replays of this one. of_workflows: the steps of its workflow runs.
    conflicts: its contacts whose identifiers belong to two people.
    """
    steps = _of_event(event, is_sent=not all(map(_is_skipped, deliveries)))
    steps += map(_conflict, conflicts)
    steps += _of_workflows(of_workflows)
    if event["routed_at"] is not None:
        steps += [_queued(event, delivery) for delivery in deliveries]
    for attempt in attempts:
        steps += _attempted(attempt)
    steps += [
        ledger_pb2.TimelineStep(
            step="replayed",
            at_us=to_us(replay["accepted_at"]),
            outcome=statuses.OK,
            detail=str(replay["id"]),
            service="ingest",
        )
        for replay in replays
    ]
    return sorted(steps, key=lambda step: step.at_us)


def delivery_timeline(
    event: Row, delivery: Row, attempts: Sequence[Row], of_workflow: Sequence[Row] = ()
) -> list[ledger_pb2.TimelineStep]:
    """Return the steps of one delivery of an event, in order of time. of_workflow: those of its workflow run."""
    steps = _of_workflows(of_workflow)
    if event["routed_at"] is not None:
        steps.append(_queued(event, delivery))
    for attempt in attempts:
        steps += _attempted(attempt)
    return sorted(steps, key=lambda step: step.at_us)


def _of_event(event: Row, *, is_sent: bool) -> list[ledger_pb2.TimelineStep]:
    """Return the steps of the event as a whole. is_sent: some of it is sent, so a reason is that of the rest."""
    steps = []
    if event["accepted_at"] is not None:
        steps.append(
            ledger_pb2.TimelineStep(
                step="accepted",
                at_us=to_us(event["accepted_at"]),
                outcome=statuses.OK,
                detail="A test of one template version." if event["is_test"] else "",
                service="ingest",
            )
        )
    if event["due_at"] is not None and event["accepted_at"] is not None:
        steps.append(
            ledger_pb2.TimelineStep(
                step="waiting",
                at_us=to_us(event["accepted_at"]),
                outcome=statuses.OK,
                next_attempt_at_us=to_us(event["due_at"]),
                service="router",
            )
        )
    if event["routed_at"] is not None:
        reason = event["route_reason"] or ""
        steps.append(
            ledger_pb2.TimelineStep(
                step="routed",
                at_us=to_us(event["routed_at"]),
                duration_us=event["route_us"] or 0,
                outcome=statuses.SKIPPED if reason and not is_sent else statuses.OK,
                reason=reason,
                detail=_OF_THE_REST.get(reason, "") if is_sent else "",
                service="router",
            )
        )
    if event["canceled_at"] is not None:
        steps.append(
            ledger_pb2.TimelineStep(
                step="canceled",
                at_us=to_us(event["canceled_at"]),
                outcome=statuses.SKIPPED,
                reason=Reason.CANCELED,
                detail=event["canceled_by"] or "",
                service="router",
            )
        )
    if event["repeat_differed_at"] is not None:
        steps.append(
            ledger_pb2.TimelineStep(
                step="repeated",
                at_us=to_us(event["repeat_differed_at"]),
                outcome=statuses.SKIPPED,
                reason=Reason.BODY_DIFFERS,
                detail=f"A call with the same key asked for something else (type {event['repeat_type']})."
                " It got this event's answer, and nothing was sent for it.",
                service="ingest",
            )
        )
    return steps


def _of_workflows(rows: Sequence[Row]) -> list[ledger_pb2.TimelineStep]:
    """Return what workflow runs did besides sending, in order of time."""
    return [
        ledger_pb2.TimelineStep(
            step="workflow",
            at_us=to_us(row["at"]),
            outcome=row["outcome"],
            reason=row["reason"],
            detail=row["detail"],
            service="router",
            next_attempt_at_us=to_us(row["until_at"]),
            workflow_id=str(row["workflow_id"]),
            workflow_run_id=str(row["workflow_run_id"]),
            workflow_step=row["step"],
        )
        for row in sorted(rows, key=lambda row: (row["at"], row["place"]))
    ]


def _conflict(row: Row) -> ledger_pb2.TimelineStep:
    """Return that a contact's identifiers belong to two people."""
    what = _IDENTIFIERS.get(row["identifier"], row["identifier"])
    return ledger_pb2.TimelineStep(
        step="contact_conflict",
        at_us=to_us(row["at"]),
        outcome=statuses.OK,
        detail=f"The {what} belongs to {row['other']}. The event is for {row['meant']}, and left the other as it is.",
        service="router",
    )


def _is_skipped(delivery: Row) -> bool:
    """Return whether nothing was tried of a delivery, and nothing will be."""
    return delivery["status"] == trace_pb2.DELIVERY_STATUS_SKIPPED and not delivery["attempts"]


def _queued(event: Row, delivery: Row) -> ledger_pb2.TimelineStep:
    """Return what was decided on a delivery."""
    skipped = _is_skipped(delivery)
    return ledger_pb2.TimelineStep(
        step="skipped" if skipped else "queued",
        at_us=to_us(event["routed_at"]),
        delivery_id=str(delivery["id"]),
        channel=delivery["channel"],
        outcome=statuses.SKIPPED if skipped else statuses.OK,
        reason=delivery["reason"] if skipped else "",
        service="router",
        template_version_id=delivery["template_version_id"] or "",
    )


def _parked(attempt: Row) -> ledger_pb2.TimelineStep:
    """Return that a delivery waits in a row of the senders."""
    return ledger_pb2.TimelineStep(
        step="parked",
        at_us=to_us(attempt["ended_at"]),
        delivery_id=str(attempt["delivery_id"]),
        channel=attempt["channel"],
        attempt=attempt["attempt"],
        replay=attempt["replay"],
        outcome=statuses.RETRYING,
        reason=attempt["reason"],
        next_attempt_at_us=to_us(attempt["next_attempt_at"]),
        service="senders",
    )


def _attempted(attempt: Row) -> list[ledger_pb2.TimelineStep]:
    if attempt["status"] == trace_pb2.DELIVERY_STATUS_QUEUED:
        return [_parked(attempt)]
    status = statuses.BY_NUMBER.get(attempt["status"])
    if status is not None:
        step, outcome, is_report = status.name, status.outcome, status.is_reported
    elif attempt["status"] == trace_pb2.DELIVERY_STATUS_UNSPECIFIED:
        step, outcome, is_report = *_UNSUBSCRIBED, True
    else:  # a later version wrote it
        step, outcome, is_report = *_UNKNOWN, False
    if attempt["status"] == trace_pb2.DELIVERY_STATUS_RETRYING and attempt["next_attempt_at"] is None:
        # No retry was planned, because the next provider was called at once with the same content.
        step, outcome = "failed_over", statuses.FAILED
    channel = channels.BY_NUMBER.get(attempt["channel"])
    ended_us = to_us(attempt["ended_at"])
    common = {
        "delivery_id": str(attempt["delivery_id"]),
        "channel": attempt["channel"],
        "attempt": attempt["attempt"],
        "replay": attempt["replay"],
    }
    steps = []
    # Without a provider, rendering failed. For an endpoint nothing is rendered.
    is_rendered = channel is None or channel.is_for_people
    if is_rendered and not is_report and step != "failed_over" and (attempt["provider"] or outcome == statuses.OK):
        steps.append(
            ledger_pb2.TimelineStep(
                step="rendered",
                at_us=ended_us - attempt["send_us"],
                duration_us=attempt["render_us"],
                outcome=statuses.OK,
                service="render",
                **common,
            )
        )
    steps.append(
        ledger_pb2.TimelineStep(
            step=step,
            at_us=ended_us,
            # Where nothing was sent, its time is that of preparing it.
            duration_us=attempt["send_us"] if attempt["provider"] else attempt["render_us"] + attempt["send_us"],
            wait_us=attempt["wait_us"],
            prepare_us=attempt["render_us"],
            outcome=outcome,
            reason=attempt["reason"],
            detail=attempt["detail"],
            provider=attempt["provider"],
            provider_id=attempt["provider_id"],
            provider_message_id=attempt["provider_message_id"],
            next_attempt_at_us=to_us(attempt["next_attempt_at"]),
            service=channel.service if channel is not None else "senders",
            sms_segments=attempt["sms_segments"],
            sms_encoding=attempt["sms_encoding"],
            http=exchange(attempt),
            **common,
        )
    )
    return steps
