"""Events as the admin API takes and shows them: those that are sent now or later, and those of schedules."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from gateway.admin import forms
from runtime import ids
from services.domain.endpoints import MAX_METADATA

# Of an event, as ingest has them for its callers.
MAX_TARGETS = 100
MAX_TAGS = 20
MAX_EVENT_BYTES = 256 * 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class TargetRecipient(forms.Body):
    """A person whom the caller describes. They need not be stored. At least one of the first three is needed."""

    user_id: str = ""
    email: str = ""
    phone: str = ""
    locale: str = ""
    timezone: str = ""
    name: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class AudienceTarget(forms.Body):
    """Whom an event is for: exactly one of these fields. everybody: true, or absent.

    contact: a person who is looked up among the stored recipients by user_id, else email, else phone, and stored.
    tags: the stored recipients with all of these.
    """

    recipient: TargetRecipient | None = None
    recipient_id: str | None = None
    contact: TargetRecipient | None = None
    group: str | None = None
    tags: Annotated[list[str], Meta(min_length=1, max_length=MAX_TAGS)] | None = None
    segment_id: forms.Id | None = None
    everybody: bool = False


class ExcludedTarget(forms.Body):
    """Who gets nothing although the audience holds them: exactly one of these fields."""

    recipient_id: str | None = None
    group: str | None = None


class EndpointTarget(forms.Body):
    """The endpoints that an event is for: exactly one of these fields. subscribers: true, or absent."""

    endpoint_id: forms.Id | None = None
    subscribers: bool = False


class EventToSendBody(forms.Body):
    """What an event is, without when it is sent.

    endpoints: instead of an audience, for endpoints alone. metadata: labels for finding its deliveries; not sent.
    workflow_id: the event starts this stored workflow and no other, whether it is active or not.
    """

    event_type: str
    audience: Annotated[list[AudienceTarget], Meta(max_length=MAX_TARGETS)] = field(default_factory=list)
    endpoints: EndpointTarget | None = None
    workflow_id: forms.Id | None = None
    metadata: Annotated[dict[str, str], Meta(max_length=MAX_METADATA)] = field(default_factory=dict)
    exclusions: Annotated[list[ExcludedTarget], Meta(max_length=MAX_TARGETS)] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)
    channels: list[forms.Channel] = field(default_factory=list)
    scope: str = ""


# Names of NewEvent, and what they are called here.
FIELDS = {
    "payload_extra": "payload",
    "to_endpoints": "endpoints",
    "to_endpoints.endpoint_id": "endpoints.endpoint_id",
    "workflows.workflow_id": "workflow_id",
}
_KINDS = ("recipient", "recipient_id", "contact", "group", "tags", "segment_id")


def event_of(body: EventToSendBody, prefix: str = "") -> ingest_pb2.NewEvent:
    """Return the event. prefix: where the body stands in the request's, for errors. Raises INVALID."""
    if bool(body.audience) == (body.endpoints is not None) and body.workflow_id is None:
        raise forms.invalid(f"{prefix}audience", "must have at least one target, unless the event is for endpoints")
    event = ingest_pb2.NewEvent(
        event_type=body.event_type,
        variables=_encode(body.variables),
        payload_extra=_encode(body.payload),
        channels=forms.channels(body.channels, f"{prefix}channels"),
        audience=[_target(target, f"{prefix}audience[{place}]") for place, target in enumerate(body.audience)],
        exclusions=[_excluded(target, f"{prefix}exclusions[{place}]") for place, target in enumerate(body.exclusions)],
        scope=body.scope,
        metadata=body.metadata,
    )
    if body.endpoints is not None:
        event.to_endpoints.CopyFrom(_endpoints(body.endpoints, f"{prefix}endpoints"))
    if body.workflow_id is not None:
        event.workflows.workflow_id = _id(body.workflow_id, f"{prefix}workflow_id")
    if event.ByteSize() > MAX_EVENT_BYTES:
        raise forms.invalid(prefix.rstrip(".") or "body", f"is larger than {MAX_EVENT_BYTES // 1024} KiB")
    return event


