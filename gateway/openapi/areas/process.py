"""The gateway itself: its health, this description, and the way of browsers to the realtime hub."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from gateway.openapi.operations import HTML, Operation, ResponseSpec
from gateway.openapi.values import AnyObject, OrqestraFaultSchema, Shape

_TAG = "Gateway"


class HealthSchema(Shape):
    """What the gateway needs, and whether it is there."""

    status: Annotated[str, Meta(extra_json_schema={"enum": ["ok", "unavailable", "draining"]})]
    dependencies: dict[str, Annotated[str, Meta(extra_json_schema={"enum": ["serving", "unavailable"]})]]
    reason: Annotated[str, Meta(description="Only with the status `unavailable`.")] | UnsetType = UNSET
    warnings: Annotated[list[str], Meta(description="What an operator should set right.")] | UnsetType = UNSET


def _health(path: str, name: str, summary: str) -> Operation:
    answers = {200: ResponseSpec(HealthSchema), 503: ResponseSpec(HealthSchema)}
    return Operation("GET", path, name, summary, _TAG, answers)


OPERATIONS = (
    _health("/healthz", "health", "Whether everything serves"),
    _health("/readyz", "readiness", "Whether events can be taken"),
    Operation(
        "GET",
        "/openapi.json",
        "openapi",
        "Get this document",
        _TAG,
        {200: ResponseSpec(AnyObject), 500: ResponseSpec(OrqestraFaultSchema)},
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
            404: ResponseSpec(OrqestraFaultSchema, "There is no file with this name."),
        },
    ),
    Operation(
        "GET",
        "/connection/websocket",
        "connect",
        "The realtime hub's WebSocket",
        _TAG,
        {
            101: ResponseSpec(description="From here on the hub speaks; use its official client."),
            400: ResponseSpec(
                OrqestraFaultSchema, "The client asks for the protocol in protobuf; only JSON is spoken."
            ),
            403: ResponseSpec(OrqestraFaultSchema, "The page's origin is not allowed."),
            426: ResponseSpec(OrqestraFaultSchema, headers={"Upgrade": "websocket"}),
            429: ResponseSpec(OrqestraFaultSchema, "Too many connections from this address."),
            502: ResponseSpec(OrqestraFaultSchema, "The hub is away."),
            503: ResponseSpec(OrqestraFaultSchema, "Full, or draining."),
        },
    ),
)
