"""The operations of the management API: what each route of management/ takes and answers."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from gateway.dialects.nahook.management.applications import LIMIT, OFFSET
from gateway.dialects.nahook.management.audit import PAGE
from gateway.dialects.nahook.management.deliveries import LIMIT as PAGE_LIMIT
from gateway.dialects.nahook.openapi import shapes
from gateway.dialects.nahook.openapi.parts import TAG, TOKEN, faults
from gateway.dialects.nahook.routes import ROUTES
from gateway.openapi.operations import Operation, Parameter, ResponseSpec
from gateway.openapi.values import Moment, Text


class _Described(NamedTuple):
    """name, summary, the response's body by status, that of the request, and further statuses of errors."""

    name: str
    summary: str
    answers: Mapping[int, Any]
    body: Any = None
    faults: Sequence[int] = ()


_PARAMETERS: dict[str, Parameter] = {
    "limit": Parameter(
        "limit",
        Annotated[int, Meta(ge=PAGE_LIMIT.least, le=PAGE_LIMIT.most)],
        "At most 100 are returned.",
        default=PAGE_LIMIT.default,
    ),
    "offset": Parameter("offset", Annotated[int, Meta(ge=OFFSET.least, le=OFFSET.most)], default=OFFSET.default),
    "cursor": Parameter("cursor", Text, "The nextCursor of the previous page."),
    "status": Parameter("status", shapes.DeliveryStatus),
    "include": Parameter("include", Literal["payload"], "Add the payload to the response."),
    "page": Parameter("page", Annotated[int, Meta(ge=PAGE.least, le=PAGE.most)], default=PAGE.default),
    "from": Parameter("from", Moment, "Only entries at or after this time."),
    "to": Parameter("to", Moment, "Only entries before this time."),
    "action": Parameter("action", Text),
    "resource_type": Parameter("resource_type", Text),
    "actor_type": Parameter("actor_type", Text),
}
_PAGE_OF_APPLICATIONS = Parameter("limit", Annotated[int, Meta(ge=LIMIT.least, le=LIMIT.most)], default=LIMIT.default)

_NOTHING = {204: None}