def shown(event: ingest_pb2.NewEvent) -> dict[str, Any]:
    """Return an event in the form of EventToSendBody, with all fields."""
    to = event.to_endpoints.WhichOneof("to")
    return {
        "event_type": event.event_type,
        "audience": [_shown_target(target) for target in _targets(event)],
        "endpoints": None if to is None else {to: event.to_endpoints.endpoint_id or True},
        "workflow_id": event.workflows.workflow_id or None,
        "metadata": dict(sorted(event.metadata.items())),
        "exclusions": [_shown_target(target) for target in event.exclusions],
        "variables": _decode(event.variables or b"{}"),
        "payload": _decode(event.payload_extra or b"{}"),
        "channels": [name for number in event.channels if (name := forms.channel_name(number)) is not None],
        "scope": event.scope,
    }


def _targets(event: ingest_pb2.NewEvent) -> list[event_pb2.Target]:
    return [event_pb2.Target(recipient=event.recipient)] if event.HasField("recipient") else list(event.audience)


def _target(target: AudienceTarget, place: str) -> event_pb2.Target:
    chosen = [name for name in _KINDS if getattr(target, name) is not None]
    if len(chosen) + target.everybody != 1:
        raise forms.invalid(place, f"must have exactly one of {', '.join(_KINDS)} and everybody")
    if target.recipient is not None:
        return event_pb2.Target(recipient=recipient_of(target.recipient))
    if target.contact is not None:
        return event_pb2.Target(contact=event_pb2.Contact(recipient=recipient_of(target.contact)))
    if target.tags is not None:
        return event_pb2.Target(tags=event_pb2.TagSet(tags=target.tags))
    if target.segment_id is not None:
        return event_pb2.Target(segment_id=_id(target.segment_id, f"{place}.segment_id"))
    if target.everybody:
        return event_pb2.Target(everybody=event_pb2.Everybody())
    return _stored(target)


def recipient_of(person: TargetRecipient) -> event_pb2.Recipient:
    """Return a person as an event has them."""
    fields = msgspec.structs.asdict(person)
    data = fields.pop("data")
    return event_pb2.Recipient(**fields, data=_encode(data) if data else b"")


def _endpoints(target: EndpointTarget, place: str) -> ingest_pb2.ToEndpoints:
    if (target.endpoint_id is None) != target.subscribers:
        raise forms.invalid(place, "must have exactly one of endpoint_id and subscribers")
    if target.endpoint_id is not None:
        return ingest_pb2.ToEndpoints(endpoint_id=_id(target.endpoint_id, f"{place}.endpoint_id"))
    return ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers())


def _id(text: str, place: str) -> str:
    if not ids.is_uuid(text):
        raise forms.invalid(place, "is no id: it is a UUID in lower case")
    return text


def _excluded(target: ExcludedTarget, place: str) -> event_pb2.Target:
    if (target.recipient_id is None) == (target.group is None):
        raise forms.invalid(place, "must have exactly one of recipient_id and group")
    return _stored(target)


def _stored(target: AudienceTarget | ExcludedTarget) -> event_pb2.Target:
    if target.group is not None:
        return event_pb2.Target(group=target.group)
    return event_pb2.Target(recipient_id=target.recipient_id or "")


def _shown_target(target: event_pb2.Target) -> dict[str, Any]:
    kind = target.WhichOneof("target") or "recipient_id"
    shown: dict[str, Any] = {
        "recipient": lambda: _shown_recipient(target.recipient),
        "contact": lambda: _shown_recipient(target.contact.recipient),
        "tags": lambda: list(target.tags.tags),
        "everybody": lambda: True,
    }
    return {kind: shown[kind]() if kind in shown else getattr(target, kind)}


def _shown_recipient(person: event_pb2.Recipient) -> dict[str, Any]:
    return {
        "user_id": person.user_id,
        "email": person.email,
        "phone": person.phone,
        "locale": person.locale,
        "timezone": person.timezone,
        "name": person.name,
        "data": _decode(person.data or b"{}"),
    }
