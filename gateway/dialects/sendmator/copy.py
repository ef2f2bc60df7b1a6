"""The call that sends an accepted event once more."""

import msgspec

from clarion.common.v1 import event_pb2
from gateway.dialects import Copy
from gateway.dialects.sendmator.credentials import KEY_KINDS, KIND, TEAM_HEADER
from gateway.dialects.sendmator.events.events import TEAM_LABEL, joined
from gateway.shared_paths import KEY_HEADER

_encode = msgspec.json.encode


def copy(event: event_pb2.Event) -> Copy | None:
    """Return the call that sends an event of /events/send; None: this API has no such events."""
    team = event.metadata.get(TEAM_LABEL, "")
    if not team or event.HasField("direct") or len(event.audience) > 1 or event.workflows.is_named:
        return None
    fields = {"event_name": _encode(event.event_type)}
    if event.audience:
        if not event.audience[0].HasField("contact"):
            return None
        fields["user_info"] = _user(event.audience[0].contact.recipient)
    if event.payload_extra:
        # As they are stored: parsing would change numbers that no float can hold.
        extra = msgspec.json.decode(event.payload_extra, type=dict[str, msgspec.Raw])
        fields |= {name: bytes(extra[name]) for name in ("source", "event_data") if name in extra}
    if event.variables:
        fields["variables"] = event.variables
    headers = {
        KEY_HEADER: f"{KEY_KINDS[KIND].prefix}YOUR_API_KEY",
        TEAM_HEADER: team,
        "Content-Type": "application/json",
    }
    return Copy("/api/v1/events/send", headers, joined(fields))


def _user(person: event_pb2.Recipient) -> bytes:
    named = {
        "contact_external_id": person.user_id,
        "email": person.email,
        "phone": person.phone,
        "name": person.name,
    }
    fields = {name: _encode(value) for name, value in named.items() if value}
    return joined({**fields, **({"custom_fields": person.data} if person.data else {})}) or b"{}"
