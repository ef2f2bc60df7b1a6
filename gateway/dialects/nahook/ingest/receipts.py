"""Answers to accepted events, as JSON objects. Pure."""

from typing import Any

from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.errors import INTERNAL_ERROR, ApiError
from services.domain.endpoints import event_type_id

_ACCEPTED = "accepted"


def sent(accepted: ingest_pb2.Accepted, key: str) -> dict[str, Any]:
    """Return the answer to a send. Raises ApiError if its endpoint cannot take it."""
    if not accepted.deliveries:
        message = accepted.failures[0].detail if accepted.failures else "Nothing could be sent to this endpoint."
        raise ApiError(500, INTERNAL_ERROR, message)
    return {
        "deliveryId": ids.public(ids.DELIVERY, accepted.deliveries[0].delivery_id),
        "idempotencyKey": key,
        "status": _ACCEPTED,
    }


def triggered(accepted: ingest_pb2.Accepted, tenant_id: str, event_type: str) -> dict[str, Any]:
    """Return the answer to a trigger, except for its failures."""
    return {
        "eventTypeId": ids.public(ids.EVENT_TYPE, event_type_id(tenant_id, event_type)),
        "deliveryIds": [ids.public(ids.DELIVERY, one.delivery_id) for one in accepted.deliveries],
        "status": _ACCEPTED,
    }


def failures(accepted: ingest_pb2.Accepted) -> list[dict[str, str]]:
    """Return the endpoints that get nothing although they subscribe."""
    return [
        {"endpointId": ids.public(ids.ENDPOINT, one.endpoint_id), "code": INTERNAL_ERROR, "message": one.detail}
        for one in accepted.failures
    ]
