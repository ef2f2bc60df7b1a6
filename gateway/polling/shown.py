"""Polled deliveries as the API shows them."""

from typing import Any

import orjson

from clarion.senders.v1 import endpoints_pb2
from gateway.replies import iso

# Of the signature's scheme: the id that is the same whenever a message is sent.
_ID_HEADER = "webhook-id"


def shown_page(polled: endpoints_pb2.PollResponse) -> dict[str, Any]:
    """Return {data, cursor, done}. payload stands as it was accepted, byte for byte, as a signature needs it."""
    return {"data": list(map(_shown, polled.deliveries)), "cursor": polled.cursor, "done": polled.done}


def _shown(one: endpoints_pb2.PolledDelivery) -> dict[str, Any]:
    delivery = one.delivery
    return {
        "id": one.headers.get(_ID_HEADER) or "msg_" + delivery.id.replace("-", ""),
        "type": delivery.event_type,
        "timestamp": iso(delivery.accepted_at_us),
        "payload": orjson.Fragment(one.body or b"{}"),
        "headers": dict(one.headers),
    }
