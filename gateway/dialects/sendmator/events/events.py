"""Bodies of /events and /workflows/trigger as events for ingest: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.sendmator import times
from gateway.dialects.sendmator.bodies import MAX_TEXT, Fields
from gateway.dialects.sendmator.credentials import Caller
from gateway.dialects.sendmator.errors import ApiError, bad_request
from gateway.dialects.sendmator.workflows.documents import CHANNELS
from runtime import telemetry

# Labels of an event, by which it is found again.
SOURCE_LABEL = "source"
TEAM_LABEL = "team"
MAX_ADDRESS = 1024
# Tags of an audience, which a contact must all have.
MAX_TAGS = 20

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class When:
    """When an event is to be sent. due_at_us: Unix microseconds; 0: at once."""

    due_at_us: int = 0

    @property
    def shown(self) -> str | None:
        """The time as answers show it, None: at once."""
        return times.iso(self.due_at_us)


def event_of(body: Fields, caller: Caller, when: When) -> ingest_pb2.NewEvent:
    """Return the event of a body of /events. Raises ApiError."""
    name = body.value("event_name")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("Event name is required")
    event_type = body.text("event_name")
    user, source = body.fields("user_info"), body.fields("source")
    contact = contact_of(user)
    event = new_event(event_type, caller, when)
    event.variables = body.object("variables")
    event.payload_extra = _extra(
        source=body.object("source"), event_data=body.object("event_data"), channel_variables=_of_channels(body)
    )
    event.workflows.by_type.SetInParent()
    for name in ("ip", "user_agent"):
        source.text(name, longest=1024)
    if source_type := source.text("type"):
        event.metadata[SOURCE_LABEL] = source_type
    if contact is not None:
        event.audience.add().contact.recipient.CopyFrom(contact)
    return event


def workflow_event(body: Fields, caller: Caller, workflow_id: str, event_type: str) -> ingest_pb2.NewEvent:
    """Return the event of a body of /workflows/trigger, without its time."""
    event = new_event(event_type, caller, When())
    event.variables = body.object("variables")
    event.payload_extra = _extra(channel_variables=_of_channels(body))
    event.workflows.workflow_id = workflow_id
    event.audience.extend(audience_of(body, ("contact", "tag", "segment", "all")))
    return event


def new_event(event_type: str, caller: Caller, when: When) -> ingest_pb2.NewEvent:
    """Return an event without content. It is never a duplicate: two equal calls are two events."""
    return ingest_pb2.NewEvent(
        event_type=event_type,
        scope=caller.team,
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE),
        due_at_us=when.due_at_us,
        metadata={TEAM_LABEL: caller.team},
        key_id=caller.key.key_id,
        trace_id=telemetry.current_trace(),
    )


def contact_of(user: Fields) -> event_pb2.Recipient | None:
    """Return who is meant; None: nothing identifies anybody. Raises ApiError."""
    contact = event_pb2.Recipient(
        user_id=user.id("contact_external_id"),
        email=user.text("email", longest=MAX_ADDRESS).strip(),
        phone=user.text("phone", longest=MAX_ADDRESS).strip(),
        name=user.text("name"),
        data=user.object("custom_fields"),
    )
    return contact if contact.user_id or contact.email or contact.phone else None


def audience_of(body: Fields, kinds: Sequence[str]) -> list[event_pb2.Target]:
    """Return whom recipient_type means. kinds: those that are taken here, of contact, tag, segment, all."""
    kind = body.text("recipient_type")
    check_audience(body)
    if not kind:
        raise bad_request("recipient_type is required")
    if kind not in kinds:
        raise bad_request(f"recipient_type must be one of {', '.join(kinds)}")
    if kind == "contact":
        external_id = body.id("contact_external_id")
        if not external_id:
            raise bad_request("contact_external_id is required for recipient_type contact")
        recipient = event_pb2.Recipient(user_id=external_id)
        return [event_pb2.Target(contact=event_pb2.Contact(recipient=recipient))]
    if kind == "tag":
        tags = body.texts("tag", "tags", most=MAX_TAGS)
        if not tags:
            raise bad_request("tag is required for recipient_type tag")
        return [event_pb2.Target(tags=event_pb2.TagSet(tags=tags))]
    if kind == "segment":
        segment_id = body.text("segment_id")
        if not segment_id:
            raise bad_request("segment_id is required for recipient_type segment")
        return [event_pb2.Target(segment_id=segment_id)]
    return [event_pb2.Target(everybody=event_pb2.Everybody())]


def check_audience(body: Fields) -> None:
    """Raise ApiError for a wrong field that says whom something is for, also if recipient_type does not need it."""
    body.id("contact_external_id")
    body.text("segment_id")
    for name in ("tag", "tags"):
        body.texts(name, most=MAX_TAGS)


def when_of(body: Fields, now_us: int) -> When:
    """Return when a body wants to be sent. Raises ApiError for what is no time, and for a time that has passed."""
    text = next((body.value(name) for name in ("trigger_at", "triggerAt") if name in body), None)
    if text is None:
        return When()
    due_at_us = times.micros(text) if isinstance(text, str) and len(text) <= MAX_TEXT else None
    if due_at_us is None:
        raise ApiError(400, "Invalid trigger_at format")
    if due_at_us <= now_us:
        raise ApiError(400, "trigger_at must be a future date")
    return When(due_at_us)


def _of_channels(body: Fields) -> bytes:
    """Return the variables that a body has for single channels, which templates read before the others.

    Those of a channel that does not exist here are kept, and no template reads them. Raises ApiError.
    """
    given = body.fields("channel_variables")
    for channel in CHANNELS:
        given.object(channel)
    return body.object("channel_variables")


def _extra(**objects: bytes) -> bytes:
    """Return objects as the fields of one, without those that are empty."""
    return joined({name: raw for name, raw in objects.items() if raw})


def joined(fields: dict[str, bytes]) -> bytes:
    """Return JSON values as the fields of an object, each as its own bytes; empty without any."""
    parts = [_encode(name) + b":" + raw for name, raw in fields.items()]
    return b"{" + b",".join(parts) + b"}" if parts else b""
