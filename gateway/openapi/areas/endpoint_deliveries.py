"""Deliveries to endpoints, their attempts, and sending them again."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.endpoint_deliveries import BackfillBody, RecoveryBody
from gateway.openapi.areas.events import HttpExchangeSchema
from gateway.openapi.areas.replays import ReplaySchema
from gateway.openapi.operations import PAGING, SINCE, UNTIL, Operation, Parameter, admin
from gateway.openapi.values import ALL_REASONS, Id, PageSchema, Reason, Shape, Status, Text, Time

_TAG = "Endpoints"


class EndpointDeliverySchema(Shape):
    """One event to one endpoint."""

    id: Id
    event_id: Id
    endpoint_id: Id
    event_type: str
    caller_event_id: str | None
    metadata: Annotated[dict[str, str], Meta(description="The labels of the event.")]
    status: Status | None
    reason: Annotated[Reason | None, Meta(description=ALL_REASONS)]
    reason_text: Annotated[str | None, Meta(description="The reason in plain words; without one, why it waits.")]
    parked: Annotated[Reason | None, Meta(description="Why it waits for its endpoint. null: it does not.")]
    attempts: int
    created_at: Time | None
    first_attempt_at: Time | None
    sent_at: Time | None
    next_attempt_at: Annotated[Time | None, Meta(description="null: none is planned, or it is not known when.")]
    updated_at: Time | None
    has_content: Annotated[bool, Meta(description="false: its payload was deleted, and it cannot be sent again.")]


class AttemptSchema(Shape):
    """One attempt of a delivery. replay: how often it had been sent again from its first attempt."""

    id: str
    attempt: int
    replay: int
    status: Status | None
    reason: Annotated[Reason | None, Meta(description=ALL_REASONS)]
    reason_text: Annotated[str | None, Meta(description="The reason in plain words.")]
    detail: str | None
    time: Time | None
    duration_ms: float
    next_attempt_at: Time | None
    http: Annotated[HttpExchangeSchema | None, Meta(description="null: nothing was called.")]


_FILTERS = (
    Parameter("status", Status, "Only deliveries in this status."),
    Parameter("event_type", Text),
    Parameter("metadata", Text, 'Labels that the event must have, as a JSON object such as `{"order": "7"}`.'),
    SINCE,
    UNTIL,
    *PAGING,
)
_ENDPOINT = "/tenants/{id}/endpoints/{endpoint_id}"
_DELIVERIES = "/tenants/{id}/deliveries"

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        _ENDPOINT + "/deliveries",
        "listDeliveriesOfEndpoint",
        "List the deliveries of an endpoint, newest first",
        {200: PageSchema[EndpointDeliverySchema]},
        tag=_TAG,
        parameters=_FILTERS,
    ),
    admin(
        "GET",
        _DELIVERIES,
        "listEndpointDeliveries",
        "List the deliveries of all endpoints of a tenant, newest first",
        {200: PageSchema[EndpointDeliverySchema]},
        tag=_TAG,
        parameters=_FILTERS,
    ),
    admin(
        "GET",
        _DELIVERIES + "/{delivery_id}/attempts",
        "listAttempts",
        "List the attempts of a delivery to an endpoint, oldest first",
        {200: PageSchema[AttemptSchema]},
        tag=_TAG,
    ),
    admin(
        "POST",
        _DELIVERIES + "/{delivery_id}/retry",
        "retryDelivery",
        "Send a delivery to an endpoint again",
        {202: EndpointDeliverySchema},
        tag=_TAG,
        faults=(409,),
        description="It must be failed or dead. The message has the same `webhook-id`.",
    ),
    admin(
        "POST",
        _ENDPOINT + "/recover",
        "recoverEndpoint",
        "Send again what an endpoint missed since a time",
        {202: ReplaySchema},
        tag=_TAG,
        faults=(409,),
        body=RecoveryBody,
        example={"since": "2026-04-22T12:00:00Z", "status": "dead"},
        description="Each delivery that ended with the status is sent again under its id, in the background.",
    ),
    admin(
        "POST",
        _ENDPOINT + "/backfill",
        "backfillEndpoint",
        "Send old events to an endpoint that has not got them",
        {202: ReplaySchema},
        tag=_TAG,
        faults=(409,),
        body=BackfillBody,
        example={"since": "2026-04-22T12:00:00Z", "event_type": "order.shipped"},
        description="Events of the types that it subscribes to, or of one type, in the background.",
    ),
)
