"""Merges messages of EVENTS and TRACE into rows, one per event and delivery: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
from google.protobuf.unknown_fields import UnknownFieldSet

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import time_of
from services.domain import audience, channels, statuses
from services.domain.delivery_ids import is_known_scheme
from services.domain.erasures import Erasures
from services.domain.reasons import Reason
from services.ingest.event_ids import lowest_id
from services.ingest.ledger.recipients import (
    is_shared,
    remove_people,
    row_of,
    rows_of,
    user_ids_of,
)
from services.ingest.ledger.rows import DeliveryRow, EndpointPart, Item, LedgerRows, Parking, turn_of
from services.ingest.ledger.workflow_record import conflict_read, steps_read, without_secret
from services.ingest.ports import DAY_S

_NONE_ENDED = (0, 0)
_DAY_US = DAY_S * 1_000_000
# The labels of an event whose person was erased.
_NO_METADATA = "{}"


def merge(items: Iterable[Item], erasures: Erasures | None = None) -> LedgerRows:
    """Merge events and records, which may come in any order and repeatedly. erasures: whose data is not stored."""
    rows = LedgerRows()
    for item in items:
        if isinstance(item, event_pb2.Event):
            _event_read(rows, item, erasures)
        else:
            _record_read(rows, item, erasures)
    _finish(rows)
    return rows


def is_known(item: Item) -> bool:
    """Return whether this version understands the event or record; if not, a later version wrote it."""
    if isinstance(item, event_pb2.Event):
        return is_known_scheme(item)
    return item.WhichOneof("step") is not None or not len(UnknownFieldSet(item))


def _event_read(rows: LedgerRows, event: event_pb2.Event, erasures: Erasures | None) -> None:
    if is_known(event):
        _accepted(rows, event, erasures)
    else:
        rows.unknown.append(event)


def _record_read(rows: LedgerRows, record: trace_pb2.TraceRecord, erasures: Erasures | None) -> None:
    match record.WhichOneof("step"):
        case "attempted":  # the most frequent one
            _attempted(rows, record)
            if record.attempted.status == trace_pb2.DELIVERY_STATUS_DEAD:
                _died(rows, record, erasures)
        case "routed":
            _routed(rows, record, erasures)
        case "reported":
            _reported(rows, record)
        case "repeat":
            rows.repeats.setdefault(record.event_id, record)
        case "parked":
            _parked(rows, record)
        case "workflow_steps":
            steps_read(rows, record, erasures)
        case "contact_conflict":
            conflict_read(rows, record, erasures)
        case None if not is_known(record):
            rows.unknown.append(record)
        case _:
            _of_event_as_a_whole(rows, record)


def _of_event_as_a_whole(rows: LedgerRows, record: trace_pb2.TraceRecord) -> None:
    match record.WhichOneof("step"):
        case "waiting":
            row = rows.event(record.event_id, record.tenant_id)
            row.due_us = max(row.due_us or 0, record.waiting.until_us)
        # An id of tomorrow is of no event: its row would never be old enough to be deleted.
        case "released":
            row = rows.event(record.event_id, record.tenant_id)
            row.is_released = True
            if (
                row.routed_us is None
            ):  # its workflows wait before they send anything: there may be no part of a plan yet
                row.routed_us, row.route_us = record.at_us, record.duration_us
        case "canceled" if record.event_id < lowest_id(record.at_us + _DAY_US):
            row = rows.event(record.event_id, record.tenant_id)
            if row.tenant_id == record.tenant_id:  # nobody cancels another tenant's event
                row.canceled_us, row.canceled_by = record.at_us, record.canceled.by


def _accepted(rows: LedgerRows, event: event_pb2.Event, erasures: Erasures | None) -> None:
    row = rows.event(event.id, event.tenant_id)
    if row.tenant_id != event.tenant_id:  # only another tenant's cancellation made it
        row.tenant_id, row.canceled_us, row.canceled_by = event.tenant_id, None, None
    row.event_type = event.event_type
    row.accepted_us = event.accepted_at_us
    row.replay_of = event.replay_of or None
    row.is_test = event.HasField("pinned")
    row.size = event.weight or None
    row.has_workflows = bool(event.workflows.workflows) or None
    row.is_secret = event.is_secret or None
    if event.audience and is_shared(event):
        row.is_shared = True
    if event.due_at_us > event.accepted_at_us:  # a time that has come is "at once"
        row.due_us = max(row.due_us or 0, event.due_at_us)
    any_erased = False
    for person in rows_of(event, erasures):
        any_erased |= person.addresses is None
        rows.add_recipient(person)
    kept = _without_erased(event, erasures) if any_erased or event.exclusions else event
    if kept is None:
        row.caller_event_id = row.trace_id = ""
        row.metadata = _NO_METADATA if event.metadata else None
    else:
        row.caller_event_id, row.trace_id = event.caller_event_id, event.trace_id
        row.metadata = metadata_json(event.tenant_id, event.metadata) if event.metadata else None
        row.payload = kept.SerializeToString()
    if event.dedupe_key:
        rows.stored[event.tenant_id, event.dedupe_key] = (
            event.id,
            event.accepted_at_us,
            event.dedupe_ttl_s or DAY_S,
        )


def metadata_json(tenant_id: str, metadata: Mapping[str, str]) -> str:
    """Return an event's labels as its row has them. PostgreSQL stores no NUL."""
    labels = {name.replace("\x00", ""): value.replace("\x00", "") for name, value in metadata.items()}
    return msgspec.json.encode({tenant_id: labels}).decode()


