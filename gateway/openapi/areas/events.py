"""Events: search, timelines, dead letters, and a dry run of routing."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.areas.templates import SmsSchema
from gateway.openapi.operations import PAGING, SINCE, UNTIL, Operation, Parameter, admin, filters
from gateway.openapi.values import ALL_REASONS, Channel, Id, PageSchema, Reason, Shape, Status, Text, Time

_TAG = "Events"


class EventRecipientSchema(Shape):
    """The recipient of an event."""

    user_id: str
    email: str | None
    phone: str | None


class DeliverySchema(Shape):
    """One message to one recipient."""

    id: Id
    channel: Channel
    status: Status | None
    reason: Annotated[Reason | None, Meta(description=ALL_REASONS)]
    provider: str | None
    attempts: int


class EventSchema(Shape):
    """An accepted event."""

    id: Id
    tenant_id: str
    event_type: str
    caller_event_id: str | None
    recipient: EventRecipientSchema
    trace_id: str
    test: Annotated[bool, Meta(description="true: an operator sent it to test a template.")]
    replay_of: Annotated[
        Id | None, Meta(description="The id of the event that this one repeats; null: it is not a replay.")
    ]
    accepted_at: Time | None
    finished_at: Annotated[Time | None, Meta(description="null: some deliveries are not finished yet.")]
    deliveries: list[DeliverySchema]


class StepSchema(Shape):
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
    provider_id: Annotated[str | None, Meta(description="The tenant's provider that was used.")]
    provider_message_id: Annotated[str | None, Meta(description="The provider's own id for the message.")]
    next_attempt_at: Time | None
    template_version_id: Annotated[str | None, Meta(description='Present in the steps "queued" and "skipped".')]
    sms: Annotated[
        SmsSchema | None, Meta(description="How many segments the text message is billed as; null for other steps.")
    ]


class EventWithTimelineSchema(EventSchema):
    """An event and all its steps."""

    timeline: list[StepSchema]


class DeadLetterSchema(Shape):
    """A delivery whose last attempt failed."""

    delivery_id: Id
    event_id: Id
    tenant_id: Id
    channel: Channel
    reason: Reason
    detail: str | None
    died_at: Time


class DeadLetterReplaySchema(Shape):
    """The delivery is queued again."""

    delivery_id: str
    replayed: bool


class PlannedDeliverySchema(Shape):
    """A delivery as routing would plan it, or the reason why it would be skipped."""

    channel: Channel
    status: Status | None
    reason: Reason | None
    template_version_id: str | None
    locale: str | None
    provider_id: str | None


class ExplanationSchema(Shape):
    """The deliveries that routing would plan for an event."""

    deliveries: list[PlannedDeliverySchema]
    reason: Reason | None


_SEARCH = (
    *filters("tenant_id", "event_type"),
    Parameter("recipient", Text, "The recipient's user id, e-mail address or phone number."),
    Parameter("status", Status, "Only events with a delivery in this status."),
    SINCE,
    UNTIL,
    Parameter("event_id", Text, "Clarion's event id, or the caller's eventId."),
    *PAGING,
)
_EXPLAIN = (
    Parameter("tenant_id", Id, required=True),
    *filters("event_type", "user_id", "email", "phone", "locale"),
    Parameter("channels", Text, "A list separated by commas, such as `EMAIL,PUSH`. Absent: all channels."),
)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/events",
        "searchEvents",
        "Search events, newest first",
        {200: PageSchema[EventSchema]},
        tag=_TAG,
        parameters=_SEARCH,
    ),
    admin(
        "GET",
        "/events/{id}",
        "getEvent",
        "Get an event with its timeline",
        {200: EventWithTimelineSchema},
        tag=_TAG,
    ),
    admin(
        "GET",
        "/dead-letters",
        "listDeadLetters",
        "List dead letters, newest first",
        {200: PageSchema[DeadLetterSchema]},
        tag=_TAG,
        parameters=(*filters("tenant_id"), *PAGING),
    ),
    admin(
        "POST",
        "/dead-letters/{id}/replay",
        "replayDeadLetter",
        "Replay a dead letter",
        {202: DeadLetterReplaySchema},
        tag=_TAG,
    ),
    admin(
        "GET",
        "/route-explain",
        "explainRoute",
        "Explain how an event would be routed; nothing is sent",
        {200: ExplanationSchema},
        tag=_TAG,
        faults=(404,),
        parameters=_EXPLAIN,
    ),
)
