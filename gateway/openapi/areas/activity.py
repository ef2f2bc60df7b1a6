"""What is going on: the overview, the search over ids, and events as they change."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.openapi.operations import Operation, Parameter, admin, filters
from gateway.openapi.values import Channel, Id, Moment, Reason, Shape, Status, Time

_TAG = "Activity"


class OverviewCountSchema(Shape):
    """How many deliveries of a step have a status now."""

    channel: Annotated[Channel | None, Meta(description="null: events of which nothing is sent.")]
    status: Status
    count: int


class SendingTimeSchema(Shape):
    """How long deliveries took from when their event was accepted, or due, until they were sent; exact to a tenth."""

    count: Annotated[int, Meta(description="Deliveries that were sent. Replays are left out.")]
    p50_ms: Annotated[float | None, Meta(description="Half of them took at most this long. null: none was sent.")]
    p95_ms: float | None


class OverviewStepSchema(Shape):
    """A step of a chart: events that were accepted in it, and their deliveries."""

    time: Time
    events: int
    counts: list[OverviewCountSchema]
    sent: SendingTimeSchema


class ChannelTimeSchema(SendingTimeSchema):
    """The same for the whole time, of one channel or of all."""

    channel: Annotated[Channel | None, Meta(description="null: all channels.")]


class OverviewReasonSchema(Shape):
    """Why deliveries failed, are tried again, or were skipped."""

    status: Status | None
    channel: Annotated[Channel | None, Meta(description="null: events of which nothing is sent.")]
    reason: Reason
    text: Annotated[str | None, Meta(description="What the reason means.")]
    count: int


class OldestWaitingSchema(Shape):
    """The event that has been under way for the longest time, and what of it waits."""

    event_id: Id
    tenant_id: Id
    tenant_name: str
    event_type: str
    since: Annotated[Time | None, Meta(description="When it was accepted, or due.")]
    delivery_id: Annotated[Id | None, Meta(description="null: it is not planned yet.")]
    channel: Channel | None
    status: Status | None
    reason: Annotated[Reason | None, Meta(description="null: it waits for its turn.")]
    text: str | None
    attempts: int
    provider: str | None


class OverviewSchema(Shape):
    """Counts by time. since and until are widened to whole steps."""

    since: Time | None
    until: Time
    step_s: int
    steps: list[OverviewStepSchema]
    durations: list[ChannelTimeSchema]
    reasons: Annotated[
        list[OverviewReasonSchema],
        Meta(description="The most frequent first: up to ten of retries and failures, then up to ten of skips."),
    ]
    oldest_waiting: Annotated[OldestWaitingSchema | None, Meta(description="null: nothing waits.")]


class SearchHitSchema(Shape):
    """Something with this id."""

    kind: Literal[
        "event",
        "delivery",
        "recipient",
        "workflow",
        "segment",
        "schedule",
        "import",
        "endpoint",
        "template",
        "provider",
        "tenant",
        "api_key",
    ]
    id: Annotated[str | None, Meta(description="null: a tenant's own key, which has none.")]
    tenant_id: Annotated[Id | None, Meta(description="null: it belongs to the platform.")]
    tenant_name: str | None
    title: Annotated[str, Meta(description="What people call it: an event type, a name, a URL.")]
    detail: Annotated[str | None, Meta(description="What matched, and what else tells it apart.")]
    event_id: Annotated[Id | None, Meta(description="The event of a delivery.")]
    time: Annotated[Time | None, Meta(description="When it was made.")]


class SearchSchema(Shape):
    """At most 20 things, the most wanted first."""

    data: list[SearchHitSchema]
    incomplete: Annotated[
        list[str], Meta(description="Services that do not answer: what they own is missing. Usually empty.")
    ]


_Query = Annotated[str, Meta(min_length=3, max_length=255)]

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/overview",
        "getOverview",
        "Get counts by time, durations, the top reasons and what has waited for the longest time",
        {200: OverviewSchema},
        tag=_TAG,
        parameters=(
            *filters("tenant_id"),
            Parameter("since", Moment, "Events accepted from then on. Absent: a day before `until`."),
            Parameter("until", Moment, "Events accepted before. Absent: now."),
        ),
    ),
    admin(
        "GET",
        "/search",
        "search",
        "Find what has this id, in all tenants",
        {200: SearchSchema},
        tag=_TAG,
        parameters=(
            Parameter(
                "q",
                _Query,
                "The id of an event, delivery, endpoint, template version, provider, tenant or key, or at least 8"
                " characters of its beginning; a trace id; the caller's id of an event; a provider's id of a message; a"
                " user id, e-mail address or phone number; the last four characters of an API key; the beginning of a"
                " tenant's name.",
                required=True,
            ),
            *filters("tenant_id"),
        ),
    ),
    admin(
        "GET",
        "/live",
        "live",
        "Watch events as they change (WebSocket)",
        {101: None},
        tag=_TAG,
        faults=(403,),
        description="docs/admin-api.md describes the messages.",
    ),
)
