"""The demo page and its outbox: only where CLARION_DEMO_TENANT_ID is set, else 404."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.operations import HTML, Operation, Parameter, ResponseSpec
from gateway.openapi.values import Channel, OrqestraFaultSchema, Shape, Text, Time

_TAG = "Demo"


class SessionSchema(Shape):
    """What the demo page connects with."""

    tenant_id: str
    user_id: str
    token: str
    channels: list[str]


class SorrySchema(Shape):
    """Why there is nothing."""

    message: str


class OutboxMessageSchema(Shape):
    """What a sandbox provider was given."""

    id: str
    event_id: str
    delivery_id: str
    channel: Channel | None
    recipient: str
    sender: str
    reply_to: str
    subject: str
    text: str
    html: Annotated[str, Meta(description="Empty in a list; whole where one event was asked for.")]
    via: str
    trace_id: str
    recorded_at: Time


class OutboxPageSchema(Shape):
    """Newest first."""

    messages: list[OutboxMessageSchema]
    next_cursor: str | None


_PAGE = ResponseSpec(str, content_type=HTML)
_QUERY = (
    Parameter("event_id", Text),
    Parameter("limit", Annotated[int, Meta(ge=1, le=1000)], default=50),
    Parameter("cursor", Text),
)

OPERATIONS = (
    Operation("GET", "/demo", "demoPage", "A bell with an inbox", _TAG, {200: _PAGE}),
    Operation(
        "POST",
        "/demo/session",
        "demoSession",
        "A token of the demo user",
        _TAG,
        {200: ResponseSpec(SessionSchema), 404: ResponseSpec(SorrySchema), 503: ResponseSpec(SorrySchema)},
    ),
    Operation(
        "GET", "/demo/outbox", "demoOutbox", "The outbox", _TAG, {200: _PAGE, 422: _PAGE, 503: _PAGE}, parameters=_QUERY
    ),
    Operation(
        "GET",
        "/demo/outbox.json",
        "demoOutboxJson",
        "The outbox for programs",
        _TAG,
        {
            200: ResponseSpec(OutboxPageSchema),
            404: ResponseSpec(SorrySchema),
            422: ResponseSpec(SorrySchema),
            503: ResponseSpec(SorrySchema),
        },
        parameters=_QUERY,
    ),
    Operation("GET", "/demo/outbox/{id}", "demoMessage", "One message", _TAG, {200: _PAGE, 404: _PAGE, 503: _PAGE}),
    Operation(
        "GET",
        "/demo/outbox/{id}/html",
        "demoMessageHtml",
        "A mail's own markup",
        _TAG,
        {200: _PAGE, 404: _PAGE, 503: _PAGE},
    ),
    Operation(
        "GET",
        "/demo/{name}",
        "demoFile",
        "A file of the demo page",
        _TAG,
        {
            200: ResponseSpec(description="The file."),
            404: ResponseSpec(OrqestraFaultSchema, "There is no file of this name."),
        },
    ),
)
