"""Events, records of what became of them, and messages that carry both."""

import itertools
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import nats
from runtime.ids import derived_id, new_id
from services.domain import topology

QUEUED = trace_pb2.DELIVERY_STATUS_QUEUED
RETRYING = trace_pb2.DELIVERY_STATUS_RETRYING
SKIPPED = trace_pb2.DELIVERY_STATUS_SKIPPED
SENT = trace_pb2.DELIVERY_STATUS_SENT
DEAD = trace_pb2.DELIVERY_STATUS_DEAD
SMS = event_pb2.CHANNEL_SMS

# Each step a second after the one before, so that times tell them apart; and before now, however many events all the
# tests of a process make.
_clock = itertools.count(time.time_ns() // 1000 - 12 * 3600 * 1_000_000, 1_000_000)


def event(
    tenant_id: str,
    *,
    event_type: str = "order.confirmed",
    user_id: str = "u1",
    email: str = "",
    phone: str = "",
    **fields: Any,
) -> event_pb2.Event:
    """An accepted event."""
    accepted_us = next(_clock)
    event_id = _id_at(accepted_us)
    return event_pb2.Event(
        id=event_id,
        tenant_id=tenant_id,
        event_type=event_type,
        recipient=event_pb2.Recipient(user_id=user_id, email=email, phone=phone),
        trace_id="trace-1",
        accepted_at_us=accepted_us,
        dedupe_key=event_id.encode(),
        **fields,
    )


def shared_event(tenant_id: str, *targets: event_pb2.Target, **fields: Any) -> event_pb2.Event:
    """An accepted event for these targets."""
    one = event(tenant_id, **fields)
    one.ClearField("recipient")
    one.audience.extend(targets)
    one.id_scheme = 1
    return one


def person(user_id: str, email: str = "", phone: str = "") -> event_pb2.Target:
    """A recipient whom the caller describes."""
    return event_pb2.Target(recipient=event_pb2.Recipient(user_id=user_id, email=email, phone=phone))


def group(key: str) -> event_pb2.Target:
    """A group of stored recipients."""
    return event_pb2.Target(group=key)


def planned(
    one: event_pb2.Event, user_id: str, status: trace_pb2.DeliveryStatus.ValueType = QUEUED, **fields: Any
) -> trace_pb2.PlannedDelivery:
    """The decision on one recipient's text message."""
    channel = fields.pop("channel", SMS)
    recipient = fields.pop("recipient", None) or event_pb2.Recipient(user_id=user_id, phone="+254712345678")
    id_ = derived_id(one.id, user_id, str(channel))
    return trace_pb2.PlannedDelivery(delivery_id=id_, channel=channel, status=status, recipient=recipient, **fields)


def plan(
    one: event_pb2.Event,
    deliveries: Sequence[trace_pb2.PlannedDelivery],
    *,
    continues: bool = False,
    total: int = 0,
    reason: str = "",
) -> trace_pb2.TraceRecord:
    """The router's record of a plan, or of a part of one."""
    routed = trace_pb2.Routed(deliveries=deliveries, continues=continues, total=total, reason=reason)
    return _record(one, one.accepted_at_us + 1000, routed=routed)


def parts(
    one: event_pb2.Event, deliveries: Sequence[trace_pb2.PlannedDelivery], size: int = 500
) -> list[trace_pb2.TraceRecord]:
    """The router's records of a plan in several parts."""
    pages = [deliveries[first : first + size] for first in range(0, len(deliveries), size)]
    return [
        *(plan(one, page, continues=True) for page in pages[:-1]),
        plan(one, pages[-1], total=len(deliveries) if len(pages) > 1 else 0),
    ]


def workflow_steps(one: event_pb2.Event, *steps: trace_pb2.WorkflowStep, after_us: int = 1500) -> trace_pb2.TraceRecord:
    """The router's record of what workflow runs did. after_us: so long after the event was accepted."""
    return _record(one, one.accepted_at_us + after_us, workflow_steps=trace_pb2.WorkflowSteps(steps=steps))


def released(one: event_pb2.Event) -> trace_pb2.TraceRecord:
    """The router's record that all that is left of the event waits in workflow runs."""
    return _record(one, one.accepted_at_us + 1600, released=trace_pb2.Released())


def conflict(one: event_pb2.Event, meant: str, other: str, identifier: str = "email") -> trace_pb2.TraceRecord:
    """The router's record that a contact's identifiers belong to two people."""
    found = trace_pb2.ContactConflict(meant=meant, other=other, identifier=identifier)
    return _record(one, one.accepted_at_us + 900, contact_conflict=found)


def contact(user_id: str = "", email: str = "", phone: str = "") -> event_pb2.Target:
    """Somebody who is looked up when the event is planned."""
    recipient = event_pb2.Recipient(user_id=user_id, email=email, phone=phone)
    return event_pb2.Target(contact=event_pb2.Contact(recipient=recipient))


def workflow_event(
    tenant_id: str, *workflow_ids: str, targets: Sequence[event_pb2.Target] = (), **fields: Any
) -> event_pb2.Event:
    """An accepted event that starts these workflows. targets: none: one contact by an e-mail address."""
    one = shared_event(tenant_id, *(targets or [contact(email="ada@example.org")]), **fields)
    for workflow_id in workflow_ids:
        one.workflows.workflows.add(workflow_id=workflow_id, version=1)
    return one


def waiting(one: event_pb2.Event, until_us: int) -> trace_pb2.TraceRecord:
    """The router's record that the event waits."""
    return _record(one, one.accepted_at_us + 500, waiting=trace_pb2.Waiting(until_us=until_us))


def canceled(one: event_pb2.Event, by: str = "operator") -> trace_pb2.TraceRecord:
    """The router's record that someone canceled the event."""
    return _record(one, one.accepted_at_us + 2000, canceled=trace_pb2.Canceled(by=by))


def age(one: event_pb2.Event, days: float) -> None:
    """Give it the id that it would have got so many days ago."""
    one.id = _id_at(int((time.time() - days * 86400) * 1_000_000))


def accept_before(one: event_pb2.Event, days: float) -> None:
    """Let it have been accepted so many days ago."""
    one.accepted_at_us = int((time.time() - days * 86400) * 1_000_000)
    made_before(one, 0)


def made_before(one: event_pb2.Event, seconds: float) -> None:
    """Give it the id of an event that was accepted so long after its id was made."""
    one.id = _id_at(one.accepted_at_us - int(seconds * 1_000_000))


def _id_at(at_us: int) -> str:
    """A new id that was made at this time."""
    return str(uuid.UUID(bytes=(at_us // 1000).to_bytes(6) + uuid.UUID(new_id()).bytes[6:]))


def delivery_id(one: event_pb2.Event) -> str:
    """The id of its text message."""
    return derived_id(one.id, one.recipient.user_id, str(SMS))


def routed(one: event_pb2.Event, deliveries: Mapping[str, trace_pb2.DeliveryStatus.ValueType]) -> trace_pb2.TraceRecord:
    """The router's record."""
    planned = [
        trace_pb2.PlannedDelivery(delivery_id=id_, channel=SMS, status=status) for id_, status in deliveries.items()
    ]
    return _record(one, one.accepted_at_us + 1000, routed=trace_pb2.Routed(deliveries=planned))


def attempted(
    one: event_pb2.Event,
    id_: str,
    status: trace_pb2.DeliveryStatus.ValueType,
    attempt: int = 1,
    *,
    replay: int = 0,
    at_us: int = 0,
) -> trace_pb2.TraceRecord:
    """A sender's record; of a dead one, with the letter."""
    step = trace_pb2.Attempted(
        delivery_id=id_,
        channel=SMS,
        attempt=attempt,
        replay=replay,
        status=status,
        provider="sandbox",
        reason="" if status == SENT else "provider_timeout",
    )
    if status == DEAD:
        step.dead_letter.CopyFrom(
            event_pb2.Delivery(
                id=id_,
                event_id=one.id,
                tenant_id=one.tenant_id,
                channel=SMS,
                attempt=attempt,
                deferrals=2,
                replay=replay,
            )
        )
    return _record(one, at_us or one.accepted_at_us + 10_000 * attempt, attempted=step)


def repeat(one: event_pb2.Event, event_type: str, at_us: int = 0) -> trace_pb2.TraceRecord:
    """Ingest's record of a call that used the event's key for something else."""
    return _record(one, at_us or one.accepted_at_us + 1_000_000, repeat=trace_pb2.Repeat(event_type=event_type))


def accepted(one: event_pb2.Event) -> nats.Outgoing:
    """The message of EVENTS."""
    return nats.Outgoing(topology.event_subject(one.tenant_id), one.SerializeToString())


def trace(*records: trace_pb2.TraceRecord) -> nats.Outgoing:
    """A message of TRACE."""
    return nats.Outgoing(topology.TRACE_SUBJECT, trace_pb2.TraceBatch(records=records).SerializeToString())


def whole(one: event_pb2.Event) -> list[nats.Outgoing]:
    """A whole life: accepted, routed, sent."""
    id_ = delivery_id(one)
    return [accepted(one), trace(routed(one, {id_: QUEUED}), attempted(one, id_, SENT))]


async def insert_tenant(pool: Any, tenant_id: str, *, unfinished: int) -> None:
    """A tenant with a backlog."""
    account_id = new_id()
    await pool.execute("INSERT INTO ingest.accounts (id, name) VALUES ($1, 'Acme')", account_id)
    await pool.execute(
        "INSERT INTO ingest.tenants (id, account_id, name) VALUES ($1, $2, 'Acme')", tenant_id, account_id
    )
    await pool.execute("INSERT INTO ingest.backlog (tenant_id, unfinished) VALUES ($1, $2)", tenant_id, unfinished)


def _record(one: event_pb2.Event, at_us: int, **step: Any) -> trace_pb2.TraceRecord:
    return trace_pb2.TraceRecord(
        id=new_id(), event_id=one.id, tenant_id=one.tenant_id, at_us=at_us, duration_us=10, **step
    )
