"""Events: search, timelines, and a dry run of routing."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.areas.templates import SmsSchema
from gateway.openapi.operations import PAGING, SINCE, UNTIL, Operation, Parameter, admin, filters
from gateway.openapi.values import ALL_REASONS, Channel, Id, PageSchema, Reason, Shape, Status, Text, Time

_TAG = "Events"


class EventRecipientSchema(Shape):
    """Who gets a message, as the caller or the tenant's stored recipient describes them."""

    user_id: Annotated[str, Meta(description="Empty: the person is known by an address only.")]
    email: str | None
    phone: str | None


class HttpHeaderSchema(Shape):
    """A header of a response. The values of headers that may be secret are masked."""

    name: str
    value: str


class HttpExchangeSchema(Shape):
    """One HTTP call to an endpoint or a provider, and its answer. The values of the URL's query are masked."""

    url: str
    status: Annotated[int | None, Meta(description="null: no answer came.")]
    headers: list[HttpHeaderSchema]
    body: Annotated[str, Meta(description="The first 4 KiB of the answer.")]
    is_cut: Annotated[bool, Meta(description="true: the answer had more.")]


class DeliverySchema(Shape):
    """One message to one recipient or endpoint."""

    id: Id
    event_id: Id
    channel: Channel
    step: Annotated[str, Meta(description="The step of the workflow that sends it; usually the channel's name.")]
    recipient: Annotated[
        EventRecipientSchema | None,
        Meta(description="Who gets it. null: the event's only recipient, or it goes to an endpoint."),
    ]
    endpoint_id: Annotated[Id | None, Meta(description="Where it goes; null: to a recipient.")]
    workflow_id: Annotated[Id | None, Meta(description="The stored workflow that sends it; null: none.")]
    workflow_run_id: Annotated[Id | None, Meta(description="Its run; null: the workflow needs none.")]
    status: Status | None
    reason: Annotated[Reason | None, Meta(description=ALL_REASONS)]
    parked: Annotated[Reason | None, Meta(description="Why it waits for its endpoint. null: it does not.")]
    provider: str | None
    attempts: int
    updated_at: Time | None


class EventSchema(Shape):
    """An accepted event."""

    id: Id
    tenant_id: str
    event_type: str
    caller_event_id: str | None
    metadata: Annotated[dict[str, str], Meta(description="Its labels, such as where it comes from.")]
    recipient: Annotated[
        EventRecipientSchema | None,
        Meta(description="Its only recipient. null: it has several, or the ledger does not know it yet."),
    ]
    several_recipients: Annotated[
        bool, Meta(description="true: it has several recipients, or it is for a group or everybody.")
    ]
    trace_id: str
    test: Annotated[bool, Meta(description="true: an operator sent it to test a template.")]
    replay_of: Annotated[
        Id | None, Meta(description="The id of the event that this one repeats; null: it is not a replay.")
    ]
    replayed: Annotated[
        bool,
        Meta(description='true: it, or a part of it, was sent again. Its timeline names the new events ("replayed").'),
    ]
    has_workflows: Annotated[
        bool, Meta(description="true: it starts stored workflows; `GET /events/{id}/workflow-counts` counts by step.")
    ]
    accepted_at: Time | None
    due_at: Annotated[Time | None, Meta(description="When it is to be sent. null: at once.")]
    waiting: Annotated[bool, Meta(description="true: its time has not come, and nothing of it is sent yet.")]
    finished_at: Annotated[Time | None, Meta(description="null: some deliveries are not finished yet.")]
    reason: Annotated[Reason | None, Meta(description="Why nothing, or no more, of it is sent.")]
    delivery_count: Annotated[int, Meta(description="The number of deliveries that are planned so far.")]
    counts: Annotated[dict[str, int], Meta(description="How many of them have each status.")]
    deliveries: Annotated[
        list[DeliverySchema],
        Meta(description="The first 20, or 100 of a single event. `GET /events/{id}/deliveries` lists all."),
    ]


class StepSchema(Shape):
    """One step of an event's timeline."""

    step: str
    time: Time | None
    duration_ms: float
    wait_ms: Annotated[
        float, Meta(description="Of an attempt: how long the delivery had waited for it since it was planned or due.")
    ]
    prepare_ms: Annotated[float, Meta(description="Of an attempt: how long its message took to prepare.")]
    outcome: str
    reason: Reason | None
    detail: str | None
    service: str
    delivery_id: str | None
    channel: Channel | None
    attempt: int | None
    replay: Annotated[int, Meta(description="0, raised by each replay of the delivery.")]
    provider: str | None
    provider_id: Annotated[str | None, Meta(description="The tenant's provider that was used.")]
    provider_message_id: Annotated[str | None, Meta(description="The provider's own id for the message.")]
    next_attempt_at: Time | None
    template_version_id: Annotated[str | None, Meta(description='Present in the steps "queued" and "skipped".')]
    sms: Annotated[
        SmsSchema | None, Meta(description="How many segments the text message is billed as; null for other steps.")
    ]
    workflow_id: Annotated[
        Id | None, Meta(description="Of a step `workflow`: what a workflow run did besides sending.")
    ]
    workflow_run_id: Id | None
    workflow_step: Annotated[str | None, Meta(description="The step's id; null: the run as a whole.")]
    http: Annotated[
        HttpExchangeSchema | None, Meta(description="Of an attempt over HTTP, to an endpoint or a provider.")
    ]


class EventWithTimelineSchema(EventSchema):
    """An event and all its steps."""

    timeline: list[StepSchema]


class DeliveryWithTimelineSchema(DeliverySchema):
    """A delivery and all its steps."""

    tenant_id: Id
    timeline: list[StepSchema]


class PlannedDeliverySchema(Shape):
    """A delivery as routing would plan it, or the reason why it would be skipped.

    Endpoints are listed whatever their filters say.
    """

    channel: Channel
    status: Status | None
    reason: Reason | None
    template_version_id: str | None
    locale: str | None
    provider_id: str | None
    endpoint_id: Id | None


class ExplanationSchema(Shape):
    """The deliveries that routing would plan for an event."""

    deliveries: list[PlannedDeliverySchema]
    reason: Reason | None


_RECIPIENT = Parameter("recipient", Text, "A recipient's user id, e-mail address or phone number.")
_SEARCH = (
    *filters("tenant_id", "event_type"),
    _RECIPIENT,
    Parameter("status", Status, "Only events with a delivery in this status."),
    Parameter("channel", Channel, "Only events with a delivery on this channel, and in this status if one is given."),
    Parameter("reason", Text, "Only events with a delivery with this reason, or of which nothing is sent for it."),
    Parameter("provider", Text, "Only events with a delivery that this kind of provider was last tried for."),
    SINCE,
    UNTIL,
    Parameter("event_id", Text, "Clarion's event id, or the caller's eventId."),
    Parameter("metadata", Text, 'With tenant_id: labels that the event has, as JSON such as `{"source": "api"}`.'),
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
        description="With filters a page reads a bounded number of events. It may be short, or empty, and not the last:"
        " go on while there is a `next_cursor`.",
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
        "/events/{id}/deliveries",
        "listDeliveries",
        "List an event's deliveries, by recipient",
        {200: PageSchema[DeliverySchema]},
        tag=_TAG,
        parameters=(_RECIPIENT, Parameter("status", Status, "Only deliveries in this status."), *PAGING),
    ),
    admin(
        "GET",
        "/deliveries/{id}",
        "getDelivery",
        "Get a delivery with its timeline",
        {200: DeliveryWithTimelineSchema},
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
