"""Tenants and their keys."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.tenants import ContentKey, NewTenantBody, NewWebhookSecretBody, RevocationBody, TenantChangeBody
from gateway.openapi.operations import PAGING, Operation, admin
from gateway.openapi.values import Channel, Id, PageSchema, Shape, Time

_TAG = "Tenants"


class WebhookSecretSchema(Shape):
    """A secret that is valid. valid_until is null for the current one."""

    last4: str
    created_at: Time
    valid_until: Time | None


class TenantSchema(Shape):
    """A customer: what its events may do, and who its mail is from."""

    id: Id
    account_id: Id
    name: str
    active: bool
    delivery_channels: Annotated[list[Channel], Meta(description="Empty: all.")]
    sender_name: str
    sender_email: str
    reply_to: str
    key_last4: str
    max_unfinished_events: int
    max_unfinished_bytes: Annotated[
        int, Meta(description="Bytes that events which are still being delivered may take in the streams.")
    ]
    max_sms_segments: Annotated[
        int, Meta(description="A text message that would be billed as more is not sent: 10 where nothing is said.")
    ]
    rate_limit_per_minute: Annotated[int | None, Meta(description="Events accepted in any minute; null: no limit.")]
    daily_cap: Annotated[int | None, Meta(description="Events accepted in a day of UTC; null: no limit.")]
    content_key: ContentKey
    webhook_secrets: list[WebhookSecretSchema]
    created_at: Time


class TenantWithKeySchema(TenantSchema):
    """A tenant with its new key, which is in no other answer."""

    api_key: str


class TenantWithSecretSchema(TenantSchema):
    """A tenant with its new webhook secret, which is in no other answer."""

    webhook_secret: str


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
        "GET", "/tenants", "listTenants", "List tenants", {200: PageSchema[TenantSchema]}, tag=_TAG, parameters=PAGING
    ),
    admin("GET", "/tenants/{id}", "getTenant", "Get a tenant", {200: TenantSchema}, tag=_TAG),
    admin(
        "PATCH",
        "/tenants/{id}",
        "changeTenant",
        "Change what the body names",
        {200: TenantSchema},
        tag=_TAG,
        body=TenantChangeBody,
        example={"delivery_channels": ["EMAIL", "PUSH"]},
    ),
    admin(
        "DELETE",
        "/tenants/{id}",
        "deactivateTenant",
        "Shut a tenant out; nothing is deleted",
        {200: TenantSchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/tenants/{id}/rotate-key",
        "rotateKey",
        "Give a new key; the old one ends",
        {200: TenantWithKeySchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/tenants/{id}/webhook-secret",
        "rotateWebhookSecret",
        "Give a webhook secret: from now on events must be signed",
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
        "End the webhook secrets: nothing need be signed any more",
        {200: TenantSchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/tenants/{id}/revoke-tokens",
        "revokeTokens",
        "End the realtime tokens of a user, or of all",
        {204: None},
        tag=_TAG,
        body=RevocationBody,
        example={"user_id": "u1"},
    ),
)
