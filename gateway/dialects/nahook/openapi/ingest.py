"""The operations of the ingest API."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from gateway.dialects.nahook.ingest.events import (
    MAX_ITEMS,
    MAX_KEY_LENGTH,
    MAX_LABEL_LENGTH,
)
from gateway.dialects.nahook.openapi.parts import (
    KEY,
    RATE_HEADERS,
    TAG,
    Accepted,
    DeliveryId,
    EndpointId,
    EventTypeId,
    NahookErrorSchema,
    Sent,
    Shape,
    faults,
)
from gateway.openapi.operations import RETRY_AFTER, Operation, ResponseSpec
from gateway.openapi.values import NO_NUL
from services.domain.endpoints import MAX_METADATA

Payload = Annotated[dict[str, Any], Meta(description="Any JSON object. It is sent as it is written here.")]
IdempotencyKey = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_LENGTH, pattern=NO_NUL)]
# Each is checked by itself: a wrong item does not make a wrong body.
Items = Annotated[list[Any], Meta(min_length=1, max_length=MAX_ITEMS)]
Label = Annotated[str, Meta(max_length=MAX_LABEL_LENGTH, pattern=NO_NUL)]
Metadata = Annotated[
    dict[str, Label], Meta(max_length=MAX_METADATA, description="Labels, by which deliveries can be found.")
]


class NahookSendSchema(Sent):
    """idempotencyKey: a second call with the same key and endpoint within 7 days gets the first one's answer."""

    payload: Payload
    idempotency_key: IdempotencyKey | UnsetType | None = UNSET


class NahookSendBatchSchema(Sent):
    """Sends: objects with endpointId, payload and idempotencyKey. Each is accepted or refused by itself."""

    items: Items


class NahookTriggerSchema(Sent):
    """A trigger is never a duplicate: two calls give two deliveries to each endpoint."""

    payload: Payload
    metadata: Metadata | UnsetType | None = UNSET


class NahookTriggerBatchSchema(Sent):
    """Triggers: objects with eventType, payload and metadata. Each is accepted or refused by itself."""

    items: Items


class NahookFailureSchema(Shape):
    """An endpoint that gets nothing although it subscribes."""

    endpoint_id: EndpointId
    code: str
    message: str


class NahookSentSchema(Shape):
    """What is sent."""

    delivery_id: DeliveryId
    idempotency_key: str
    status: Accepted


class NahookTriggeredSchema(Shape):
    """What is sent: a delivery for each endpoint. Without subscribers there are none."""

    event_type_id: EventTypeId
    delivery_ids: list[DeliveryId]
    status: Accepted
    failures: list[NahookFailureSchema]


class NahookSendResultSchema(Shape):
    """The result of the item at this index: what is sent, or the error."""

    index: int
    delivery_id: DeliveryId | UnsetType = UNSET
    idempotency_key: str | UnsetType = UNSET
    status: Accepted | UnsetType = UNSET
    error: NahookErrorSchema | UnsetType = UNSET


class NahookTriggerResultSchema(Shape):
    """The result of the item at this index: what is sent, or the error."""

    index: int
    event_type_id: EventTypeId | UnsetType = UNSET
    delivery_ids: list[DeliveryId] | UnsetType = UNSET
    status: Accepted | UnsetType = UNSET
    failures: list[NahookFailureSchema] | UnsetType = UNSET
    error: NahookErrorSchema | UnsetType = UNSET


class NahookSendResultsSchema(Shape):
    """The result of each item, in their order."""

    items: list[NahookSendResultSchema]


class NahookTriggerResultsSchema(Shape):
    """The result of each item, in their order."""

    items: list[NahookTriggerResultSchema]


_PAYLOAD = {"orderId": "ord_123", "status": "paid"}
_ENDPOINT = "ep_01a1fe7a000070008000000000000000"


def _operation(
    path: str, name: str, summary: str, body: Any, example: Any, answers: dict[int, Any], *statuses: int
) -> Operation:
    accepted = {
        status: ResponseSpec(
            kind,
            may_have=RATE_HEADERS | ({"Retry-After": RETRY_AFTER} if status == 207 else {}),
            description="Accepted" if status == 202 else "Some items were refused",
        )
        for status, kind in answers.items()
    }
    return Operation(
        "POST",
        path,
        name,
        summary,
        TAG,
        {**accepted, **faults(*statuses, 504, body=True)},
        body=body,
        example=example,
        security=(KEY,),
    )


OPERATIONS = (
    _operation(
        "/api/ingest/event/{event_type}",
        "nahookTrigger",
        "Send a payload to all endpoints that subscribe to a type",
        NahookTriggerSchema,
        {"payload": _PAYLOAD, "metadata": {"source": "checkout-service"}},
        {202: NahookTriggeredSchema},
    ),
    _operation(
        "/api/ingest/{endpoint_id}",
        "nahookSend",
        "Send a payload to one endpoint",
        NahookSendSchema,
        {"payload": _PAYLOAD, "idempotencyKey": "order-123-paid"},
        {202: NahookSentSchema},
        404,
        409,
    ),
    _operation(
        "/api/ingest/batch",
        "nahookSendBatch",
        "Send up to 20 payloads, each to one endpoint",
        NahookSendBatchSchema,
        {"items": [{"endpointId": _ENDPOINT, "payload": _PAYLOAD}]},
        {202: NahookSendResultsSchema, 207: NahookSendResultsSchema},
    ),
    _operation(
        "/api/ingest/event/batch",
        "nahookTriggerBatch",
        "Trigger up to 20 event types",
        NahookTriggerBatchSchema,
        {"items": [{"eventType": "order.paid", "payload": _PAYLOAD}]},
        {202: NahookTriggerResultsSchema, 207: NahookTriggerResultsSchema},
    ),
)
