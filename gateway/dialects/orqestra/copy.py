"""The trigger that sends an accepted event once more."""

import secrets

import msgspec

from clarion.common.v1 import event_pb2
from gateway.dialects import Copy
from gateway.dialects.orqestra.bodies import CHANNELS
from gateway.dialects.orqestra.credentials import API_KEY_HEADER

_KEY_HEADER = "X-Idempotency-Key"
_NAMES = {number: name for name, number in CHANNELS.items()}

_encode = msgspec.json.encode


def copy(event: event_pb2.Event) -> Copy | None:
    """Return the trigger of an event with one described recipient; None: this API has no such events.

    It has a new idempotency key: without one it would be a duplicate of the event, and nothing would be sent.
    """
    person = event.recipient
    if not person.user_id or event.audience or event.HasField("endpoints") or event.HasField("pinned"):
        return None
    if any(channel not in _NAMES for channel in event.channels):
        return None
    payload = {"userId": person.user_id}
    if person.email:
        payload["recipientEmail"] = person.email
    if person.phone:
        payload["recipientPhone"] = person.phone
    fields = [b'"eventType":' + _encode(event.event_type)]
    if event.caller_event_id:
        fields.append(b'"eventId":' + _encode(event.caller_event_id))
    if event.channels:
        fields.append(b'"channels":' + _encode([_NAMES[channel] for channel in event.channels]))
    fields.append(b'"payload":' + _joined(_encode(payload), event.payload_extra))
    # As it is stored: parsing would change numbers that no float can hold.
    fields.append(b'"variables":' + (event.variables or b"{}"))
    headers = {
        API_KEY_HEADER: "YOUR_API_KEY",
        "Content-Type": "application/json",
        _KEY_HEADER: f"copy-{secrets.token_hex(8)}",
    }
    return Copy("/api/v1/events/trigger", headers, b"{" + b",".join(fields) + b"}", fresh_header=_KEY_HEADER)


def _joined(known: bytes, extra: bytes) -> bytes:
    """Return two JSON objects as one."""
    rest = extra.strip()[1:-1].strip()
    return known[:-1] + b"," + rest + b"}" if rest else known
