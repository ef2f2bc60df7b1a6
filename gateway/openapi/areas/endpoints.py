"""Endpoints of webhooks: what they are, their secrets, what they subscribe to, and how they are doing."""

from typing import Annotated, Any

from msgspec import Meta

from gateway.admin.endpoints import (
    EndpointChangeBody,
    EndpointKind,
    EndpointMode,
    EndpointTestBody,
    NewEndpointBody,
    RotationBody,
)
from gateway.admin.event_types import FilterCheckBody, SubscriptionsBody
from gateway.admin.parked import PollBody, SkipBody
from gateway.openapi.areas.polling import PolledPageSchema
from gateway.openapi.areas.tenants import WebhookSecretSchema
from gateway.openapi.operations import PAGING, Operation, Parameter, admin
from gateway.openapi.values import ALL_REASONS, Id, PageSchema, Reason, Shape, Text, Time
from gateway.webhooks import STATES

_TAG = "Endpoints"


class EndpointSchema(Shape):
    """Where a tenant's webhooks go."""

    id: Id
    tenant_id: Id
    environment_id: Id
    application_id: Annotated[Id | None, Meta(description="null: it belongs to no application.")]
    kind: EndpointKind
    mode: EndpointMode
    url: Annotated[str, Meta(description='Empty for the mode "polled".')]
    description: str
    metadata: dict[str, str]
    config: Annotated[dict[str, Any], Meta(description="What it means depends on the kind.")]
    headers: Annotated[dict[str, str], Meta(description="Sent with each message; values are masked.")]
    auth_username: Annotated[str, Meta(description="Of HTTP basic authentication. Empty: none.")]
    active: bool
    disabled_reason: Annotated[
        str | None,
        Meta(description="`operator`, `failing` (it only failed for days) or `gone` (it answered 410)."),
    ]
    disabled_at: Time | None
    rate_per_s: Annotated[int, Meta(description="Messages a second at most. 0: no limit.")]
    batch_size: Annotated[int, Meta(description='Of the mode "ordered": deliveries in one batch.')]
    retry_delays_s: Annotated[
        list[int], Meta(description="Seconds before the second, third, … attempt. Empty: the usual ones.")
    ]
    secrets: Annotated[list[WebhookSecretSchema], Meta(description="The valid ones, newest first.")]
    revision: Annotated[int, Meta(description="Raised by each change.")]
    created_at: Time | None
    updated_at: Time | None


class EndpointWithSecretSchema(EndpointSchema):
    """An endpoint with its new signing secret. null: its kind is not signed."""

    secret: str | None


class SecretSchema(Shape):
    """The newest signing secret of an endpoint."""

    secret: str


class SentTestSchema(Shape):
    """The test event, and its delivery to the endpoint."""

    event_id: Id
    delivery_id: Id


class SubscriptionSchema(Shape):
    """An event type that an endpoint gets."""

    id: Id
    endpoint_id: Id
    event_type_id: Id
    event_type: str
    filter: Annotated[
        dict[str, Any] | None,
        Meta(description="A JSON-Logic rule over `type`, `payload` and `metadata`. null: all events of the type."),
    ]
    created_at: Time | None


class SubscribedSchema(Shape):
    """How many subscriptions are new, and all that the endpoint has."""

    subscribed: int
    data: list[SubscriptionSchema]


class _EndpointStateFields(Shape):
    state: Annotated[str, Meta(extra_json_schema={"enum": list(STATES.values())})]
    since: Time | None
    next_probe_at: Annotated[Time | None, Meta(description="When one delivery is tried while the state is open.")]
    failing_since: Annotated[Time | None, Meta(description="null: the last attempt did not fail.")]
    parked: Annotated[int, Meta(description="The number of deliveries that wait.")]


class EndpointStateSchema(_EndpointStateFields):
    """The circuit breaker of an endpoint, and what waits for it."""

    oldest_at: Annotated[Time | None, Meta(description="When the first of them was accepted.")]


class NamedEndpointStateSchema(_EndpointStateFields):
    """The circuit breaker of one of several endpoints, and how much waits for it."""

    endpoint_id: Id


class FilterMatchSchema(Shape):
    """Whether a filter matches an event."""

    matches: bool
    error: Annotated[str | None, Meta(description="Why it cannot be evaluated for this event; then it does not match.")]


class ParkedSchema(Shape):
    """A delivery that waits for its endpoint."""

    delivery_id: Id
    event_id: Id
    event_type: str
    reason: Annotated[Reason, Meta(description=ALL_REASONS)]
    reason_text: Annotated[str, Meta(description="The reason in plain words.")]
    attempt: int
    parked_at: Time | None
    due_at: Annotated[Time | None, Meta(description="null: not known.")]


class SkippedSchema(Shape):
    """How many deliveries ended as skipped."""

    skipped: int


