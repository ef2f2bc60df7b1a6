"""A waiting delivery as a JetStream schedule."""

import datetime as dt

from clarion.common.v1 import event_pb2
from runtime.nats import Outgoing
from services.domain import topology

_SCHEDULE = "Nats-Schedule"
_SCHEDULE_TARGET = "Nats-Schedule-Target"


def timer(delivery: event_pb2.Delivery, due_us: int) -> Outgoing:
    """Return the message that delivers it again at due_us (Unix microseconds): one per attempt, deferral and copy."""
    revision = f"{delivery.replay}-{delivery.attempt}-{delivery.deferrals}"
    if delivery.claim:  # otherwise the broker would take the timer of a copy for that of another one
        revision += f"-{delivery.claim.rpartition('.')[2]}"
    due = dt.datetime.fromtimestamp(due_us / 1_000_000, dt.UTC)
    return Outgoing(
        topology.timer_subject(delivery.id, revision),
        delivery.SerializeToString(),
        msg_id=f"{delivery.id}.{revision}",
        headers={
            _SCHEDULE: f"@at {due.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}",
            _SCHEDULE_TARGET: topology.due_subject(delivery.channel, delivery.tenant_id),
        },
    )
