"""A run, and what comes next of it: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import run_output_pb2, runs_pb2
from runtime.ids import derived_id_at, new_id
from services.domain import audience
from services.domain.reasons import Reason
from services.router.ports import Membership
from services.router.runs.ports import Planned

WAITING = runs_pb2.RUN_STATE_WAITING
EXPANDING = runs_pb2.RUN_STATE_EXPANDING
PAUSED = runs_pb2.RUN_STATE_PAUSED
DONE = runs_pb2.RUN_STATE_DONE
CANCELED = runs_pb2.RUN_STATE_CANCELED
ENDED = (DONE, CANCELED)

# A body that is larger, in bytes, is read from where it is stored: a run repeats it in each of its deliveries.
MAX_INLINE_BODY = 1024
# The most entries of one record.
MAX_PLANNED = 500


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is stored. Times in Unix microseconds, 0: none. sequence: 0: the event carries its body."""

    id: str
    event: event_pb2.Event
    state: runs_pb2.RunState.ValueType
    revision: int
    sequence: int
    page_after: str
    recipients: int
    sends: int
    skips: int
    due_us: int
    held_back: str
    created_us: int
    updated_us: int
    output: run_output_pb2.RunOutput | None

    @property
    def planned(self) -> int:
        """The number of deliveries so far, skipped ones included."""
        return self.sends + self.skips


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be stored of a run before it is published. is_last: nothing follows it."""

    run: Run
    output: run_output_pb2.RunOutput
    page_after: str
    recipients: int
    sends: int
    skips: int
    is_last: bool


def run_id(event_id: str) -> str:
    """Return the id of an event's run."""
    return derived_id_at(event_id, "run", event_id)


def without_large_body(event: event_pb2.Event, sequence: int) -> tuple[event_pb2.Event, int]:
    """Return the event as a run stores it, and the sequence by which its body is found; 0: the event carries it."""
    if len(event.variables) + len(event.payload_extra) <= MAX_INLINE_BODY:
        return event, 0
    small = event_pb2.Event()
    small.CopyFrom(event)
    small.ClearField("variables")
    small.ClearField("payload_extra")
    return small, sequence


def first_state(event: event_pb2.Event, now_us: int) -> runs_pb2.RunState.ValueType:
    """Return the state in which an event's run begins."""
    return WAITING if event.due_at_us > now_us else EXPANDING


def is_paged(event: event_pb2.Event) -> bool:
    """Return whether its recipients are read page by page; if not, it names at most a hundred."""
    return audience.needs_expansion(event)


def membership(event: event_pb2.Event) -> Membership:
    """Return from whom the pages are read: all targets but the inline ones, which come before the first page."""
    groups, recipients, everybody = [], [], False
    for target in event.audience:
        match target.WhichOneof("target"):
            case "group":
                groups.append(target.group)
            case "recipient_id":
                recipients.append(target.recipient_id)
            case "everybody":
                everybody = True
    return Membership(
        event.tenant_id,
        groups=groups,
        everybody=everybody,
        recipients=recipients,
        # Whoever is described inline is written to as described, not once more as stored.
        excluded=[*_named(event.exclusions), *_inline_ids(event)],
        excluded_groups=[target.group for target in event.exclusions if target.WhichOneof("target") == "group"],
    )


def decide(run: Run, planned: Planned, page_after: str, people: int, now_us: int) -> Decision:
    """Return what a page gives. page_after: where the next one begins; empty: this is the last one."""
    skips = len(planned.planned) - len(planned.deliveries)
    is_last = not page_after
    total = run.planned + len(planned.planned)
    records = routed(run.event, planned.planned, planned.reason, now_us, closes=is_last, total=total)
    output = run_output_pb2.RunOutput(deliveries=planned.deliveries, records=records)
    return Decision(
        run,
        output,
        page_after,
        run.recipients + people,
        run.sends + len(planned.deliveries),
        run.skips + skips,
        is_last,
    )


def canceled(run: Run, by: str, now_us: int) -> run_output_pb2.RunOutput:
    """Return what is published when a run is canceled; what was decided and perhaps not published goes with it."""
    output = run_output_pb2.RunOutput()
    if run.output is not None:
        output.CopyFrom(run.output)
    output.records.append(canceled_record(run.event.tenant_id, run.event.id, by, now_us))
    output.records.extend(routed(run.event, (), Reason.CANCELED, now_us, closes=True, total=run.planned))
    return output


def canceled_record(tenant_id: str, event_id: str, by: str, now_us: int) -> trace_pb2.TraceRecord:
    """Return the record of a cancellation."""
    return trace_pb2.TraceRecord(
        id=new_id(), tenant_id=tenant_id, event_id=event_id, at_us=now_us, canceled=trace_pb2.Canceled(by=by)
    )


def waiting_record(event: event_pb2.Event, now_us: int) -> trace_pb2.TraceRecord:
    """Return the record of an event that waits for its time."""
    return trace_pb2.TraceRecord(
        id=new_id(),
        tenant_id=event.tenant_id,
        event_id=event.id,
        at_us=now_us,
        waiting=trace_pb2.Waiting(until_us=event.due_at_us),
    )


def routed(
    event: event_pb2.Event,
    planned: Sequence[trace_pb2.PlannedDelivery],
    reason: str,
    now_us: int,
    *,
    closes: bool,
    total: int,
) -> list[trace_pb2.TraceRecord]:
    """Return the records of a plan's part, MAX_PLANNED entries in each. closes: nothing follows. total: of the plan."""
    parts = [planned[at : at + MAX_PLANNED] for at in range(0, len(planned), MAX_PLANNED)]
    if closes and not parts:
        parts = [()]
    records = [
        trace_pb2.TraceRecord(
            id=new_id(),
            tenant_id=event.tenant_id,
            event_id=event.id,
            at_us=now_us,
            routed=trace_pb2.Routed(deliveries=part, continues=True),
        )
        for part in parts
    ]
    if closes:
        last = records[-1].routed
        last.continues = False
        last.total = total
        last.reason = reason
    return records


def _named(targets: Sequence[event_pb2.Target]) -> list[str]:
    return [target.recipient_id for target in targets if target.WhichOneof("target") == "recipient_id"]


def _inline_ids(event: event_pb2.Event) -> list[str]:
    return [
        target.recipient.user_id
        for target in event.audience
        if target.WhichOneof("target") == "recipient" and target.recipient.user_id
    ]
