"""Dead letters: deliveries whose last attempt failed."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.dead_letters import MatchingDeadLettersBody
from gateway.openapi.areas.replays import ReplaySchema
from gateway.openapi.operations import PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import Channel, Id, Moment, PageSchema, Reason, Shape, Text, Time

_TAG = "Dead letters"


class DeadLetterSchema(Shape):
    """A delivery whose last attempt failed."""

    delivery_id: Id
    event_id: Id
    tenant_id: Id
    event_type: str | None
    channel: Channel
    endpoint_id: Annotated[Id | None, Meta(description="null: it was not for an endpoint.")]
    provider: Annotated[str | None, Meta(description="The kind of the provider that was called last.")]
    reason: Reason
    text: Annotated[str, Meta(description="The reason in plain words.")]
    detail: str | None
    died_at: Time


class DeadLetterReplaySchema(Shape):
    """The delivery is queued again."""

    delivery_id: str
    replayed: bool


class ReasonCountSchema(Shape):
    """How often something happened for this reason."""

    reason: str
    text: Annotated[str, Meta(description="The reason in plain words.")]
    count: Annotated[int, Meta(ge=1)]


class DeadLetterCountSchema(Shape):
    """How many dead letters match."""

    count: Annotated[int, Meta(ge=0, le=10_000)]
    more: Annotated[bool, Meta(description="true: more than these match.")]
    reasons: Annotated[
        list[ReasonCountSchema],
        Meta(description="Of 10,000 that match the other filters than `reason`, the most frequent reason first."),
    ]


class StartedReplaysSchema(Shape):
    """The replays that were started: one for each tenant."""

    replays: list[ReplaySchema]


_FILTERS = (
    *filters("tenant_id"),
    Parameter("tenant_ids", Text, "Ids separated by commas: dead letters of these tenants."),
    Parameter("channel", Channel),
    Parameter("reason", Text, "Why the last attempt failed."),
    Parameter("provider", Text, "The kind of the provider that was called last."),
    *filters("event_type"),
    Parameter("endpoint_id", Id),
    Parameter("since", Moment, "Only those that died at or after this time."),
    Parameter("until", Moment, "Only those that died before this time."),
)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/dead-letters",
        "listDeadLetters",
        "List dead letters, newest first",
        {200: PageSchema[DeadLetterSchema]},
        tag=_TAG,
        parameters=(*_FILTERS, *PAGING),
    ),
    admin(
        "GET",
        "/dead-letters/count",
        "countDeadLetters",
        "Count dead letters",
        {200: DeadLetterCountSchema},
        tag=_TAG,
        parameters=_FILTERS,
    ),
    admin(
        "POST",
        "/dead-letters/replay",
        "replayDeadLetters",
        "Replay all dead letters that match a filter, in the background",
        {202: StartedReplaysSchema},
        tag=_TAG,
        faults=(404, 409),
        body=MatchingDeadLettersBody,
        example={"tenant_id": "01a1fe7a-0000-7000-8000-000000000000", "reason": "provider_credentials"},
        description=(
            "Each delivery is sent again under its id, from its first attempt. What dies again is not sent once more. "
            "404: none matches. 409: such a replay is under way already."
        ),
    ),
    admin(
        "POST",
        "/dead-letters/{id}/replay",
        "replayDeadLetter",
        "Replay a dead letter",
        {202: DeadLetterReplaySchema},
        tag=_TAG,
    ),
)
