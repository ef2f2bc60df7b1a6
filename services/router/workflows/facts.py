"""What the rules and times of a workflow see of an event and a person. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from services.router.workflows.steps import Send, Webhook

QUEUED, SKIPPED = "queued", "skipped"


def always_queued(_step: Send | Webhook) -> str:
    """Say of every step that it is sent."""
    return QUEUED


@dataclass(frozen=True)
class Facts:
    """The facts of one look at a run.

    contact: {"id", "email", "phone", "name", "locale", "timezone", "tags", "data"}; what is unknown is "", [] or {}.
    event: {"name", "data", "source"}. variables: of the event. statuses: names of services.domain.statuses, by the ids
    of steps that sent something, as far as needs() asked for them. plan: called once for each step that sends when the
    run comes to it; returns QUEUED or SKIPPED, which later rules see until there is a status.
    """

    contact: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    plan: Callable[[Send | Webhook], str] = always_queued

    @property
    def timezone(self) -> str:
        """The person's time zone; empty: unknown."""
        return self.contact.get("timezone") or ""


def contact(recipient: event_pb2.Recipient, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what rules see of a person."""
    return {
        "id": recipient.user_id,
        "email": recipient.email,
        "phone": recipient.phone,
        "name": recipient.name,
        "locale": recipient.locale,
        "timezone": recipient.timezone,
        "tags": list(tags),
        "data": _object(recipient.data),
    }


def event(event: event_pb2.Event) -> dict[str, Any]:
    """Return what rules see of an event that has its body: payload_extra has its data and source."""
    extra = _object(event.payload_extra)
    return {"name": event.event_type, "data": extra.get("event_data", {}), "source": extra.get("source", {})}


def of(
    event_: event_pb2.Event,
    recipient: event_pb2.Recipient,
    *,
    tags: tuple[str, ...] = (),
    statuses: Mapping[str, str] | None = None,
    plan: Callable[[Send | Webhook], str] = always_queued,
) -> Facts:
    """Return the facts of an event that has its body and of a person."""
    return Facts(
        contact(recipient, tags),
        event(event_),
        _object(event_.variables),
        statuses or {},
        plan,
    )


def size_of(event_: event_pb2.Event, recipient: event_pb2.Recipient) -> int:
    """Return about how many bytes of JSON rules see of an event that has its body and of a person."""
    return len(event_.variables) + len(event_.payload_extra) + len(recipient.data)


def _object(raw: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one if it is none, so that no run fails for what its event should not have."""
    try:
        value = msgspec.json.decode(raw or b"{}")
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so is that for what is not UTF-8
        return {}
    return value if isinstance(value, dict) else {}
