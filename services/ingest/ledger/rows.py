"""The rows that one transaction of the ledger writes: plain values."""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from clarion.common.v1 import event_pb2, trace_pb2
from services.domain import statuses
from services.ingest.ledger.recipients import RecipientRow

# A message of EVENTS, or a record of TRACE.
Item: TypeAlias = event_pb2.Event | trace_pb2.TraceRecord

_MAX_REPLAY, _LAST_ATTEMPT = 0x7FFF, 0xFFFF


@dataclass(slots=True)
class EventRow:
    """What these messages say of an event; None: nothing. Times in Unix microseconds."""

    id: str
    tenant_id: str
    event_type: str | None = None
    caller_event_id: str | None = None
    trace_id: str | None = None
    accepted_us: int | None = None
    routed_us: int | None = None
    route_us: int | None = None
    route_reason: str | None = None
    # Deliveries of the whole plan, once it is closed.
    total: int | None = None
    finished_us: int | None = None
    replay_of: str | None = None
    is_test: bool | None = None
    # Bytes of its tenant's budget.
    size: int | None = None
    # The serialised event.
    payload: bytes | None = None
    # It has, or may get, more than one recipient.
    is_shared: bool | None = None
    due_us: int | None = None
    canceled_us: int | None = None
    canceled_by: str | None = None
    # Its labels, as the column has them: JSON {tenant: {name: value}}.
    metadata: str | None = None
    # All that is left of it waits in rows of the senders, or in workflow runs.
    is_released: bool | None = None
    # It starts stored workflows.
    has_workflows: bool | None = None
    # Its payload is deleted when it is finished.
    is_secret: bool | None = None

    @property
    def is_rest(self) -> bool:
        """Return whether it was neither accepted nor planned here: it may be all that there is of an event."""
        return self.accepted_us is None and self.routed_us is None


class Parking(NamedTuple):
    """That a delivery waits in a row of the senders. Of two the greater one is the newer.

    turn: before which attempt, see turn_of(). at_us: when it began. until_us: 0: not known.
    """

    turn: int
    at_us: int
    reason: str
    until_us: int


@dataclass(slots=True)
class EndpointPart:
    """What only a delivery to an endpoint has; None: these messages do not say. Times in Unix microseconds.

    tried: the turn of its newest attempt. next_us: when the next attempt is due.
    """

    endpoint_id: str | None = None
    tried: int | None = None
    parking: Parking | None = None
    first_us: int | None = None
    next_us: int | None = None
    sent_us: int | None = None

    @property
    def is_parked(self) -> bool:
        """Return whether it waits in a row of the senders."""
        return self.parking is not None and self.parking.turn > (-1 if self.tried is None else self.tried)

    def merge(self, earlier: "EndpointPart") -> None:
        """Add what other messages say. earlier: of a status that this one replaces."""
        self.endpoint_id = self.endpoint_id or earlier.endpoint_id
        self.tried = max(self.tried or 0, earlier.tried or 0) or None
        self.parking = max(filter(None, (self.parking, earlier.parking)), default=None)
        self.first_us = min(filter(None, (self.first_us, earlier.first_us)), default=None)
        self.sent_us = min(filter(None, (self.sent_us, earlier.sent_us)), default=None)


def turn_of(replay: int, attempt: int, *, is_last: bool = False) -> int:
    """Return a number by which attempts are compared over all replays. is_last: nothing is tried after it."""
    return (min(replay, _MAX_REPLAY) << 16) + (_LAST_ATTEMPT if is_last else min(attempt, _LAST_ATTEMPT - 1))


@dataclass(slots=True)
class DeliveryRow:
    """The state of a delivery.

    destination: None: the event's only recipient. step: None: the channel's name. is_part: of a plan of several
    records, whose deliveries have counters. endpoint: None: these messages do not say that it goes to an endpoint.
    workflow_id, workflow_run_id: None: no stored workflow plans it, or these messages do not say.
    """

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
    destination: str | None = None
    step: str | None = None
    is_part: bool = False
    endpoint: EndpointPart | None = None
    workflow_id: str | None = None
    workflow_run_id: str | None = None

    @property
    def is_parked(self) -> bool:
        """Return whether it waits in a row of the senders."""
        return self.endpoint is not None and self.endpoint.is_parked


