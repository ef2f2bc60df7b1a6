"""The call that sends an accepted event once more."""

from urllib.parse import quote

import msgspec

from clarion.common.v1 import event_pb2
from gateway.dialects import Copy
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.credentials import INGEST, KEY_KINDS

_HEADERS = {
    "Authorization": f"Bearer {KEY_KINDS[INGEST].prefix}YOUR_API_KEY",
    "Content-Type": "application/json",
}


def copy(event: event_pb2.Event) -> Copy | None:
    """Return the send or the trigger of an event for endpoints; None: this API has no such events."""
    if not event.HasField("endpoints") or event.audience or event.recipient.user_id or not event.variables:
        return None
    # The payload is what the caller wrote: parsing would change it.
    payload = b'"payload":' + event.variables
    if event.endpoints.is_named:
        if len(event.endpoints.endpoint_ids) != 1:
            return None
        endpoint_id = ids.public(ids.ENDPOINT, event.endpoints.endpoint_ids[0])
        return Copy(f"/api/ingest/{endpoint_id}", _HEADERS, b"{" + payload + b"}")
    if event.metadata:
        payload += b',"metadata":' + msgspec.json.encode(dict(event.metadata))
    return Copy(f"/api/ingest/event/{quote(event.event_type, safe='')}", _HEADERS, b"{" + payload + b"}")
