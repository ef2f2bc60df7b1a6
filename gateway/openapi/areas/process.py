"""The gateway itself: its health, this description, and the way of browsers to the realtime hub."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from gateway.openapi.operations import HTML, Answer, Operation
from gateway.openapi.values import AnyObject, OrqestraFault, Shape

_TAG = "Gateway"


class Health(Shape):
    """What the gateway needs, and whether it is there."""

    status: Annotated[str, Meta(extra_json_schema={"enum": ["ok", "unavailable", "draining"]})]
    dependencies: dict[str, Annotated[str, Meta(extra_json_schema={"enum": ["serving", "unavailable"]})]]
    reason: Annotated[str, Meta(description="Only with the status `unavailable`.")] | UnsetType = UNSET
    warnings: Annotated[list[str], Meta(description="What an operator should set right.")] | UnsetType = UNSET


def _health(path: str, name: str, summary: str) -> Operation:
    answers = {200: Answer(Health), 503: Answer(Health)}
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
        {200: Answer(AnyObject), 500: Answer(OrqestraFault)},
    ),
    Operation("GET", "/docs", "docs", "Show this document as a page", _TAG, {200: Answer(str, content_type=HTML)}),
    Operation(
        "GET",
        "/docs/{name}",
        "docsFile",
        "Get a file of that page",
        _TAG,
        {200: Answer(description="The file."), 404: Answer(OrqestraFault, "There is no file with this name.")},
    ),
    Operation(
        "GET",
        "/connection/websocket",
        "connect",
        "The realtime hub's WebSocket",
        _TAG,
        {
            101: Answer(description="From here on the hub speaks; use its official client."),
            400: Answer(OrqestraFault, "The client asks for the protocol in protobuf; only JSON is spoken."),
            403: Answer(OrqestraFault, "The page's origin is not allowed."),
            426: Answer(OrqestraFault, headers={"Upgrade": "websocket"}),
            429: Answer(OrqestraFault, "Too many connections from this address."),
            502: Answer(OrqestraFault, "The hub is away."),
            503: Answer(OrqestraFault, "Full, or draining."),
        },
    ),
)
