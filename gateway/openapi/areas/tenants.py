"""Tenants and their keys."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.keys import KeyChangeBody, NewKeyBody
from gateway.admin.tenants import (
    ContentKey,
    NewTenantBody,
    NewWebhookSecretBody,
    RateKind,
    RevocationBody,
    TenantChangeBody,
)
from gateway.openapi.operations import PAGING, Operation, admin
from gateway.openapi.values import Channel, Id, PageSchema, Shape, Time

_TAG = "Tenants"


class WebhookSecretSchema(Shape):
    """A valid webhook secret. valid_until is null for the newest one."""

    last4: str
    created_at: Time
    valid_until: Time | None


class WindowRateSchema(Shape):
    """A limit of events per window."""

    window_s: int
    bound: int
    kind: RateKind


class RateSchema(WindowRateSchema):
    """A limit of events per window. scope: only events of this scope count; empty: all of the tenant."""

    scope: str


class TenantSchema(Shape):
    """A customer, with its limits and the sender of its mail."""

    id: Id
    account_id: Id
    name: str
    active: bool
    delivery_channels: Annotated[list[Channel], Meta(description="The channels that are used. Empty: all.")]
    sender_name: str
    sender_email: str
    reply_to: str
    key_last4: str
    max_unfinished_events: int
    max_unfinished_bytes: Annotated[
        int, Meta(description="The number of bytes that unfinished events may take in the streams.")
    ]
    max_sms_segments: Annotated[int, Meta(description="A text message with more segments is not sent. 10 by default.")]
    rate_limit_per_minute: Annotated[
        int | None, Meta(description="The number of events accepted in any minute. null: no limit.")
    ]
    daily_cap: Annotated[int | None, Meta(description="The number of events accepted in a UTC day. null: no limit.")]
    rates: Annotated[list[RateSchema], Meta(description="All rates, those of rate_limit_per_minute and daily_cap too.")]
    max_scheduled_events: Annotated[
        int, Meta(description="The number of accepted events that may wait for their time.")
    ]
    max_payload_bytes: Annotated[int, Meta(description="The largest payload and variables of an event.")]
    max_parked_per_endpoint: Annotated[int, Meta(description="The number of deliveries that may wait for an endpoint.")]
    content_key: ContentKey
    webhook_secrets: list[WebhookSecretSchema]
    created_at: Time


class TenantWithKeySchema(TenantSchema):
    """A tenant with its new API key, shown only in this response."""

    api_key: str


class TenantWithSecretSchema(TenantSchema):
    """A tenant with its new webhook secret, shown only in this response."""

    webhook_secret: str


class KeySchema(Shape):
    """A further API key of a tenant. expires_at is null for one that does not end."""

    id: Id
    tenant_id: Id
    name: str
    kind: Annotated[
        str, Meta(description="Which API takes it. `api`: the APIs for sending events; `poll`: the polling API.")
    ]
    scopes: Annotated[list[str], Meta(description="The scopes of the events that it may send. Empty: all.")]
    endpoint_ids: Annotated[
        list[Id], Meta(description="The only endpoints that it may send to, or read. Empty: any that its kind may.")
    ]
    rates: Annotated[list[WindowRateSchema], Meta(description="Limits of the events that it sends.")]
    disabled: Annotated[bool, Meta(description="true: it does not work until it is enabled again.")]
    expires_at: Time | None
    last4: str
    created_at: Time


class KeyWithSecretSchema(KeySchema):
    """A new key, shown only in this response."""

    api_key: str


_NEW = {"name": "Acorn Shop", "sender_name": "Acorn Shop", "sender_email": "orders@acorn.example"}

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/tenants",
        "createTenant",
        "Create a tenant",
        {201: TenantWithKeySchema},
        tag=_TAG,
        faults=(404,),
        body=NewTenantBody,
        example=_NEW,
    ),
    admin(
        "GET",
        "/tenants",
        "listTenants",
        "List tenants, newest first",
        {200: PageSchema[TenantSchema]},
        tag=_TAG,
        parameters=PAGING,
    ),
    admin("GET", "/tenants/{id}", "getTenant", "Get a tenant", {200: TenantSchema}, tag=_TAG),
    admin(
        "PATCH",
        "/tenants/{id}",
        "changeTenant",
        "Update the fields of a tenant that the body contains",
        {200: TenantSchema},
        tag=_TAG,
        body=TenantChangeBody,
        example={"delivery_channels": ["EMAIL", "PUSH"]},
    ),
    admin(
        "DELETE",
        "/tenants/{id}",
        "deactivateTenant",
        "Deactivate a tenant; nothing is deleted",
        {200: TenantSchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/tenants/{id}/rotate-key",
        "rotateKey",
        "Rotate the API key; the old one stops working",
        {200: TenantWithKeySchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/tenants/{id}/keys",
        "createKey",
        "Create a further API key, for some scopes or for some time",
        {201: KeyWithSecretSchema},
        tag=_TAG,
        faults=(409,),
        body=NewKeyBody,
        example={"name": "nightly import", "scopes": ["live"], "expires_at": "2999-01-01T00:00:00Z"},
    ),
    admin(
        "GET",
        "/tenants/{id}/keys",
        "listKeys",
        "List the further API keys, newest first",
        {200: PageSchema[KeySchema]},
        tag=_TAG,
    ),
    admin(
        "PATCH",
        "/tenants/{id}/keys/{key_id}",
        "changeKey",
        "Disable or enable a further API key, or change its limits",
        {200: KeySchema},
        tag=_TAG,
        body=KeyChangeBody,
        example={"disabled": True},
    ),
    admin(
        "DELETE",
        "/tenants/{id}/keys/{key_id}",
        "revokeKey",
        "Revoke a further API key",
        {204: None},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/tenants/{id}/webhook-secret",
        "rotateWebhookSecret",
        "Rotate the webhook secret; from now on events must be signed",
        {201: TenantWithSecretSchema},
        tag=_TAG,
        faults=(409,),
        body=NewWebhookSecretBody,
        example={"overlap_s": 86400},
    ),
    admin(
        "DELETE",
        "/tenants/{id}/webhook-secret",
        "deleteWebhookSecrets",
        "Delete the webhook secrets; events need no signature any more",
        {200: TenantSchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/tenants/{id}/revoke-tokens",
        "revokeTokens",
        "Revoke the realtime tokens of one user or of all users",
        {204: None},
        tag=_TAG,
        body=RevocationBody,
        example={"user_id": "u1"},
    ),
)