_ENDPOINTS = "/tenants/{id}/endpoints"
_ENDPOINT = _ENDPOINTS + "/{endpoint_id}"

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        _ENDPOINTS,
        "createEndpoint",
        "Create an endpoint",
        {201: EndpointWithSecretSchema},
        tag=_TAG,
        faults=(409,),
        body=NewEndpointBody,
        example={"url": "https://example.com/webhooks", "description": "Orders"},
        description="The signing secret is in this response; later calls show its last four characters.",
    ),
    admin(
        "GET",
        _ENDPOINTS,
        "listEndpoints",
        "List endpoints in the order of their creation",
        {200: PageSchema[EndpointSchema]},
        tag=_TAG,
        parameters=(
            Parameter("environment_id", Id),
            Parameter("application_id", Id),
            Parameter("event_type_id", Id, "Only endpoints that subscribe to this event type."),
            *PAGING,
        ),
    ),
    admin("GET", _ENDPOINT, "getEndpoint", "Get an endpoint", {200: EndpointSchema}, tag=_TAG),
    admin(
        "PATCH",
        _ENDPOINT,
        "changeEndpoint",
        "Update the fields of an endpoint that the body contains",
        {200: EndpointSchema},
        tag=_TAG,
        faults=(409,),
        body=EndpointChangeBody,
        example={"active": False},
        description="What waits for a disabled endpoint is sent when it is enabled again.",
    ),
    admin(
        "DELETE",
        _ENDPOINT,
        "deleteEndpoint",
        "Delete an endpoint with its subscriptions",
        {204: None},
        tag=_TAG,
        description="What is under way to it ends as skipped.",
    ),
    admin(
        "POST",
        _ENDPOINT + "/rotate-secret",
        "rotateEndpointSecret",
        "Rotate the signing secret; earlier ones stay valid for a while",
        {201: EndpointWithSecretSchema},
        tag=_TAG,
        faults=(409,),
        body=RotationBody,
        example={"overlap_s": 86400},
        description="Until then messages carry a signature of each valid secret.",
    ),
    admin(
        "POST",
        _ENDPOINT + "/reveal-secret",
        "revealEndpointSecret",
        "Show the newest signing secret; the audit log records it",
        {200: SecretSchema},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        _ENDPOINT + "/test",
        "testEndpoint",
        "Send a test event to an endpoint",
        {202: SentTestSchema},
        tag=_TAG,
        faults=(403, 409),
        body=EndpointTestBody,
        example={"payload": {"message": "hello"}},
        description="An event of the type `endpoint.test`, sent the usual way.",
    ),
    admin(
        "GET",
        _ENDPOINT + "/subscriptions",
        "listSubscriptions",
        "List the event types that an endpoint gets",
        {200: PageSchema[SubscriptionSchema]},
        tag=_TAG,
    ),
    admin(
        "POST",
        _ENDPOINT + "/subscriptions",
        "subscribe",
        "Subscribe an endpoint to event types",
        {200: SubscribedSchema},
        tag=_TAG,
        faults=(409,),
        body=SubscriptionsBody,
        example={"event_types": ["order.shipped"], "filter": {">": [{"var": "payload.total"}, 100]}},
        description="The types must exist. Existing subscriptions keep their filter, unless the body has one.",
    ),
    admin(
        "DELETE",
        _ENDPOINT + "/subscriptions/{event_type_id}",
        "unsubscribeEndpoint",
        "Delete a subscription of an endpoint",
        {204: None},
        tag=_TAG,
    ),
    admin(
        "GET",
        _ENDPOINT + "/state",
        "getEndpointState",
        "Get how an endpoint is doing, and how much waits for it",
        {200: EndpointStateSchema},
        tag=_TAG,
    ),
    admin(
        "GET",
        "/tenants/{id}/endpoint-states",
        "listEndpointStates",
        "Get how several endpoints are doing",
        {200: PageSchema[NamedEndpointStateSchema]},
        tag=_TAG,
        parameters=(Parameter("endpoint_ids", Text, "1 to 25 ids with commas between them.", required=True),),
        description="An endpoint that nothing was sent to is `closed`, and so is an id that does not exist.",
    ),
    admin(
        "POST",
        "/tenants/{id}/filter-check",
        "checkFilter",
        "Check a filter against an event",
        {200: FilterMatchSchema},
        tag=_TAG,
        body=FilterCheckBody,
        example={
            "filter": {">": [{"var": "payload.total"}, 100]},
            "event_type": "order.shipped",
            "payload": {"total": 120},
        },
        description="Stores nothing. 422: the filter cannot be one; the error says why.",
    ),
    admin(
        "GET",
        _ENDPOINT + "/parked",
        "listParked",
        "List the deliveries that wait for an endpoint, the next ones first",
        {200: PageSchema[ParkedSchema]},
        tag=_TAG,
        parameters=PAGING,
    ),
    admin(
        "POST",
        _ENDPOINT + "/parked/skip",
        "skipParked",
        "End deliveries that wait for an endpoint as skipped",
        {200: SkippedSchema},
        tag=_TAG,
        faults=(409,),
        body=SkipBody,
        example={"first": True},
        description="They can be retried later.",
    ),
    admin(
        "POST",
        _ENDPOINT + "/probe",
        "probeEndpoint",
        "Try what waits for an endpoint that is down now",
        {204: None},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        _ENDPOINT + "/poll",
        "pollEndpoint",
        "Read the next deliveries of a polled endpoint, in place of its receiver",
        {200: PolledPageSchema},
        tag=_TAG,
        faults=(409,),
        body=PollBody,
        example={"limit": 10},
        description="What is before the cursor counts as received.",
    ),
)
