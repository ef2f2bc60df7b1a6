"""The polling API, by which receivers read the events of an endpoint."""

from typing import Annotated, Any

from msgspec import Meta

from gateway.openapi.operations import POLL_KEY, PROBLEM, RETRY_AFTER, Operation, Parameter, ResponseSpec
from gateway.openapi.values import ProblemSchema, Shape, Text, Time
from gateway.polling import DEFAULT_ITEMS, MAX_ITEMS, PATH


class PolledEventSchema(Shape):
    """One event for the endpoint, as it would have been sent."""

    id: Annotated[str, Meta(description="The same whenever it is read; the header `webhook-id`.")]
    type: str
    timestamp: Annotated[Time | None, Meta(description="When the event was accepted.")]
    payload: dict[str, Any]
    headers: Annotated[dict[str, str], Meta(description="Those of a message, its signature among them.")]


class PolledPageSchema(Shape):
    """The next events of an endpoint. done: nothing more waits."""

    data: list[PolledEventSchema]
    cursor: Annotated[str, Meta(description="The `cursor` of the next call.")]
    done: bool


def _problem(status: int) -> ResponseSpec:
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": RETRY_AFTER}}.get(status, {})
    return ResponseSpec(ProblemSchema, content_type=PROBLEM, headers=headers)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        PATH,
        "poll",
        "Read the next events of a polled endpoint",
        "Polling",
        {200: ResponseSpec(PolledPageSchema), **{one: _problem(one) for one in (401, 404, 409, 422, 429, 500, 503)}},
        parameters=(
            Parameter("cursor", Text, "The cursor of the previous response. Absent: from the oldest event that waits."),
            Parameter("limit", Annotated[int, Meta(ge=1, le=MAX_ITEMS)], default=DEFAULT_ITEMS),
        ),
        security=(POLL_KEY,),
        description="The events before the cursor count as received, and are not answered again.",
    ),
)
