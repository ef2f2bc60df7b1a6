"""Tenants and their keys."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.tenants import NewTenant, Revocation, TenantChange
from gateway.openapi.operations import PAGING, Operation, admin
from gateway.openapi.values import Channel, Id, Page, Shape, Time

_TAG = "Tenants"


class Tenant(Shape):
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
    created_at: Time


class TenantWithKey(Tenant):
    """A tenant with its new key, which is in no other answer."""

    api_key: str


_NEW = {"name": "Acorn Shop", "sender_name": "Acorn Shop", "sender_email": "orders@acorn.example"}

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/tenants",
        "createTenant",
        "Create a tenant",
        {201: TenantWithKey},
        tag=_TAG,
        faults=(404,),
        body=NewTenant,
        example=_NEW,
    ),
    admin("GET", "/tenants", "listTenants", "List tenants", {200: Page[Tenant]}, tag=_TAG, parameters=PAGING),
    admin("GET", "/tenants/{id}", "getTenant", "Get a tenant", {200: Tenant}, tag=_TAG, faults=(422,)),
    admin(
        "PATCH",
        "/tenants/{id}",
        "changeTenant",
        "Change what the body names",
        {200: Tenant},
        tag=_TAG,
        body=TenantChange,
        example={"delivery_channels": ["EMAIL", "PUSH"]},
    ),
    admin(
        "DELETE",
        "/tenants/{id}",
        "deactivateTenant",
        "Shut a tenant out; nothing is deleted",
        {200: Tenant},
        tag=_TAG,
        faults=(422,),
    ),
    admin(
        "POST",
        "/tenants/{id}/rotate-key",
        "rotateKey",
        "Give a new key; the old one ends",
        {200: TenantWithKey},
        tag=_TAG,
        faults=(422,),
    ),
    admin(
        "POST",
        "/tenants/{id}/revoke-tokens",
        "revokeTokens",
        "End the realtime tokens of a user, or of all",
        {204: None},
        tag=_TAG,
        body=Revocation,
        example={"user_id": "u1"},
    ),
)