@dataclass(slots=True)
class WorkflowStepRow:
    """What a workflow run did besides sending; see clarion.common.v1.WorkflowStep. Times in Unix microseconds.

    destination: whose run it is; of an erased person their pseudonym. place: among the steps of the same time.
    """

    event_id: str
    tenant_id: str
    workflow_run_id: str
    workflow_id: str
    workflow_version: int
    destination: str
    step: str
    outcome: str
    reason: str
    detail: str
    at_us: int
    place: int
    until_us: int | None


class ContactConflictRow(NamedTuple):
    """Two of the identifiers by which an event names somebody belong to different people; see ContactConflict."""

    event_id: str
    tenant_id: str
    meant: str
    other: str
    identifier: str
    at_us: int


@dataclass(slots=True)
class LedgerRows:
    """The rows of one transaction."""

    events: dict[str, EventRow] = field(default_factory=dict)
    # By event and destination.
    recipients: dict[tuple[str, str], RecipientRow] = field(default_factory=dict)
    deliveries: dict[str, DeliveryRow] = field(default_factory=dict)
    attempts: dict[str, trace_pb2.TraceRecord] = field(default_factory=dict)
    dead: list[trace_pb2.TraceRecord] = field(default_factory=list)
    # By event: the first record of a later call that used its key for something else.
    repeats: dict[str, trace_pb2.TraceRecord] = field(default_factory=dict)
    # By (tenant, key hash): (event, accepted_us, ttl_s of the key) of the events that are in EVENTS.
    stored: dict[tuple[str, bytes], tuple[str, int, int]] = field(default_factory=dict)
    # By event, run, step and outcome: a run passes each step once.
    workflow_steps: dict[tuple[str, str, str, str], WorkflowStepRow] = field(default_factory=dict)
    # By event and people.
    conflicts: dict[tuple[str, ...], ContactConflictRow] = field(default_factory=dict)
    # What only a later version understands.
    unknown: list[Item] = field(default_factory=list)

    def event(self, event_id: str, tenant_id: str) -> EventRow:
        """Return an event's row, a new one if there is none."""
        row = self.events.get(event_id)
        if row is None:
            row = self.events[event_id] = EventRow(event_id, tenant_id)
        return row

    def add_recipient(self, person: RecipientRow) -> None:
        """Add what a record says of a recipient."""
        known = self.recipients.setdefault((person.event_id, person.destination), person)
        if known is not person:
            known.merge(person)

    def finished(self) -> list[EventRow]:
        """Return the events that these rows alone show to be finished."""
        return [row for row in self.events.values() if row.finished_us is not None]

    def add_late(self, before: str) -> list[str]:
        """Return the events below this id of which these rows know nothing but what became of them.

        Adds a row for each that has only deliveries, attempts and the like here. Retention may have deleted the event,
        and what is written of it then would never be found or deleted.
        """
        parts = (self.deliveries, self.attempts, self.workflow_steps, self.conflicts)
        tenants = {row.event_id: row.tenant_id for part in parts for row in part.values() if row.event_id < before}
        late = tenants.keys() - self.events.keys()
        for event_id in sorted(late):
            self.event(event_id, tenants[event_id])
        return sorted(late | {row.id for row in self.events.values() if row.id < before and row.is_rest})

    def maybe_finished(self) -> list[str]:
        """Return the events that may be finished now, together with what the tables hold of them."""
        touched = {
            row.event_id for row in self.deliveries.values() if statuses.is_terminal(row.status) or row.is_parked
        }
        touched |= {row.id for row in self.events.values() if row.total is not None}
        return sorted(touched - {row.id for row in self.finished()})
