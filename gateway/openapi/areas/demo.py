"""The demo page and its outbox: only where CLARION_DEMO_TENANT_ID is set, else 404."""

from typing import Annotated

from msgspec import Meta

from gateway.demo.orders import PRODUCTS
from gateway.openapi.operations import HTML, RETRY_AFTER, Operation, Parameter, ResponseSpec
from gateway.openapi.values import Channel, GatewayFaultSchema, Shape, Text, Time

_TAG = "Demo"


class SessionSchema(Shape):
    """What the demo page needs to connect to the realtime hub."""

    tenant_id: str
    user_id: str
    token: str
    channels: list[str]


class SorrySchema(Shape):
    """Why the request failed."""

    message: str


class OrderSchema(Shape):
    """What to order."""

    product: Annotated[str, Meta(extra_json_schema={"enum": list(PRODUCTS)})]


class OrderedSchema(Shape):
    """The order, and the event that it sent to the demo user."""

    order_id: str
    event_id: str


class OutboxMessageSchema(Shape):
    """A message that a sandbox provider received."""

    id: str
    event_id: str
    delivery_id: str
    channel: Channel | None
    recipient: str
    sender: str
    reply_to: str
    subject: str
    text: str
    html: Annotated[str, Meta(description="Empty in a list of several events; present when event_id is given.")]
    via: str
    trace_id: str
    recorded_at: Time


class OutboxPageSchema(Shape):
    """A page of messages, newest first."""

    messages: list[OutboxMessageSchema]
    next_cursor: str | None


_PAGE = ResponseSpec(str, content_type=HTML)
_QUERY = (
    Parameter("event_id", Text),
    Parameter("limit", Annotated[int, Meta(ge=1, le=1000)], default=50),
    Parameter("cursor", Text),
)

_IMAGES = (Parameter("images", Text, "`shown`: images of other hosts are loaded."),)

OPERATIONS = (
    Operation("GET", "/demo", "demoPage", "Show the demo shop", _TAG, {200: _PAGE}),
    Operation(
        "POST",
        "/demo/session",
        "demoSession",
        "Get a realtime token for the demo user",
        _TAG,
        {200: ResponseSpec(SessionSchema), 404: ResponseSpec(SorrySchema), 503: ResponseSpec(SorrySchema)},
    ),
    Operation(
        "POST",
        "/demo/orders",
        "demoOrder",
        "Order something, which sends the demo user one event",
        _TAG,
        {
            200: ResponseSpec(OrderedSchema),
            **{status: ResponseSpec(SorrySchema) for status in (408, 413, 415, 422, 503)},
            429: ResponseSpec(SorrySchema, headers={"Retry-After": RETRY_AFTER}),
        },
        body=OrderSchema,
        example={"product": "oak"},
        description="All visitors together can order ten times at once, then once every three seconds.",
    ),
    Operation(
        "GET",
        "/demo/outbox",
        "demoOutbox",
        "Show the outbox",
        _TAG,
        {200: _PAGE, 422: _PAGE, 503: _PAGE},
        parameters=_QUERY,
    ),
    Operation(
        "GET",
        "/demo/outbox.json",
        "demoOutboxJson",
        "List the outbox as JSON",
        _TAG,
        {
            200: ResponseSpec(OutboxPageSchema),
            404: ResponseSpec(SorrySchema),
            422: ResponseSpec(SorrySchema),
            503: ResponseSpec(SorrySchema),
        },
        parameters=_QUERY,
    ),
    Operation(
        "GET",
        "/demo/outbox/{id}",
        "demoMessage",
        "Show one message",
        _TAG,
        {200: _PAGE, 404: _PAGE, 503: _PAGE},
        parameters=_IMAGES,
    ),
    Operation(
        "GET",
        "/demo/outbox/{id}/html",
        "demoMessageHtml",
        "Get the HTML of an e-mail",
        _TAG,
        {200: _PAGE, 404: _PAGE, 503: _PAGE},
        parameters=_IMAGES,
    ),
    Operation(
        "GET",
        "/demo/{name}",
        "demoFile",
        "Get a file of the demo page",
        _TAG,
        {
            200: ResponseSpec(description="The file."),
            404: ResponseSpec(GatewayFaultSchema, "There is no file with this name."),
        },
    ),
)
