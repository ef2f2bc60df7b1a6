"""What the admin API and the portal share about endpoints: names, test events, HTTP exchanges without secrets."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import endpoints_pb2
from clarion.senders.v1 import contents_pb2
from clarion.senders.v1 import endpoints_pb2 as parking_pb2
from gateway.accepting import DEADLINE_S
from gateway.clients import Clients
from gateway.revisions import Revisions
from runtime import telemetry
from runtime.errors import ClarionError, Code
from services.domain import secret_headers
from services.domain.endpoints import TEST_EVENT
from services.domain.secret_headers import HIDDEN

TEST_PAYLOAD = b'{"message":"This is a test event."}'

KINDS: "dict[str, endpoints_pb2.EndpointKind.ValueType]" = {
    "webhook": endpoints_pb2.ENDPOINT_KIND_WEBHOOK,
    "slack": endpoints_pb2.ENDPOINT_KIND_SLACK,
}
MODES: "dict[str, endpoints_pb2.EndpointMode.ValueType]" = {
    "push": endpoints_pb2.ENDPOINT_MODE_PUSH,
    "ordered": endpoints_pb2.ENDPOINT_MODE_ORDERED,
    "polled": endpoints_pb2.ENDPOINT_MODE_POLLED,
}
KIND_NAMES = {number: name for name, number in KINDS.items()}
MODE_NAMES = {number: name for name, number in MODES.items()}
# Of the circuit breaker.
STATES: "dict[parking_pb2.BreakerState.ValueType, str]" = {
    parking_pb2.BREAKER_STATE_CLOSED: "closed",
    parking_pb2.BREAKER_STATE_OPEN: "open",
    parking_pb2.BREAKER_STATE_DRAINING: "draining",
}


class SentTest(NamedTuple):
    """The ids of a test event and of its delivery."""

    event_id: str
    delivery_id: str


async def send_test(
    clients: Clients, revisions: Revisions, tenant_id: str, endpoint_id: str, payload: bytes = TEST_PAYLOAD
) -> SentTest:
    """Send a test event to one endpoint, the way of every event. payload: a JSON object.

    Raises ClarionError: NOT_FOUND if the tenant has no such active endpoint, CONFLICT if nothing can be sent to it now.
    """
    event = ingest_pb2.NewEvent(
        event_type=TEST_EVENT,
        variables=payload,
        trace_id=telemetry.current_trace(),
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE),
        to_endpoints=ingest_pb2.ToEndpoints(endpoint_id=endpoint_id),
    )
    item = ingest_pb2.AcceptItem(tenant_id=tenant_id, event=event, revision=revisions.of(tenant_id))
    wire = ingest_pb2.AcceptEventsRequest(items=[item])
    answer = await clients.call(clients.ingest.AcceptEvents, wire, deadline=DEADLINE_S)
    (result,) = answer.results
    if not result.HasField("accepted"):
        raise ClarionError.from_proto(result.error)
    accepted = result.accepted
    if not accepted.deliveries:
        why = accepted.failures[0].detail if accepted.failures else "Nothing can be sent to the endpoint now."
        raise ClarionError(Code.CONFLICT, why)
    return SentTest(accepted.event_id, accepted.deliveries[0].delivery_id)


def shown_exchange(http: trace_pb2.HttpExchange) -> dict[str, Any]:
    """Return an HTTP call and its answer as they are shown: without credentials in the URL, the query or the headers.

    status: None if no answer came. body: its first 4 KiB, with U+FFFD for what is no UTF-8.
    """
    return {
        "url": shown_url(http.url),
        "status": http.status or None,
        "headers": shown_headers(http.headers),
        "body": http.body.decode("utf-8", "replace"),
        "is_cut": http.is_cut,
    }


def shown_headers(headers: Iterable[trace_pb2.HttpHeader | contents_pb2.SentHeader]) -> list[dict[str, str]]:
    """Return headers as they are shown: without the values that may be secrets."""
    return [{"name": one.name, "value": secret_headers.shown(one.name, one.value)} for one in headers]


def shown_url(url: str) -> str:
    """Return a URL without user name and password, and with the values of its query hidden."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    _, _, host = parts.netloc.rpartition("@")
    query = "&".join(_hidden_pair(pair) for pair in parts.query.split("&")) if parts.query else ""
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def without_password(endpoint: endpoints_pb2.Endpoint) -> str:
    """Return the URL of an endpoint for people who may not see secrets: the path of a Slack webhook is its password."""
    shown = shown_url(endpoint.url)
    if endpoint.kind != endpoints_pb2.ENDPOINT_KIND_SLACK or shown in {"", HIDDEN}:
        return shown
    parts = urlsplit(endpoint.url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], f"/{HIDDEN}", "", ""))


def _hidden_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={HIDDEN}" if equals else HIDDEN
