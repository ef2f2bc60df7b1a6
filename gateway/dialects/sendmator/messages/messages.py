"""Bodies of /messages/send and /sms/send as events for ingest: pure."""

from collections.abc import Mapping

import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.sendmator.bodies import Fields
from gateway.dialects.sendmator.credentials import Caller
from gateway.dialects.sendmator.errors import ApiError, bad_request
from gateway.dialects.sendmator.events.events import MAX_ADDRESS, When, audience_of, check_audience, joined, new_event
from gateway.dialects.sendmator.triggers.views import CHANNEL_LABEL, CHANNEL_NAMES, TEMPLATE_LABEL, message_type

_KINDS = ("contact", "tag", "segment", "all")
_MAX_CONTENT = 100 * 1024

_EMAIL, _SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS


def message_of(body: Fields, caller: Caller, channel: "event_pb2.Channel.ValueType", when: When) -> ingest_pb2.NewEvent:
    """Return the event of a body that sends on a channel. Raises ApiError."""
    direct = f"direct_{CHANNEL_NAMES[channel]}"
    kind = body.text("recipient_type")
    check_audience(body)
    if kind == direct:
        audience = [_address(body, channel, direct)]
    elif kind.startswith("direct_"):
        raise bad_request(f"recipient_type must be one of {direct}, {', '.join(_KINDS)}")
    else:
        audience = audience_of(body, _KINDS)
    event = new_event(message_type(channel), caller, when)
    event.audience.extend(audience)
    event.variables = body.object("variables")
    if metadata := body.object("metadata"):
        event.payload_extra = joined({"metadata": metadata})
    event.direct.channel = channel
    event.metadata[CHANNEL_LABEL] = CHANNEL_NAMES[channel]
    _write_content(body, event)
    if channel == _EMAIL:
        event.direct.sender_email = body.text("from_email", "from", longest=MAX_ADDRESS)
        event.direct.sender_name = body.text("from_name")
        event.direct.reply_to = body.text("reply_to", longest=MAX_ADDRESS)
    return event


def code_message(
    caller: Caller,
    channel: "event_pb2.Channel.ValueType",
    address: str,
    content: event_pb2.DirectMessage,
    variables: Mapping[str, object],
) -> ingest_pb2.NewEvent:
    """Return the event that sends a one-time code. content: with its channel. variables: with the code."""
    event = new_event(message_type(channel), caller, When())
    event.audience.append(_inline(channel, address))
    event.variables = msgspec.json.encode(variables)
    event.metadata[CHANNEL_LABEL] = CHANNEL_NAMES[channel]
    event.direct.CopyFrom(content)
    event.is_secret = True
    return event


def _write_content(body: Fields, event: ingest_pb2.NewEvent) -> None:
    template_key = body.text("template_key", "template_id")
    if template_key:
        event.direct.template_key = template_key
        event.metadata[TEMPLATE_LABEL] = template_key
        return
    content = event.direct.content_given
    content.body = body.text("content", "message", longest=_MAX_CONTENT)
    if event.direct.channel == _SMS:
        if not content.body.strip():
            raise ApiError(400, "template_key is required")
        return
    content.subject = body.text("subject", longest=2000)
    content.text = body.text("plain_text_content", longest=_MAX_CONTENT)
    if not content.subject.strip() or not content.body.strip():
        raise ApiError(400, "Either template_key or both subject and content are required")


def _address(body: Fields, channel: "event_pb2.Channel.ValueType", name: str) -> event_pb2.Target:
    """Return the address that a body names, with what it says of the person."""
    address = body.text(name, longest=MAX_ADDRESS).strip()
    if not address:
        raise bad_request(f"{name} is required for recipient_type {name}")
    found = _inline(channel, address)
    first, last = body.text("direct_first_name"), body.text("direct_last_name")
    found.recipient.name = " ".join(part for part in (first, last) if part)
    names = {"first_name": first, "last_name": last}
    if given := {field: value for field, value in names.items() if value}:
        found.recipient.data = msgspec.json.encode(given)
    return found


def _inline(channel: "event_pb2.Channel.ValueType", address: str) -> event_pb2.Target:
    """Return somebody who is only an address: nobody is stored or looked up for it."""
    email, phone = (address, "") if channel == _EMAIL else ("", address)
    return event_pb2.Target(recipient=event_pb2.Recipient(email=email, phone=phone))
