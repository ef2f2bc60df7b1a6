"""The columns that the ledger's statements take, one list each: pure."""

from collections.abc import Sequence
from typing import Any

from clarion.common.v1 import event_pb2, trace_pb2
from services.ingest.ledger.rows import EndpointPart, EventRow, Item, LedgerRows

_MAX_SMALLINT = 32_767
_NO_ENDPOINT = EndpointPart()


def event_columns(group: LedgerRows) -> list[list[Any]]:
    """Return the columns of upsert_events that say what became of events."""
    rows = list(group.events.values())
    return [
        [row.id for row in rows],
        [row.tenant_id for row in rows],
        [row.event_type for row in rows],
        [row.caller_event_id for row in rows],
        [row.trace_id for row in rows],
        [row.accepted_us for row in rows],
        [row.routed_us for row in rows],
        [row.route_us for row in rows],
        [row.route_reason for row in rows],
        [row.total for row in rows],
        [row.finished_us for row in rows],
        [row.replay_of for row in rows],
        [row.is_test for row in rows],
        [row.size for row in rows],
        [row.is_shared for row in rows],
        [row.due_us for row in rows],
        [row.canceled_us for row in rows],
        [row.canceled_by for row in rows],
    ]


def rare_event_columns(group: LedgerRows) -> list[list[Any]]:
    """Return what few events have: empty columns, which the query reads as null, where none of the group has it."""
    rows = list(group.events.values())
    return [
        [row.metadata for row in rows] if any(row.metadata for row in rows) else [],
        [row.is_released for row in rows] if any(row.is_released for row in rows) else [],
        [row.has_workflows for row in rows] if any(row.has_workflows for row in rows) else [],
        [row.is_secret for row in rows] if any(row.is_secret for row in rows) else [],
    ]


def recipient_columns(group: LedgerRows) -> list[list[Any]]:
    """Return the columns of the recipients."""
    rows = list(group.recipients.values())
    return [
        [row.event_id for row in rows],
        [row.destination for row in rows],
        [row.tenant_id for row in rows],
        [row.user_id for row in rows],
        [row.addresses_json for row in rows],
    ]


def unknown_columns(items: Sequence[Item]) -> list[list[Any]]:
    """Return the columns of records of a later version."""
    return [
        [item.id for item in items],
        [isinstance(item, event_pb2.Event) for item in items],
        [item.SerializeToString() for item in items],
    ]


def repeat_columns(group: LedgerRows) -> list[list[Any]]:
    """Return the columns of note_repeats."""
    records = list(group.repeats.values())
    return [
        [record.event_id for record in records],
        [record.tenant_id for record in records],
        [record.at_us for record in records],
        [record.repeat.event_type for record in records],
    ]


def payload_columns(rows: Sequence[EventRow]) -> list[list[Any]]:
    """Return the columns of insert_payloads."""
    return [[row.tenant_id for row in rows], [row.id for row in rows], [row.payload for row in rows]]


def delivery_columns(group: LedgerRows) -> list[list[Any]]:
    """Return the columns of upsert_deliveries."""
    rows = list(group.deliveries.values())
    return [
        [row.id for row in rows],
        [row.event_id for row in rows],
        [row.tenant_id for row in rows],
        [row.channel for row in rows],
        [row.status for row in rows],
        [row.reason for row in rows],
        [row.provider for row in rows],
        [row.attempts for row in rows],
        [row.replay for row in rows],
        [row.template_version_id for row in rows],
        [row.provider_id for row in rows],
        [row.updated_us for row in rows],
        [row.destination for row in rows],
        [row.step for row in rows],
        [row.is_part for row in rows],
        *_endpoint_columns([row.endpoint for row in rows]),
        [row.workflow_id for row in rows] if any(row.workflow_id for row in rows) else [],
        [row.workflow_run_id for row in rows] if any(row.workflow_run_id for row in rows) else [],
    ]


def workflow_step_columns(group: LedgerRows) -> list[list[Any]]:
    """Return the columns of insert_workflow_steps."""
    rows = list(group.workflow_steps.values())
    return [
        [row.event_id for row in rows],
        [row.workflow_run_id for row in rows],
        [row.step for row in rows],
        [row.outcome for row in rows],
        [row.tenant_id for row in rows],
        [row.workflow_id for row in rows],
        [row.workflow_version for row in rows],
        [row.destination for row in rows],
        [row.at_us for row in rows],
        [row.place for row in rows],
        [row.reason for row in rows],
        [row.detail for row in rows],
        [row.until_us for row in rows],
    ]


def _endpoint_columns(parts: Sequence[EndpointPart | None]) -> list[list[Any]]:
    if not any(parts):  # empty columns are read as null, and cost nothing
        return [[] for _ in range(9)]
    known = [part or _NO_ENDPOINT for part in parts]
    parkings = [part.parking for part in known]
    return [
        [part.endpoint_id for part in known],
        [part.tried for part in known],
        [None if one is None else one.turn for one in parkings],
        [None if one is None else one.at_us for one in parkings],
        [None if one is None else one.reason for one in parkings],
        [None if one is None else one.until_us or None for one in parkings],
        [part.first_us for part in known],
        [part.next_us for part in known],
        [part.sent_us for part in known],
    ]


def conflict_columns(group: LedgerRows) -> list[list[Any]]:
    """Return the columns of insert_conflicts."""
    rows = list(group.conflicts.values())
    return [
        [row.event_id for row in rows],
        [row.tenant_id for row in rows],
        [row.meant for row in rows],
        [row.other for row in rows],
        [row.identifier for row in rows],
        [row.at_us for row in rows],
    ]


def attempt_columns(group: LedgerRows) -> list[list[Any]]:
    """Return the columns of insert_attempts."""
    records = list(group.attempts.values())
    steps: list[trace_pb2.Attempted] = [record.attempted for record in records]
    return [
        [record.id for record in records],
        [record.event_id for record in records],
        [step.delivery_id for step in steps],
        [step.channel for step in steps],
        [step.attempt for step in steps],
        [step.replay for step in steps],
        [step.status for step in steps],
        [step.reason for step in steps],
        [step.detail.replace("\x00", "") for step in steps],
        [step.provider for step in steps],
        [step.provider_message_id for step in steps],
        [record.at_us for record in records],
        [step.wait_us for step in steps],
        [step.render_us for step in steps],
        [step.send_us for step in steps],
        [step.next_attempt_at_us for step in steps],
        [min(step.sms_segments, _MAX_SMALLINT) for step in steps],
        [step.sms_encoding for step in steps],
        [step.provider_id for step in steps],
        *_exchange_columns(steps),
    ]


def _exchange_columns(steps: Sequence[trace_pb2.Attempted]) -> list[list[Any]]:
    exchanges = [step.http if step.HasField("http") else None for step in steps]
    if all(one is None for one in exchanges):
        return [[], [], []]
    return [
        [None if one is None else min(one.status, _MAX_SMALLINT) for one in exchanges],
        [None if one is None else one.url.replace("\x00", "") for one in exchanges],
        [None if one is None else _answer(one) for one in exchanges],
    ]


def _answer(exchange: trace_pb2.HttpExchange) -> bytes:
    """Return what the endpoint answered; status and URL have columns of their own, and are kept for longer."""
    answer = trace_pb2.HttpExchange()
    answer.CopyFrom(exchange)
    answer.ClearField("url")
    answer.ClearField("status")
    return answer.SerializeToString()
