"""Events that an operator sends, and runs: events that wait for their time, or have many recipients."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.runs import LIMIT_KINDS, STATES, NewEventBody
from gateway.openapi.operations import PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import Id, PageSchema, Reason, Shape, Time

_TAG = "Runs"

RunState = Annotated[
    str,
    Meta(
        description=(
            "- `waiting`: for its time\n- `expanding`: its recipients are read page by page, and their deliveries are"
            " sent\n- `paused`\n- `running`: all recipients are read, and workflow runs of some of them go on\n- `done`"
            "\n- `canceled`\n- `failed`: Clarion failed several times in a row"
        ),
        extra_json_schema={"enum": list(STATES)},
    ),
]


class LimitSchema(Shape):
    """A limit of the tenant, and what is left of it."""

    kind: Annotated[str, Meta(examples=list(LIMIT_KINDS.values()))]
    scope: Annotated[str | None, Meta(description="What it counts; null: the whole tenant.")]
    window_s: Annotated[int | None, Meta(description="Seconds of the window; null: it is not a rate.")]
    bound: int
    remaining: int
    reset_s: Annotated[int | None, Meta(description="Seconds until something is admitted again; null: not known.")]


class EndpointDeliveryIdSchema(Shape):
    """The delivery of an event to an endpoint."""

    id: Id
    endpoint_id: Id


class EndpointFailureSchema(Shape):
    """An endpoint that gets nothing although it should."""

    endpoint_id: Id
    reason: Reason
    detail: str


class AcceptedEventSchema(Shape):
    """The event is stored, and is sent once."""

    event_id: Annotated[Id, Meta(description="Of a duplicate: the id of the first event.")]
    duplicate: Annotated[bool, Meta(description="true: an earlier event has this idempotency_key. Nothing is sent.")]
    differs: Annotated[bool, Meta(description="true: a duplicate that asked for something else than the first event.")]
    limits: Annotated[list[LimitSchema], Meta(description="The tenant's rates after this event.")]
    deliveries: Annotated[
        list[EndpointDeliveryIdSchema], Meta(description="Of an event for `endpoints`: what is sent to them.")
    ]
    failures: Annotated[list[EndpointFailureSchema], Meta(description="Of an event for `endpoints`.")]


class RunSchema(Shape):
    """An event that waits for its time, or has many recipients, and how far it has come."""

    event_id: Id
    tenant_id: Id
    event_type: str
    scope: str | None
    state: RunState
    due_at: Annotated[Time | None, Meta(description="null: it was to be sent at once.")]
    recipients: Annotated[int, Meta(description="How many recipients were read so far.")]
    sends: Annotated[int, Meta(description="How many deliveries were planned for them, without the skipped ones.")]
    skips: int
    open_workflow_runs: Annotated[int, Meta(description="Workflow runs that have not ended.")]
    held_back: Annotated[
        str | None,
        Meta(
            description="Why the next page waits: `backlog` (for the deliveries before it), `streams` (a stream is"
            " crowded), `unavailable` (a part of Clarion is), `internal_error` (it is tried again), `tenant_inactive`;"
            " null: it does not.",
            examples=["backlog"],
        ),
    ]
    created_at: Time
    updated_at: Time


class CanceledEventSchema(Shape):
    """Nothing more of the event is sent, except what was in hand. run: null: the event has none."""

    event_id: Id
    run: RunSchema | None


class WorkflowCountSchema(Shape):
    """How many deliveries of one step of a workflow have a status."""

    workflow_id: Annotated[Id | None, Meta(description="null: deliveries of no stored workflow.")]
    step: str
    channel: str | None
    status: str | None
    count: int


class WorkflowCountsSchema(Shape):
    """In the order of workflow and step; at most 5,000."""

    data: list[WorkflowCountSchema]


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/tenants/{id}/events",
        "sendEvent",
        "Send an event to an audience, now or later",
        {202: AcceptedEventSchema},
        tag=_TAG,
        faults=(409,),
        body=NewEventBody,
        example={
            "event_type": "news.published",
            "audience": [{"group": "readers"}, {"recipient": {"user_id": "u1", "email": "ada@example.com"}}],
            "exclusions": [{"recipient_id": "u2"}],
            "due_at": "2026-04-22T12:00:00Z",
            "variables": {"title": "Lamps"},
            "idempotency_key": "news-17",
        },
    ),
    admin(
        "POST",
        "/tenants/{id}/events/{event_id}/cancel",
        "cancelEvent",
        "Cancel an event",
        {200: CanceledEventSchema},
        tag=_TAG,
        description="Nothing more of it is sent, except what was in hand. Repeated, it changes nothing.",
    ),
    admin(
        "GET",
        "/runs",
        "listRuns",
        "List runs, newest first",
        {200: PageSchema[RunSchema]},
        tag=_TAG,
        parameters=(*filters("tenant_id"), Parameter("state", RunState), *PAGING),
    ),
    admin("GET", "/events/{id}/run", "getRun", "Get the progress of an event's run", {200: RunSchema}, tag=_TAG),
    admin(
        "GET",
        "/events/{id}/workflow-counts",
        "getWorkflowCounts",
        "Count the deliveries of an event by workflow and step",
        {200: WorkflowCountsSchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/events/{id}/run/pause",
        "pauseRun",
        "Pause a run before its next page",
        {200: RunSchema},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        "/events/{id}/run/resume",
        "resumeRun",
        "Let a paused run go on",
        {200: RunSchema},
        tag=_TAG,
        faults=(409,),
    ),
)
