"""Merges messages of EVENTS and TRACE into rows, one per event and delivery: pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from clarion.common.v1 import event_pb2, trace_pb2
from services.domain import statuses
from services.domain.erasures import Erasures
from services.ingest.ports import DAY_S


@dataclass(slots=True)
class EventRow:
    """What these messages say of an event; None: nothing. Times in Unix microseconds."""

    id: str
    tenant_id: str
    event_type: str | None = None
    caller_event_id: str | None = None
    user_id: str | None = None
    email: str | None = None
    phone: str | None = None
    trace_id: str | None = None
    accepted_us: int | None = None
    routed_us: int | None = None
    route_us: int | None = None
    route_reason: str | None = None
    planned: int | None = None
    finished_us: int | None = None
    replay_of: str | None = None
    is_test: bool | None = None
    # Bytes of its tenant's budget.
    size: int | None = None
    # The serialised event.
    payload: bytes | None = None


@dataclass(slots=True)
class DeliveryRow:
    """The state of a delivery."""

    id: str
    event_id: str
    tenant_id: str
    channel: int
    status: int
    reason: str
    provider: str
    attempts: int
    replay: int
    template_version_id: str | None
    provider_id: str | None
    updated_us: int


@dataclass(slots=True)
class LedgerRows:
    """The rows of one transaction."""

    events: dict[str, EventRow] = field(default_factory=dict)
    deliveries: dict[str, DeliveryRow] = field(default_factory=dict)
    attempts: dict[str, trace_pb2.TraceRecord] = field(default_factory=dict)
    dead: list[trace_pb2.TraceRecord] = field(default_factory=list)
    # By event: the first record of a later call that used its key for something else.
    repeats: dict[str, trace_pb2.TraceRecord] = field(default_factory=dict)
    # By (tenant, key hash): (event, accepted_us, ttl_s of the key) of the events that are in EVENTS.
    stored: dict[tuple[str, bytes], tuple[str, int, int]] = field(default_factory=dict)

    def finished(self) -> list[EventRow]:
        """Return the events that these rows alone show to be finished."""
        return [row for row in self.events.values() if row.finished_us is not None]

    def add_late(self, before: str) -> list[str]:
        """Add a row for each event below this id that has only deliveries or attempts here; return the events' ids.

        Retention may have deleted the event, and deliveries without an event would never be found or deleted.
        """
        tenants = {row.event_id: row.tenant_id for row in self.deliveries.values() if row.event_id < before}
        tenants |= {record.event_id: record.tenant_id for record in self.attempts.values() if record.event_id < before}
        late = sorted(tenants.keys() - self.events.keys())
        for event_id in late:
            _event(self, event_id, tenants[event_id])
        return late

    def maybe_finished(self) -> list[str]:
        """Return the events that may be finished now, together with what the tables hold of them."""
        touched = {row.event_id for row in self.deliveries.values() if statuses.is_terminal(row.status)}
        touched |= {row.id for row in self.events.values() if row.planned is not None}
        return sorted(touched - {row.id for row in self.finished()})


def merge(items: Iterable[event_pb2.Event | trace_pb2.TraceRecord], erasures: Erasures | None = None) -> LedgerRows:
    """Merge events and records, which may come in any order and repeatedly. erasures: whose data is not stored."""
    rows = LedgerRows()
    for item in items:
        if isinstance(item, event_pb2.Event):
            _accepted(rows, item, erasures)
        elif item.HasField("routed"):
            _routed(rows, item)
        elif item.HasField("attempted"):
            _attempted(rows, item)
            _died(rows, item, erasures)
        elif item.HasField("reported"):
            _reported(rows, item)
        elif item.HasField("repeat"):
            rows.repeats.setdefault(item.event_id, item)
    _finish(rows)
    return rows


def _event(rows: LedgerRows, event_id: str, tenant_id: str) -> EventRow:
    row = rows.events.get(event_id)
    if row is None:
        row = rows.events[event_id] = EventRow(event_id, tenant_id)
    return row


def _accepted(rows: LedgerRows, event: event_pb2.Event, erasures: Erasures | None) -> None:
    row = _event(rows, event.id, event.tenant_id)
    recipient = event.recipient
    row.event_type = event.event_type
    row.accepted_us = event.accepted_at_us
    row.replay_of = event.replay_of or None
    row.is_test = event.HasField("pinned")
    row.size = event.weight or None
    erasure = erasures.find(event.tenant_id, recipient.user_id, event.accepted_at_us) if erasures else None
    if erasure is None:
        row.caller_event_id = event.caller_event_id
        row.user_id, row.email, row.phone = recipient.user_id, recipient.email, recipient.phone
        row.trace_id = event.trace_id
        row.payload = event.SerializeToString()
    else:
        row.caller_event_id = row.email = row.phone = row.trace_id = ""
        row.user_id = erasure.pseudonym
    if event.dedupe_key:
        rows.stored[event.tenant_id, event.dedupe_key] = (
            event.id,
            event.accepted_at_us,
            event.dedupe_ttl_s or DAY_S,
        )


def _routed(rows: LedgerRows, record: trace_pb2.TraceRecord) -> None:
    row = _event(rows, record.event_id, record.tenant_id)
    routed = record.routed
    row.routed_us, row.route_us = record.at_us, record.duration_us
    row.route_reason = routed.reason
    row.planned = len(routed.deliveries)
    for planned in routed.deliveries:
        _deliver(
            rows,
            DeliveryRow(
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
            ),
        )


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
    step = record.attempted
    letter = step.dead_letter
    if step.status == trace_pb2.DELIVERY_STATUS_DEAD and not (erasures and erasures.refusal(letter)):
        rows.dead.append(record)


def _deliver(rows: LedgerRows, new: DeliveryRow) -> None:
    old = rows.deliveries.get(new.id)
    if old is None:
        rows.deliveries[new.id] = new
        return
    later, earlier = (new, old) if _rank(new) > _rank(old) else (old, new)
    later.attempts = max(later.attempts, earlier.attempts)
    later.template_version_id = later.template_version_id or earlier.template_version_id
    later.provider_id = later.provider_id or earlier.provider_id
    later.updated_us = max(later.updated_us, earlier.updated_us)
    rows.deliveries[new.id] = later


def _rank(row: DeliveryRow) -> tuple[int, int, int]:
    return row.replay, statuses.rank(row.status), row.attempts


def _finish(rows: LedgerRows) -> None:
    ended: dict[str, int] = {}
    last: dict[str, int] = {}
    for delivery in rows.deliveries.values():
        if statuses.is_terminal(delivery.status):
            ended[delivery.event_id] = ended.get(delivery.event_id, 0) + 1
            last[delivery.event_id] = max(last.get(delivery.event_id, 0), delivery.updated_us)
    for row in rows.events.values():
        if row.planned is not None and ended.get(row.id, 0) >= row.planned:
            row.finished_us = last.get(row.id, row.routed_us)
