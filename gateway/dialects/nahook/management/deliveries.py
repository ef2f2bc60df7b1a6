"""What was sent to endpoints, each attempt of it, and sending it again."""

from typing import Any

import orjson
from aiohttp import web

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from gateway import queries
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.errors import bad_request
from gateway.dialects.nahook.management.calls import DASHBOARD, Call, Route, time
from gateway.dialects.nahook.management.endpoints import find
from gateway.queries import Bounds
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from services.domain import statuses
from services.domain.reasons import Reason

MAX_PAGE = 100
# More than a page holds is asked for by some: they get a full page, and its cursor.
LIMIT = Bounds(default=50, least=1, most=1_000_000)

_SENT = (trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_DELIVERED)
# Which of our statuses each name stands for. That an attempt is under way is recorded nowhere.
STATUSES: dict[str, tuple[trace_pb2.DeliveryStatus.ValueType, ...]] = {
    "pending": (trace_pb2.DELIVERY_STATUS_QUEUED,),
    "delivering": (),
    "delivered": _SENT,
    "scheduled_retry": (trace_pb2.DELIVERY_STATUS_RETRYING,),
    "failed": (trace_pb2.DELIVERY_STATUS_FAILED, trace_pb2.DELIVERY_STATUS_SKIPPED),
    "dead_letter": (trace_pb2.DELIVERY_STATUS_DEAD,),
}
_TEXTS = {reason.value: reason.text for reason in Reason}
_NAMES = {number: name for name, numbers in STATUSES.items() for number in numbers}


async def list_of_endpoint(call: Call) -> web.Response:
    """List the deliveries of an endpoint, newest first."""
    endpoint = await find(call)
    (limit,) = queries.numbers(call.request, limit=LIMIT)
    status = call.request.query.get("status", "")
    if status and status not in STATUSES:
        raise bad_request(f"status must be one of {', '.join(STATUSES)}")
    bound = (call.tenant_id, endpoint.id, status)
    cursor = call.request.query.get("cursor", "")
    wire = ledger_pb2.ListEndpointDeliveriesRequest(
        tenant_id=call.tenant_id,
        endpoint_id=endpoint.id,
        statuses=STATUSES.get(status, ()),
        limit=min(limit, MAX_PAGE),
        cursor=call.backend.cursors.open(cursor, *bound) if cursor else "",
    )
    if status and not wire.statuses:
        return json_reply({"deliveries": [], "nextCursor": None})
    answer = await call.ask(call.backend.clients.ledger.ListEndpointDeliveries, wire)
    following = call.backend.cursors.seal(answer.next_cursor, *bound) if answer.next_cursor else None
    return json_reply({"deliveries": [shown(one) for one in answer.deliveries], "nextCursor": following})


async def get(call: Call) -> web.Response:
    """Return a delivery, with its payload if the caller asks for it."""
    include = call.request.query.get("include", "")
    if include not in ("", "payload"):
        raise bad_request("include must be payload")
    delivery = await _find(call)
    body = shown(delivery)
    if include:
        body["payload"] = await _payload(call, delivery)
    return json_reply(body)


async def attempts(call: Call) -> web.Response:
    """List the attempts of a delivery, oldest first; those of a retry by hand follow the earlier ones."""
    wire = ledger_pb2.ListAttemptsRequest(tenant_id=call.tenant_id, delivery_id=(await _find(call)).id)
    answer = await call.ask(call.backend.clients.ledger.ListAttempts, wire)
    return json_reply([_shown_attempt(number, one) for number, one in enumerate(answer.attempts, 1)])


async def retry(call: Call) -> web.Response:
    """Send a delivery again that failed for good, under its id."""
    wire = ledger_pb2.RetryDeliveryRequest(tenant_id=call.tenant_id, delivery_id=(await _find(call)).id)
    answer = await call.ask(call.backend.clients.ledger.RetryDelivery, wire)
    return json_reply(shown(answer.delivery))


def shown(delivery: ledger_pb2.DeliverySummary) -> dict[str, Any]:
    """Return a delivery as the API shows it.

    idempotencyKey: that of a send; of a trigger, which has none, the id that all attempts carry as webhook-id.
    """
    name = _NAMES.get(delivery.status, "pending")
    return {
        "id": ids.public(ids.DELIVERY, delivery.id),
        "idempotencyKey": delivery.caller_event_id or ids.public(ids.MESSAGE, delivery.id),
        "endpointId": ids.public(ids.ENDPOINT, delivery.endpoint_id),
        "status": name,
        "totalAttempts": delivery.attempts,
        "firstAttemptAt": time(delivery.first_attempt_at_us),
        "deliveredAt": time(delivery.sent_at_us),
        "nextRetryAt": time(delivery.next_attempt_at_us) if name == "scheduled_retry" else None,
        "hasPayload": delivery.has_content,
        "createdAt": time(delivery.created_at_us),
        "updatedAt": time(delivery.updated_at_us or delivery.created_at_us),
    }


async def _find(call: Call) -> ledger_pb2.DeliverySummary:
    """Return the delivery in the path. Raises NOT_FOUND, also for one that goes to no endpoint."""
    delivery_id = call.id(ids.DELIVERY, "delivery_id")
    wire = ledger_pb2.GetDeliveryRequest(delivery_id=delivery_id, tenant_id=call.tenant_id)
    answer = await call.ask(call.backend.clients.ledger.GetDelivery, wire)
    is_ours = answer.tenant_id in ("", call.tenant_id)
    if answer.delivery.channel != event_pb2.CHANNEL_WEBHOOK or not is_ours:
        raise ClarionError(Code.NOT_FOUND, "There is no such delivery to an endpoint.")
    return answer.delivery


async def _payload(call: Call, delivery: ledger_pb2.DeliverySummary) -> dict[str, Any]:
    """Return the envelope of a payload. Its own status says whether the payload can be read; the response is 200."""
    wire = ledger_pb2.GetEventBodyRequest(tenant_id=call.tenant_id, event_id=delivery.event_id)
    try:
        answer = await call.ask(call.backend.clients.ledger.GetEventBody, wire)
    except ClarionError as error:
        if error.code is not Code.NOT_FOUND:
            return {"status": "error"}
        return {"status": "not_found" if statuses.is_terminal(delivery.status) else "processing"}
    # Unparsed: orjson could not write all of its numbers.
    data = orjson.Fragment(answer.variables or b"{}")
    return {"status": "available", "data": data, "contentType": "application/json"}


def _shown_attempt(number: int, attempt: ledger_pb2.Attempt) -> dict[str, Any]:
    succeeded = attempt.status in _SENT
    return {
        "id": ids.public(ids.ATTEMPT, attempt.id),
        "attemptNumber": number,
        "status": "success" if succeeded else "failed",
        "responseStatusCode": attempt.http.status or None,
        "responseTimeMs": round(attempt.duration_us / 1000) if attempt.http.status else None,
        "errorMessage": None if succeeded else attempt.detail or _TEXTS.get(attempt.reason, attempt.reason),
        "createdAt": time(attempt.at_us),
    }


ROUTES = (
    Route("GET", "/endpoints/{endpoint_id}/deliveries", list_of_endpoint, query=("limit", "cursor", "status")),
    Route("GET", "/deliveries/{delivery_id}", get, query=("include",)),
    Route("GET", "/deliveries/{delivery_id}/attempts", attempts),
    Route("POST", "/deliveries/{delivery_id}/retry", retry, "delivery.retried", base=DASHBOARD),
)
