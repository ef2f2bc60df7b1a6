"""The ids of deliveries: pure. Planning the same event twice gives the same ids, so nothing is sent twice.

An id is made once and never changes, because streams, retries and the ledger know a delivery by it for months. So each
way of making ids has a number, its scheme, and an event carries the scheme of the version that accepted it.

Scheme 1 begins with the time of the event's id (48 bits, milliseconds), so that indexes stay local and an id tells how
old its event is. The rest is a hash over what the delivery is: the event, the workflow, its step, who gets it, and the
window of a digest (a message that sums up several events; there are none yet). Who gets it is never an address: a
corrected address must not give a second message.
Scheme 0 is that of versions without this file: a hash over event, recipient and channel.
Scheme 2 makes the same ids as scheme 1. Events have it that start stored workflows, are direct messages, or are for
contacts, tags or segments: versions that do not know these leave such events to those that do.
"""

from clarion.common.v1 import event_pb2
from runtime.ids import derived_id, derived_id_at
from services.domain import audience

CURRENT_SCHEME = 1
_LATEST_SCHEME = 2
_TARGETS_OF_SCHEME_1 = frozenset({"recipient", "recipient_id", "group", "everybody", None})


def scheme_of(event: event_pb2.Event) -> int:
    """Return the scheme that a new event has."""
    if event.HasField("workflows") or event.HasField("direct"):
        return _LATEST_SCHEME
    if {target.WhichOneof("target") for target in event.audience} <= _TARGETS_OF_SCHEME_1:
        return CURRENT_SCHEME
    return _LATEST_SCHEME


def delivery_id(
    event: event_pb2.Event,
    channel: event_pb2.Channel.ValueType,
    destination: str,
    *,
    step: str,
    workflow: str = "",
    window: str = "",
) -> str:
    """Return a delivery's id.

    destination: see services.domain.audience.destination. workflow: the id of the workflow; empty: nobody stored it.
    """
    if event.id_scheme == 0:
        return derived_id(event.id, audience.user_id_of(destination), str(channel))
    return derived_id_at(event.id, event.id, workflow, step, destination, window)


def is_known_scheme(event: event_pb2.Event) -> bool:
    """Return whether this version can make the event's ids; if not, a later version accepted it and must plan it."""
    return event.id_scheme <= _LATEST_SCHEME