def _without_erased(event: event_pb2.Event, erasures: Erasures | None) -> event_pb2.Event | None:
    """Return the event without erased people; None: it is for nobody else."""
    erased = {
        user_id
        for user_id in user_ids_of(event)
        if erasures is not None and erasures.find(event.tenant_id, user_id, event.accepted_at_us)
    }
    if not erased:
        return event
    kept = event_pb2.Event()
    kept.CopyFrom(event)
    return kept if remove_people(kept, erased) else None


def _routed(rows: LedgerRows, record: trace_pb2.TraceRecord, erasures: Erasures | None) -> None:
    row = rows.event(record.event_id, record.tenant_id)
    routed = record.routed
    if row.routed_us is None or record.at_us < row.routed_us:
        row.routed_us, row.route_us = record.at_us, record.duration_us
    row.route_reason = row.route_reason or routed.reason
    if not routed.continues:
        row.total = routed.total or len(routed.deliveries)
    is_part = routed.continues or routed.total > len(routed.deliveries)
    destinations = set()
    # Not those of a workflow, which come one by one for one person, too.
    is_of_many = False
    for planned in routed.deliveries:
        destination = None
        if planned.HasField("recipient"):
            destination = _destination(rows, record, planned, erasures)
            destinations.add(destination)
            is_of_many |= is_part and not planned.workflow_id
        new = DeliveryRow(
            planned.delivery_id,
            record.event_id,
            record.tenant_id,
            planned.channel,
            planned.status,
            planned.reason,
            "",
            0,
            0,
            planned.template_version_id,
            planned.provider_id,
            record.at_us,
            destination,
            planned.step
            if planned.step and (planned.workflow_id or planned.step != channels.NAMES.get(planned.channel))
            else None,
            is_part,
            EndpointPart(planned.endpoint_id) if planned.endpoint_id else None,
            planned.workflow_id or None,
            planned.workflow_run_id or None,
        )
        _deliver(rows, new)
    if len(destinations) > 1 or is_of_many:  # endpoints are no recipients
        row.is_shared = True


def _destination(
    rows: LedgerRows,
    record: trace_pb2.TraceRecord,
    planned: trace_pb2.PlannedDelivery,
    erasures: Erasures | None,
) -> str:
    # An event's id has the time at which it was accepted.
    accepted_us = time_of(record.event_id) if erasures is not None else 0
    destination = planned.destination or audience.destination(planned.recipient)
    person = row_of(record.event_id, record.tenant_id, planned.recipient, destination, accepted_us, erasures)
    rows.add_recipient(person)
    return person.destination


def _attempted(rows: LedgerRows, record: trace_pb2.TraceRecord) -> None:
    step = record.attempted
    rows.attempts[record.id] = record
    _deliver(
        rows,
        DeliveryRow(
            step.delivery_id,
            record.event_id,
            record.tenant_id,
            step.channel,
            step.status,
            step.reason,
            step.provider,
            step.attempt,
            step.replay,
            None,
            None,
            record.at_us,
            endpoint=_tried(record) if step.channel == event_pb2.CHANNEL_WEBHOOK else None,
        ),
    )


def _tried(record: trace_pb2.TraceRecord) -> EndpointPart:
    """Return what an attempt says of a delivery to an endpoint."""
    step = record.attempted
    return EndpointPart(
        tried=turn_of(step.replay, step.attempt, is_last=statuses.is_terminal(step.status)),
        first_us=record.at_us if step.status != trace_pb2.DELIVERY_STATUS_SKIPPED else None,
        next_us=step.next_attempt_at_us or None,
        sent_us=record.at_us if step.status == trace_pb2.DELIVERY_STATUS_SENT else None,
    )


