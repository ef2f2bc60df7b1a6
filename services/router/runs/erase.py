"""Takes a person out of a run that has not ended: pure. A person is known by their user id.

Somebody whom the event describes without one is known by an address: they would else get it, or be stored again.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import run_output_pb2
from runtime.ids import new_id
from services.domain import audience
from services.domain.nameless import described, has_address
from services.domain.reasons import Reason
from services.router.runs import outputs
from services.router.runs.run import Run


@dataclass(frozen=True, slots=True)
class Remainder:
    """A run without a person. output: what is to be published of it; is_closed: that is its end."""

    run_id: str
    event: event_pb2.Event
    output: run_output_pb2.RunOutput | None
    sends: int
    skips: int
    is_closed: bool


def without(
    run: Run, user_id: str, now_us: int, *, is_closed: bool, addresses: Collection[str] = ()
) -> Remainder | None:
    """Return what is left of a run; None: the person is not in it. is_closed: its last page is decided.

    addresses: of the person, in lower case. A run that is left with nobody ends.
    """
    event = _event_without(run.event, user_id, addresses)
    output, removed = (None, 0) if run.output is None else output_without(run.output, user_id, addresses)
    if event is None and not removed:
        return None
    left = event or run.event
    if not is_closed and not _names_anybody(left):
        records = outputs.end(left, Reason.RECIPIENT_ERASED, now_us, run.planned)
        output, is_closed = run_output_pb2.RunOutput(records=records), True
    return Remainder(run.id, left, output, run.sends - removed, run.skips + removed, is_closed)


def without_all(event: event_pb2.Event, is_erased: Callable[[str], bool]) -> event_pb2.Event | None:
    """Return an event that has no run yet without all who were erased, by their ids; None: nobody is left."""
    left = event
    for user_id in _user_ids(event):
        if is_erased(user_id):
            left = _event_without(left, user_id) or left
    return left if left is event or _names_anybody(left) else None


def _user_ids(event: event_pb2.Event) -> Collection[str]:
    targets = (*event.audience, *event.exclusions)
    return {event.recipient.user_id, *map(audience.user_id_named, targets)} - {""}


def _names_anybody(event: event_pb2.Event) -> bool:
    return event.HasField("recipient") or any(target.WhichOneof("target") for target in event.audience)


def _event_without(event: event_pb2.Event, user_id: str, addresses: Collection[str] = ()) -> event_pb2.Event | None:
    """Return a copy without the person; None: they are not in it."""
    # An emptied target keeps its place, by which recipients without an id are known.
    removed = [_targets(target, user_id) or has_address(described(target), addresses) for target in event.audience]
    kept = [
        event_pb2.Target() if is_theirs else target for target, is_theirs in zip(event.audience, removed, strict=True)
    ]
    excluded = [target for target in event.exclusions if not _targets(target, user_id)]
    is_recipient = _is(event.recipient, user_id) or has_address(event.recipient, addresses)
    if not any(removed) and len(excluded) == len(event.exclusions) and not is_recipient:
        return None
    left = event_pb2.Event()
    left.CopyFrom(event)
    del left.audience[:]
    del left.exclusions[:]
    left.audience.extend(kept)
    left.exclusions.extend(excluded)
    if is_recipient:
        # The body is about them, so endpoints do not get it either.
        for field in ("recipient", "caller_event_id", "variables", "payload_extra", "endpoints", "direct"):
            left.ClearField(field)
    return left


def output_without(
    output: run_output_pb2.RunOutput, user_id: str, addresses: Collection[str] = ()
) -> tuple[run_output_pb2.RunOutput, int]:
    """Return the output without the person's deliveries, and their number.

    addresses: of the person, in lower case.
    What was planned for them stays in the plan, skipped: whether it was published is not known, and the plan's total
    counts it.
    """
    kept = [
        one
        for one in output.deliveries
        if user_id not in (one.recipient.user_id, one.webhook.user_id) and not has_address(one.recipient, addresses)
    ]
    removed = {delivery.id for delivery in output.deliveries} - {delivery.id for delivery in kept}
    records = [_record_without(record, user_id, addresses, removed) for record in output.records]
    return run_output_pb2.RunOutput(deliveries=kept, records=records), len(removed)


def _record_without(
    record: trace_pb2.TraceRecord, user_id: str, addresses: Collection[str], removed: Collection[str]
) -> trace_pb2.TraceRecord:
    def is_theirs(one: trace_pb2.PlannedDelivery) -> bool:
        is_named = _is(one.recipient, user_id) or has_address(one.recipient, addresses)
        return is_named or one.delivery_id in removed

    if not any(map(is_theirs, record.routed.deliveries)):
        return record
    left = trace_pb2.TraceRecord()
    left.CopyFrom(record)
    left.id = new_id()  # the ledger may have stored the record as it was
    for one in left.routed.deliveries:
        if is_theirs(one):
            one.status, one.reason = trace_pb2.DELIVERY_STATUS_SKIPPED, Reason.RECIPIENT_ERASED
            one.recipient.Clear()
    return left


def _is(recipient: event_pb2.Recipient, user_id: str) -> bool:
    return recipient.user_id == user_id


def _targets(target: event_pb2.Target, user_id: str) -> bool:
    return audience.user_id_named(target) == user_id