_ROUTES: dict[tuple[str, str], _Described] = {
    ("GET", "/endpoints"): _Described(
        "nahookListEndpoints", "List endpoints", {200: list[shapes.NahookEndpointSchema]}
    ),
    ("POST", "/endpoints"): _Described(
        "nahookCreateEndpoint",
        "Create an endpoint",
        {201: shapes.NahookCreatedEndpointSchema},
        shapes.NahookNewEndpointSchema,
        (409,),
    ),
    ("GET", "/endpoints/{endpoint_id}"): _Described(
        "nahookGetEndpoint", "Get an endpoint", {200: shapes.NahookEndpointSchema}
    ),
    ("PATCH", "/endpoints/{endpoint_id}"): _Described(
        "nahookUpdateEndpoint",
        "Change an endpoint",
        {200: shapes.NahookEndpointSchema},
        shapes.NahookEndpointChangeSchema,
        (409,),
    ),
    ("DELETE", "/endpoints/{endpoint_id}"): _Described("nahookDeleteEndpoint", "Delete an endpoint", _NOTHING),
    ("POST", "/endpoints/{endpoint_id}/rotate-secret"): _Described(
        "nahookRotateSecret",
        "Give an endpoint a new secret; earlier ones stay valid for 24 hours",
        {200: shapes.NahookCreatedEndpointSchema},
        faults=(409,),
    ),
    ("POST", "/endpoints/{endpoint_id}/reveal-secret"): _Described(
        "nahookRevealSecret",
        "Show the secret of an endpoint; the audit log tells of it",
        {200: shapes.NahookSecretSchema},
        faults=(409,),
    ),
    ("GET", "/applications/{application_id}/endpoints"): _Described(
        "nahookListEndpointsOfApplication",
        "List the endpoints of an application",
        {200: list[shapes.NahookEndpointSchema]},
    ),
    ("POST", "/applications/{application_id}/endpoints"): _Described(
        "nahookCreateEndpointOfApplication",
        "Create an endpoint of an application",
        {201: shapes.NahookCreatedEndpointSchema},
        shapes.NahookNewEndpointSchema,
        (409,),
    ),
    ("GET", "/event-types"): _Described(
        "nahookListEventTypes", "List event types", {200: list[shapes.NahookEventTypeSchema]}
    ),
    ("POST", "/event-types"): _Described(
        "nahookCreateEventType",
        "Create an event type",
        {201: shapes.NahookEventTypeSchema},
        shapes.NahookNewEventTypeSchema,
        (409,),
    ),
    ("GET", "/event-types/{event_type_id}"): _Described(
        "nahookGetEventType", "Get an event type", {200: shapes.NahookEventTypeSchema}
    ),
    ("PATCH", "/event-types/{event_type_id}"): _Described(
        "nahookUpdateEventType",
        "Change an event type",
        {200: shapes.NahookEventTypeSchema},
        shapes.NahookEventTypeChangeSchema,
    ),
    ("DELETE", "/event-types/{event_type_id}"): _Described(
        "nahookDeleteEventType", "Delete an event type and the subscriptions to it", _NOTHING
    ),
    ("GET", "/endpoints/{endpoint_id}/subscriptions"): _Described(
        "nahookListSubscriptions",
        "List what an endpoint subscribes to",
        {200: list[shapes.NahookSubscriptionSchema]},
    ),
    ("POST", "/endpoints/{endpoint_id}/subscriptions"): _Described(
        "nahookSubscribe",
        "Subscribe an endpoint to event types",
        {201: shapes.NahookSubscribedSchema},
        shapes.NahookSubscribeSchema,
        (409,),
    ),
    ("DELETE", "/endpoints/{endpoint_id}/subscriptions/{event_type_id}"): _Described(
        "nahookUnsubscribe", "Delete a subscription", _NOTHING
    ),
    ("GET", "/applications"): _Described(
        "nahookListApplications", "List applications", {200: list[shapes.NahookApplicationSchema]}
    ),
    ("POST", "/applications"): _Described(
        "nahookCreateApplication",
        "Create an application",
        {201: shapes.NahookApplicationSchema},
        shapes.NahookNewApplicationSchema,
        (409,),
    ),
    ("GET", "/applications/{application_id}"): _Described(
        "nahookGetApplication", "Get an application", {200: shapes.NahookApplicationSchema}
    ),
    ("PATCH", "/applications/{application_id}"): _Described(
        "nahookUpdateApplication",
        "Change an application",
        {200: shapes.NahookApplicationSchema},
        shapes.NahookApplicationChangeSchema,
    ),
    ("DELETE", "/applications/{application_id}"): _Described(
        "nahookDeleteApplication", "Delete an application and its endpoints", _NOTHING
    ),
    ("POST", "/applications/{application_id}/portal"): _Described(
        "nahookCreatePortalSession",
        "Create a link to the portal of an application",
        {201: shapes.NahookPortalSchema},
        shapes.NahookPortalRequestSchema,
        (409,),
    ),
    ("GET", "/environments"): _Described(
        "nahookListEnvironments", "List environments", {200: list[shapes.NahookEnvironmentSchema]}
    ),
    ("POST", "/environments"): _Described(
        "nahookCreateEnvironment",
        "Create an environment",
        {201: shapes.NahookEnvironmentSchema},
        shapes.NahookNewEnvironmentSchema,
        (409,),
    ),
    ("GET", "/environments/{environment_id}"): _Described(
        "nahookGetEnvironment", "Get an environment", {200: shapes.NahookEnvironmentSchema}
    ),
    ("PATCH", "/environments/{environment_id}"): _Described(
        "nahookUpdateEnvironment",
        "Change the name of an environment",
        {200: shapes.NahookEnvironmentSchema},
        shapes.NahookEnvironmentChangeSchema,
    ),
    ("DELETE", "/environments/{environment_id}"): _Described(
        "nahookDeleteEnvironment", "Delete an environment without endpoints", _NOTHING, faults=(409,)
    ),
    ("GET", "/environments/{environment_id}/event-types"): _Described(
        "nahookListVisibility",
        "List which event types an environment publishes",
        {200: list[shapes.NahookVisibilitySchema]},
    ),
    ("PUT", "/environments/{environment_id}/event-types/{event_type_id}/visibility"): _Described(
        "nahookSetVisibility",
        "Publish an event type in an environment, or withdraw it",
        {200: shapes.NahookVisibilitySchema},
        shapes.NahookPublishSchema,
    ),
    ("GET", "/endpoints/{endpoint_id}/deliveries"): _Described(
        "nahookListDeliveries",
        "List the deliveries of an endpoint, newest first",
        {200: shapes.NahookDeliveriesSchema},
    ),
    ("GET", "/deliveries/{delivery_id}"): _Described(
        "nahookGetDelivery", "Get a delivery", {200: shapes.NahookFoundDeliverySchema}
    ),
    ("GET", "/deliveries/{delivery_id}/attempts"): _Described(
        "nahookListAttempts", "List the attempts of a delivery, oldest first", {200: list[shapes.NahookAttemptSchema]}
    ),
    ("POST", "/deliveries/{delivery_id}/retry"): _Described(
        "nahookRetryDelivery",
        "Send a failed delivery again",
        {200: shapes.NahookDeliverySchema},
        faults=(409,),
    ),
    ("GET", "/audit-logs"): _Described(
        "nahookListAuditEntries", "List what tokens of the workspace have changed", {200: shapes.NahookAuditLogSchema}
    ),
}


def _parameters(path: str, names: Sequence[str]) -> list[Parameter]:
    found = [_PARAMETERS[name] for name in names]
    return [_PAGE_OF_APPLICATIONS, *found[1:]] if path == "/applications" else found


OPERATIONS = tuple(
    Operation(
        route.method,
        route.full_path,
        described.name,
        described.summary,
        TAG,
        {
            **{status: ResponseSpec(kind) for status, kind in described.answers.items()},
            **faults(404, *described.faults, body=described.body is not None),
        },
        body=described.body,
        parameters=_parameters(route.path, tuple(route.query)),
        security=(TOKEN,),
    )
    for route in ROUTES
    for described in [_ROUTES[route.method, route.path]]
)
