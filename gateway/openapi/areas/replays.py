"""Events sent again."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.replay import STATES, STATUSES, EventReplayBody, NewReplayBody
from gateway.openapi.operations import PAGING, Operation, admin, filters
from gateway.openapi.values import Id, PageSchema, Shape, Time

_TAG = "Replays"


class ReplayedEventSchema(Shape):
    """A new event, and which one it is a replay of."""

    event_id: Id
    replay_of: Id


class ReplaySchema(Shape):
    """A tenant's events of some time, on their way again."""

    id: Id
    tenant_id: Id
    since: Time
    until: Time
    status: Annotated[str, Meta(extra_json_schema={"enum": list(STATUSES)})]
    per_second: int
    state: Annotated[str, Meta(extra_json_schema={"enum": list(STATES.values())})]
    waiting: Annotated[str | None, Meta(description='Why it rests at the moment: "backlog", "tenant_inactive".')]
    replayed: int
    unplayable: Annotated[int, Meta(description="What these carried is no longer kept.")]
    position: Annotated[Time | None, Meta(description="Everything accepted before is done with.")]
    created_at: Time
    finished_at: Time | None


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/events/{id}/replay",
        "replayEvent",
        "Send an event again",
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
        "Send everything since a time again",
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
        "List replays",
        {200: PageSchema[ReplaySchema]},
        tag=_TAG,
        parameters=(*filters("tenant_id"), *PAGING),
    ),
    admin("GET", "/replays/{id}", "getReplay", "Tell how far one has come", {200: ReplaySchema}, tag=_TAG),
    admin(
        "POST",
        "/replays/{id}/cancel",
        "cancelReplay",
        "Stop one",
        {200: ReplaySchema},
        tag=_TAG,
        faults=(409,),
    ),
)
