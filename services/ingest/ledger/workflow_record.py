"""Merges what TRACE says of stored workflows, of contacts and of secrets into rows: pure."""

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import time_of
from services.domain import audience
from services.domain.erasures import Erasures
from services.ingest.ledger.recipients import row_of
from services.ingest.ledger.rows import ContactConflictRow, LedgerRows, WorkflowStepRow


def steps_read(rows: LedgerRows, record: trace_pb2.TraceRecord, erasures: Erasures | None) -> None:
    """Add what workflow runs did, and whose runs they are: they may never get a delivery."""
    accepted_us = time_of(record.event_id) if erasures is not None else 0
    for place, step in enumerate(record.workflow_steps.steps):
        destination, is_erased = step.destination, False
        if destination:
            recipient = event_pb2.Recipient(user_id=audience.id_of(destination))
            person = row_of(record.event_id, record.tenant_id, recipient, destination, accepted_us, erasures)
            rows.add_recipient(person)
            destination, is_erased = person.destination, person.addresses is None
        new = WorkflowStepRow(
            record.event_id,
            record.tenant_id,
            step.workflow_run_id,
            step.workflow_id,
            step.workflow_version,
            destination,
            step.step,
            step.outcome,
            step.reason,
            "" if is_erased else step.detail.replace("\x00", ""),
            record.at_us,
            place,
            step.until_us or None,
        )
        row = rows.workflow_steps.setdefault((record.event_id, step.workflow_run_id, step.step, step.outcome), new)
        if row.until_us and new.until_us:  # it may wait at a step again
            row.until_us = max(row.until_us, new.until_us)


def conflict_read(rows: LedgerRows, record: trace_pb2.TraceRecord, erasures: Erasures | None) -> None:
    """Add that a contact's identifiers belong to two people; nothing of an erased one."""
    conflict = record.contact_conflict
    accepted_us = time_of(record.event_id)
    people = (conflict.meant, conflict.other)
    if erasures is not None and any(erasures.find(record.tenant_id, person, accepted_us) for person in people):
        return
    row = ContactConflictRow(record.event_id, record.tenant_id, *people, conflict.identifier, record.at_us)
    rows.conflicts.setdefault((row.event_id, *people, row.identifier), row)


def without_secret(record: trace_pb2.TraceRecord) -> trace_pb2.TraceRecord:
    """Return the record of a dead letter without what was sent: it refers to the body, which is deleted."""
    kept = trace_pb2.TraceRecord()
    kept.CopyFrom(record)
    letter = kept.attempted.dead_letter
    if not letter.HasField("body_reference"):
        letter.body_reference.size = len(letter.variables) + len(letter.payload_extra)
    letter.variables, letter.payload_extra = b"", b""
    letter.direct.ClearField("content")
    return kept
