"""What became of events."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.areas.templates import Sms
from gateway.openapi.operations import PAGING, SINCE, UNTIL, Operation, Parameter, admin, filters
from gateway.openapi.values import ALL_REASONS, Channel, Id, Page, Reason, Shape, Status, Text, Time
from services.domain import channels

_TAG = "Events"


class EventRecipient(Shape):
    """Who was told."""

    user_id: str
    email: str | None
    phone: str | None


class Delivery(Shape):
    """One message to one recipient."""

    id: Id
    channel: Channel
    status: Status | None
    reason: Annotated[Reason | None, Meta(description=ALL_REASONS)]
    provider: str | None
    attempts: int


class Event(Shape):
    """An accepted event."""

    id: Id
    tenant_id: str
    event_type: str
    caller_event_id: str | None
    recipient: EventRecipient
    trace_id: str
    test: Annotated[bool, Meta(description="Sent by an operator to try a template.")]
    replay_of: Annotated[Id | None, Meta(description="The event that this one is a replay of.")]
    accepted_at: Time | None
    finished_at: Annotated[Time | None, Meta(description="null while something is still to do.")]
    deliveries: list[Delivery]


class Step(Shape):
    """One step of an event's timeline."""

    step: str
    time: Time | None
    duration_ms: float
    outcome: str
    reason: Reason | None
    detail: str | None
    service: str
    delivery_id: str | None
    channel: Channel | None
    attempt: int | None
    provider: str | None
    provider_id: Annotated[str | None, Meta(description="Which of the tenant's providers was asked.")]
    provider_message_id: Annotated[str | None, Meta(description="The provider's own id of the message.")]
    next_attempt_at: Time | None
    template_version_id: Annotated[str | None, Meta(description='Of "queued" and "skipped".')]
    sms: Annotated[Sms | None, Meta(description="What it is billed as, or would be.")]


class EventWithTimeline(Event):
    """An event and all its steps."""

    timeline: list[Step]


class DeadLetter(Shape):
    """A delivery whose last try failed."""

    delivery_id: Id
    event_id: Id
    tenant_id: Id
    channel: Channel
    reason: Reason
    detail: str | None
    died_at: Time


class DeadLetterReplay(Shape):
    """It is on its way again."""

    delivery_id: str
    replayed: bool


class PlannedDelivery(Shape):
    """What would be sent, or why not."""

    channel: Channel
    status: Status | None
    reason: Reason | None
    template_version_id: str | None
    locale: str | None
    provider_id: str | None


class Explanation(Shape):
    """What would become of an event."""

    deliveries: list[PlannedDelivery]
    reason: Reason | None


_SEARCH = (
    *filters("tenant_id", "event_type"),
    Parameter("recipient", Text, "User id, address or number."),
    Parameter("status", Status, "Of one of its deliveries."),
    SINCE,
    UNTIL,
    Parameter("event_id", Text, "Ours, or the caller's eventId."),
    *PAGING,
)
_EXPLAIN = (
    Parameter("tenant_id", Id, required=True),
    *filters("event_type", "user_id", "email", "phone", "locale"),
    Parameter("channels", Text, f"Some of {','.join(channels.BY_PUBLIC_NAME)}."),
)

OPERATIONS: tuple[Operation, ...] = (
    admin("GET", "/events", "searchEvents", "Search events", {200: Page[Event]}, tag=_TAG, parameters=_SEARCH),
    admin(
        "GET",
        "/events/{id}",
        "getEvent",
        "Get an event with its timeline",
        {200: EventWithTimeline},
        tag=_TAG,
    ),
    admin(
        "GET",
        "/dead-letters",
        "listDeadLetters",
        "List dead letters",
        {200: Page[DeadLetter]},
        tag=_TAG,
        parameters=(*filters("tenant_id"), *PAGING),
    ),
    admin(
        "POST",
        "/dead-letters/{id}/replay",
        "replayDeadLetter",
        "Send a dead letter again",
        {202: DeadLetterReplay},
        tag=_TAG,
    ),
    admin(
        "GET",
        "/route-explain",
        "explainRoute",
        "Tell what would become of an event",
        {200: Explanation},
        tag=_TAG,
        faults=(404,),
        parameters=_EXPLAIN,
    ),
)
