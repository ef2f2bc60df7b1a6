"""The gateway itself: its health, this document, and the WebSocket to the realtime hub."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from gateway.openapi.operations import HTML, Operation, ResponseSpec
from gateway.openapi.values import AnyObject, GatewayFaultSchema, Shape

_TAG = "Gateway"


class HealthSchema(Shape):
    """The state of the gateway and of everything that it depends on."""

    status: Annotated[str, Meta(extra_json_schema={"enum": ["ok", "unavailable", "draining"]})]
    dependencies: dict[str, Annotated[str, Meta(extra_json_schema={"enum": ["serving", "unavailable"]})]]
    reason: Annotated[str, Meta(description="Present if the status is `unavailable`.")] | UnsetType = UNSET
    warnings: (
        Annotated[list[str], Meta(description="Problems of the configuration that an operator should fix.")] | UnsetType
    ) = UNSET


def _health(path: str, name: str, summary: str) -> Operation:
    answers = {200: ResponseSpec(HealthSchema), 503: ResponseSpec(HealthSchema)}
    return Operation("GET", path, name, summary, _TAG, answers)


OPERATIONS = (
    _health("/healthz", "health", "Check the health of every dependency"),
    _health("/readyz", "readiness", "Check whether events can be accepted"),
    Operation(
        "GET",
        "/openapi.json",
        "openapi",
        "Get this document",
        _TAG,
        {200: ResponseSpec(AnyObject), 500: ResponseSpec(GatewayFaultSchema)},
    ),
    Operation(
        "GET", "/docs", "docs", "Show this document as a page", _TAG, {200: ResponseSpec(str, content_type=HTML)}
    ),
    Operation(
        "GET",
        "/docs/{name}",
        "docsFile",
        "Get a file of that page",
        _TAG,
        {
            200: ResponseSpec(description="The file."),
            404: ResponseSpec(GatewayFaultSchema, "There is no file with this name."),
        },
    ),
    Operation(
        "GET",
        "/connection/websocket",
        "connect",
        "Connect to the realtime hub (WebSocket)",
        _TAG,
        {
            101: ResponseSpec(description="Switching protocols. Use the official client `centrifuge`."),
            400: ResponseSpec(
                GatewayFaultSchema, "The client asked for the Protobuf protocol. Only JSON is supported."
            ),
            403: ResponseSpec(GatewayFaultSchema, "The page's origin is not allowed."),
            426: ResponseSpec(GatewayFaultSchema, headers={"Upgrade": "websocket"}),
            429: ResponseSpec(GatewayFaultSchema, "Too many connections from this address."),
            502: ResponseSpec(GatewayFaultSchema, "The realtime hub does not answer."),
            503: ResponseSpec(GatewayFaultSchema, "The gateway has too many connections, or is shutting down."),
        },
    ),
)
