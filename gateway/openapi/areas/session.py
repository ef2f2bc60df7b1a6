"""Who asks."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.openapi.operations import Operation, admin
from gateway.openapi.values import Id, Shape, Time

_TAG = "Session"

Role = Literal["viewer", "developer", "operator", "owner"]


class MembershipSchema(Shape):
    """A role, and where it applies. Both ids are null: in the whole installation."""

    account_id: Id | None
    tenant_id: Id | None
    role: Role


class SignedInSchema(Shape):
    """Who sent the request."""

    kind: Literal["user", "token"]
    name: str
    email: str | None
    csrf_token: Annotated[
        str | None,
        Meta(description="The value of the header `X-CSRF-Token` for calls with the session's cookie."),
    ]
    memberships: list[MembershipSchema]
    expires_at: Time | None


OPERATIONS: tuple[Operation, ...] = (
    admin("GET", "/session", "getSession", "Get who asks, and with which roles", {200: SignedInSchema}, tag=_TAG),
)
