"""Replays: events that are sent again."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.replay import STATES, STATUSES, EventReplayBody, NewReplayBody
from gateway.openapi.operations import PAGING, Operation, admin, filters
from gateway.openapi.values import Channel, Id, PageSchema, Shape, Time

_TAG = "Replays"


class ReplayedEventSchema(Shape):
    """The new event, and the event that it repeats."""

    event_id: Id
    replay_of: Id


class ReplaySchema(Shape):
    """A background job that sends a tenant's events of a period again."""

    id: Id
    tenant_id: Id
    since: Annotated[Time | None, Meta(description="null: dead letters of any time.")]
    until: Time
    of: Annotated[str, Meta(extra_json_schema={"enum": ["events", "dead_letters"]})]
    status: Annotated[
        str | None,
        Meta(
            description="Deliveries that ended so. null: of dead letters.",
            extra_json_schema={"enum": [*STATUSES, None]},
        ),
    ]
    endpoint_id: Annotated[Id | None, Meta(description="The only endpoint that it sends to. null: it is for all.")]
    event_type: Annotated[str | None, Meta(description="The only type of events that it sends. null: all.")]
    channel: Annotated[Channel | None, Meta(description="The only channel. null: all.")]
    reason: Annotated[str | None, Meta(description="The only reason of the deliveries. null: any.")]
    provider: Annotated[str | None, Meta(description="The only kind of provider. null: any.")]
    per_second: int
    state: Annotated[str, Meta(extra_json_schema={"enum": list(STATES.values())})]
    waiting: Annotated[
        str | None,
        Meta(description='Why the replay is paused: "backlog" or "tenant_inactive". null: it is not paused.'),
    ]
    found: Annotated[
        int | None,
        Meta(description="How many dead letters matched when it began. null: not known, of a replay of events."),
    ]
    replayed: int
    unplayable: Annotated[int, Meta(description="The number of events, or deliveries, whose content has been deleted.")]
    position: Annotated[Time | None, Meta(description="Every event accepted before this time has been processed.")]
    created_at: Time
    finished_at: Time | None


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/events/{id}/replay",
        "replayEvent",
        "Replay an event",
        {202: ReplayedEventSchema},
        tag=_TAG,
        faults=(409,),
        body=EventReplayBody,
        example={"channels": ["EMAIL"]},
    ),
    admin(
        "POST",
        "/replays",
        "startReplay",
        "Start a replay of a tenant's events since a time",
        {202: ReplaySchema},
        tag=_TAG,
        faults=(404, 409),
        body=NewReplayBody,
        example={
            "tenant_id": "01a1fe7a-0000-7000-8000-000000000000",
            "since": "2026-04-22T12:00:00Z",
            "status": "failed",
        },
    ),
    admin(
        "GET",
        "/replays",
        "listReplays",
        "List replays, newest first",
        {200: PageSchema[ReplaySchema]},
        tag=_TAG,
        parameters=(*filters("tenant_id"), *PAGING),
    ),
    admin("GET", "/replays/{id}", "getReplay", "Get a replay's progress", {200: ReplaySchema}, tag=_TAG),
    admin(
        "POST",
        "/replays/{id}/cancel",
        "cancelReplay",
        "Cancel a replay",
        {200: ReplaySchema},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        "/replays/{id}/pause",
        "pauseReplay",
        "Pause a replay",
        {200: ReplaySchema},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        "/replays/{id}/resume",
        "resumeReplay",
        "Let a paused replay go on",
        {200: ReplaySchema},
        tag=_TAG,
        faults=(409,),
    ),
)
