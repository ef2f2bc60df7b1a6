"""What the operations of this API have in common."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.dialects.sendmator.credentials import TEAM_HEADER
from gateway.openapi.operations import RETRY_AFTER, Parameter, ResponseSpec
from gateway.openapi.values import NO_NUL

TAG = "Sendmator"
KEY = "sendmatorKey"

RATE_HEADERS = {
    "X-RateLimit-Limit": "How many events the closest limit admits in its window. Absent if the account has no limit.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "When something of it is free again: Unix time in seconds.",
}
# Before the fields of a body are checked.
_BODY_STATUSES = (408, 413, 415)

TEAM = Parameter(
    TEAM_HEADER,
    Annotated[str, Meta(min_length=1)],
    "The id of a team (environment) of the account. Without it, the only team of the key, or else the default one.",
    place="header",
)
NEEDED_TEAM = Parameter(
    TEAM_HEADER,
    Annotated[str, Meta(min_length=1)],
    "The id of a team (environment) of the account.",
    True,
    place="header",
)

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2024-12-10T10:00:00.000Z"])]
Id = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Text = Annotated[str, Meta(max_length=255, pattern=NO_NUL)]
# An empty list stands for an empty object, as PHP writes one.
Nothing = Annotated[list[Any], Meta(max_length=0)]
Object = dict[str, Any] | Nothing


class Shape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A response's body: it has these fields and no others."""


class Sent(msgspec.Struct, kw_only=True):
    """A request's body whose other fields are ignored."""


class SendmatorFaultSchema(Shape):
    """An error of this API. Programs may compare `message` where docs/sendmator.md names it."""

    statusCode: Annotated[int, Meta(ge=400, le=599)]  # noqa: N815 - the vendor's names
    message: Annotated[str, Meta(examples=["Event name is required"])]
    error: Annotated[str, Meta(examples=["Bad Request"])]


def faults(*statuses: int, body: bool = False) -> Mapping[int, ResponseSpec]:
    """Return error responses. body: with those of a body that is refused before its fields are checked."""
    wanted = {400, 401, 429, 500, 503, *statuses, *(_BODY_STATUSES if body else ())}
    return {
        status: ResponseSpec(
            SendmatorFaultSchema,
            headers={"Retry-After": RETRY_AFTER} if status in (429, 503) else {},
            may_have=RATE_HEADERS,
        )
        for status in sorted(wanted)
    }
