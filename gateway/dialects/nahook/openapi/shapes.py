"""The bodies of the management API."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from gateway.dialects.nahook.management import applications, endpoints, environments, event_types, portal
from gateway.dialects.nahook.management.deliveries import STATUSES
from gateway.dialects.nahook.openapi.parts import (
    ApplicationId,
    AttemptId,
    AuditEntryId,
    DeliveryId,
    EndpointId,
    EnvironmentId,
    EventTypeId,
    Shape,
    SubscriptionId,
)
from gateway.openapi.values import Time

DeliveryStatus = Annotated[str, Meta(extra_json_schema={"enum": list(STATUSES)})]


class NahookNewEndpointSchema(endpoints.NewEndpointBody, kw_only=True):
    """An endpoint of the default environment, if the body names no other one."""


class NahookEndpointChangeSchema(endpoints.EndpointChangeBody, kw_only=True):
    """Absent fields stay as they are."""


class NahookEndpointSchema(Shape):
    """An endpoint. Its secret is in the responses of creation and rotation only."""

    id: EndpointId
    url: str
    description: str | None
    is_active: bool
    type: Literal["webhook", "slack"]
    config: dict[str, Any]
    metadata: dict[str, str]
    created_at: Time
    updated_at: Time


class NahookCreatedEndpointSchema(NahookEndpointSchema, kw_only=True):
    """An endpoint with its secret; one for Slack has none."""

    secret: Annotated[str, Meta(pattern="^whsec_")] | UnsetType = UNSET


class NahookSecretSchema(Shape):
    """The newest secret of an endpoint."""

    secret: str


class NahookNewEventTypeSchema(event_types.NewEventTypeBody, kw_only=True):
    """A type: words of lower-case letters, digits, _ and -, with dots between them."""


class NahookEventTypeChangeSchema(event_types.EventTypeChangeBody, kw_only=True):
    """The name of a type stays."""


class NahookEventTypeSchema(Shape):
    """A type of events."""

    id: EventTypeId
    name: str
    description: str | None
    subscriber_count: int
    created_at: Time


class NahookSubscribeSchema(event_types.SubscribeBody, kw_only=True):
    """The types to subscribe to."""


class NahookSubscribedSchema(Shape):
    """The number of subscriptions that did not exist before."""

    subscribed: int


class NahookSubscriptionSchema(Shape):
    """A type that an endpoint subscribes to."""

    id: SubscriptionId
    endpoint_id: EndpointId
    event_type_id: EventTypeId
    event_type_name: str
    created_at: Time


class NahookNewApplicationSchema(applications.NewApplicationBody, kw_only=True):
    """maxEndpoints: null: no limit; 0: the application can only be read."""


class NahookApplicationChangeSchema(applications.ApplicationChangeBody, kw_only=True):
    """Absent fields stay as they are. maxEndpoints: null: no limit."""


class NahookApplicationSchema(Shape):
    """A customer of the workspace."""

    id: ApplicationId
    external_id: str | None
    name: str
    metadata: dict[str, str]
    max_endpoints: int | None
    show_event_types: bool
    created_at: Time
    updated_at: Time


class NahookPortalRequestSchema(portal.PortalBody, kw_only=True):
    """role: a viewer reads, without secrets. expiresInMinutes: an hour, if it is absent."""


class NahookPortalSchema(Shape):
    """A link that opens the portal once."""

    url: str
    code: str
    expires_at: Time


class NahookNewEnvironmentSchema(environments.NewEnvironmentBody, kw_only=True):
    """The slug is unique in the workspace: lower-case letters, digits and hyphens."""


class NahookEnvironmentChangeSchema(environments.EnvironmentChangeBody, kw_only=True):
    """The slug of an environment stays."""


class NahookEnvironmentSchema(Shape):
    """An environment. Keys of it reach only its endpoints."""

    id: EnvironmentId
    name: str
    slug: str
    is_default: bool
    created_at: Time
    updated_at: Time


class NahookPublishSchema(environments.VisibilityBody, kw_only=True):
    """Whether the environment publishes the type."""


class NahookVisibilitySchema(Shape):
    """Whether an environment publishes a type."""

    event_type_id: EventTypeId
    event_type_name: str
    published: bool


class NahookDeliverySchema(Shape):
    """A payload on its way to an endpoint."""

    id: DeliveryId
    idempotency_key: str
    endpoint_id: EndpointId
    status: DeliveryStatus
    total_attempts: int
    first_attempt_at: Time | None
    delivered_at: Time | None
    next_retry_at: Time | None
    has_payload: bool
    created_at: Time
    updated_at: Time


class NahookPayloadSchema(Shape):
    """data and contentType stand only beside "available". The status of the response is always 200."""

    status: Literal["available", "processing", "not_found", "error"]
    data: dict[str, Any] | UnsetType = UNSET
    content_type: str | UnsetType = UNSET


class NahookFoundDeliverySchema(NahookDeliverySchema, kw_only=True):
    """A delivery; with its payload, if the caller asks for it."""

    payload: NahookPayloadSchema | UnsetType = UNSET


class NahookDeliveriesSchema(Shape):
    """A page of deliveries. nextCursor is null on the last one."""

    deliveries: list[NahookDeliverySchema]
    next_cursor: str | None


class NahookAttemptSchema(Shape):
    """An attempt. Without an answer of the endpoint, responseStatusCode and responseTimeMs are null."""

    id: AttemptId
    attempt_number: int
    status: Literal["success", "failed"]
    response_status_code: int | None
    response_time_ms: int | None
    error_message: str | None
    created_at: Time


class NahookAuditEntrySchema(Shape):
    """A change by a token of the workspace. status: of the response; null if it is not known."""

    id: AuditEntryId
    action: Annotated[str, Meta(examples=["endpoint.created"])]
    resource_type: str
    resource_id: str | None
    actor_type: str
    actor_id: str
    changed_fields: list[str]
    status: int | None
    created_at: Time


class NahookAuditLogSchema(Shape):
    """A page of the audit log. total: at most 10,000."""

    data: list[NahookAuditEntrySchema]
    total: int
    page: int
    page_size: int
