"""What the operations of both parts of the API have in common."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.dialects.nahook import ids
from gateway.openapi.operations import RETRY_AFTER, ResponseSpec

TAG = "Nahook"
KEY = "nahookKey"
TOKEN = "nahookToken"  # noqa: S105 - a name

RATE_HEADERS = {
    "X-RateLimit-Limit": "How much the closest limit admits in its window.",
    "X-RateLimit-Remaining": "How much of it is left.",
    "X-RateLimit-Reset": "The number of seconds until something of it is free again.",
}
# Before the fields of a body are checked.
_BODY_STATUSES = (408, 413, 415)


class Shape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A response's body: it has these fields and no others."""


class Sent(msgspec.Struct, kw_only=True, rename="camel"):
    """A request's body whose other fields are ignored."""


def _of(prefix: str) -> Meta:
    return Meta(pattern=f"^{prefix}[0-9a-f]{{32}}$", examples=[f"{prefix}01a1fe7a000070008000000000000000"])


EndpointId = Annotated[str, _of(ids.ENDPOINT)]
DeliveryId = Annotated[str, _of(ids.DELIVERY)]
EventTypeId = Annotated[str, _of(ids.EVENT_TYPE)]
SubscriptionId = Annotated[str, _of(ids.SUBSCRIPTION)]
ApplicationId = Annotated[str, _of(ids.APPLICATION)]
EnvironmentId = Annotated[str, _of(ids.ENVIRONMENT)]
AttemptId = Annotated[str, _of(ids.ATTEMPT)]
AuditEntryId = Annotated[str, _of(ids.AUDIT_ENTRY)]
Accepted = Literal["accepted"]


class NahookErrorSchema(Shape):
    """Programs should check `code`."""

    code: Annotated[str, Meta(examples=["bad_request"])]
    message: Annotated[str, Meta(examples=["payload is required"])]


class NahookFaultSchema(Shape):
    """An error of this API."""

    error: NahookErrorSchema


def faults(*statuses: int, body: bool = False) -> Mapping[int, ResponseSpec]:
    """Return error responses. body: with those of a body that is refused before its fields are checked."""
    wanted = {400, 401, 403, 429, 500, 503, *statuses, *(_BODY_STATUSES if body else ())}
    return {status: _fault(status) for status in sorted(wanted)}


def _fault(status: int) -> ResponseSpec:
    headers = {"Retry-After": RETRY_AFTER} if status in (429, 503) else {}
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return ResponseSpec(NahookFaultSchema, headers=headers, may_have=RATE_HEADERS if status == 429 else {})