def _parked(rows: LedgerRows, record: trace_pb2.TraceRecord) -> None:
    """Store that a delivery waits in a row of the senders, and for the timeline a line among its attempts.

    Not that it waits for its next attempt: the line of the attempt before says so.
    """
    step = record.parked
    _deliver(
        rows,
        DeliveryRow(
            step.delivery_id,
            record.event_id,
            record.tenant_id,
            step.channel,
            trace_pb2.DELIVERY_STATUS_QUEUED,
            "",
            "",
            0,
            step.replay,
            None,
            None,
            record.at_us,
            endpoint=EndpointPart(
                parking=Parking(turn_of(step.replay, step.attempt), record.at_us, step.reason, step.until_us)
            ),
        ),
    )
    if step.reason != Reason.RETRY:
        rows.attempts[record.id] = trace_pb2.TraceRecord(
            id=record.id,
            event_id=record.event_id,
            tenant_id=record.tenant_id,
            at_us=record.at_us,
            attempted=trace_pb2.Attempted(
                delivery_id=step.delivery_id,
                channel=step.channel,
                attempt=step.attempt,
                replay=step.replay,
                status=trace_pb2.DELIVERY_STATUS_QUEUED,
                reason=step.reason,
                next_attempt_at_us=step.until_us,
            ),
        )


def _reported(rows: LedgerRows, record: trace_pb2.TraceRecord) -> None:
    """Store a report as one of the delivery's attempts; one with a status changes the delivery's status."""
    step = record.reported
    line = trace_pb2.TraceRecord(
        id=record.id,
        event_id=record.event_id,
        tenant_id=record.tenant_id,
        at_us=record.at_us,
        attempted=trace_pb2.Attempted(
            delivery_id=step.delivery_id,
            channel=step.channel,
            attempt=step.attempt,
            replay=step.replay,
            status=step.status,
            reason=step.reason,
            detail=step.detail,
            provider=step.provider,
            provider_message_id=step.provider_message_id,
        ),
    )
    if step.status == trace_pb2.DELIVERY_STATUS_UNSPECIFIED:
        rows.attempts[record.id] = line
    else:
        _attempted(rows, line)


def _died(rows: LedgerRows, record: trace_pb2.TraceRecord, erasures: Erasures | None) -> None:
    if not (erasures and erasures.refusal(record.attempted.dead_letter)):
        rows.dead.append(without_secret(record) if record.attempted.dead_letter.is_secret else record)


def _deliver(rows: LedgerRows, new: DeliveryRow) -> None:
    old = rows.deliveries.get(new.id)
    if old is None:
        rows.deliveries[new.id] = new
        return
    later, earlier = (new, old) if _rank(new) > _rank(old) else (old, new)
    later.attempts = max(later.attempts, earlier.attempts)
    later.updated_us = max(later.updated_us, earlier.updated_us)
    # What the plan says; an attempt does not.
    later.template_version_id = later.template_version_id or earlier.template_version_id
    later.provider_id = later.provider_id or earlier.provider_id
    later.destination = later.destination or earlier.destination
    later.step = later.step or earlier.step
    later.is_part = later.is_part or earlier.is_part
    later.workflow_id = later.workflow_id or earlier.workflow_id
    later.workflow_run_id = later.workflow_run_id or earlier.workflow_run_id
    if later.endpoint is None:
        later.endpoint = earlier.endpoint
    elif earlier.endpoint is not None:
        later.endpoint.merge(earlier.endpoint)
    rows.deliveries[new.id] = later


def _rank(row: DeliveryRow) -> tuple[int, int, int]:
    return row.replay, statuses.rank(row.status), row.attempts


def _finish(rows: LedgerRows) -> None:
    # By event: how many of its deliveries have ended, and when the last of them did.
    ended: dict[str, tuple[int, int]] = {}
    # By event: how many wait in rows of the senders.
    parked: Counter[str] = Counter()
    is_open: set[str] = set()
    for delivery in rows.deliveries.values():
        if delivery.status not in statuses.OPEN:
            count, last_us = ended.get(delivery.event_id, _NONE_ENDED)
            ended[delivery.event_id] = (count + 1, max(last_us, delivery.updated_us))
        elif delivery.is_parked:
            parked[delivery.event_id] += 1
        else:
            is_open.add(delivery.event_id)
    for row in rows.events.values():
        if row.total is not None and row.id not in is_open:
            count, last_us = ended.get(row.id, _NONE_ENDED)
            if count >= row.total:
                row.finished_us = last_us or row.routed_us
            elif parked and count + parked[row.id] >= row.total:
                row.is_released = True
