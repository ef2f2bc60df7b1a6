"""Pushes as the router makes them."""

import time

from clarion.common.v1 import event_pb2
from runtime import nats
from runtime.ids import derived_id, new_id
from services.domain import topology

TENANT = new_id()


def push() -> event_pb2.Delivery:
    """One to the user u1, just now."""
    event_id, now_us = new_id(), time.time_ns() // 1000
    return event_pb2.Delivery(
        id=derived_id(event_id),
        event_id=event_id,
        tenant_id=TENANT,
        event_type="order.success",
        channel=event_pb2.CHANNEL_PUSH,
        recipient=event_pb2.Recipient(user_id="u1"),
        template_version_id=new_id(),
        accepted_at_us=now_us,
        planned_at_us=now_us,
        attempt=1,
    )


def queued(one: event_pb2.Delivery) -> nats.Outgoing:
    """Its message."""
    return nats.Outgoing(topology.delivery_subject(one.channel, one.tenant_id), one.SerializeToString(), one.id)
