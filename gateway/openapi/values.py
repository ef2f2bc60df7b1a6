"""Values that several areas use in their bodies. These annotations only describe; the handlers validate."""

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.admin import forms
from services.domain import reasons, statuses

T = TypeVar("T")

NO_NUL = r"^[^\u0000]*$"


class Shape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A response's body: it has these fields and no others."""


class OpenShape(msgspec.Struct, kw_only=True):
    """A request's body whose other fields are ignored."""


Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-04-22T12:00:00.000000Z"])]
Id = forms.Id
OptionalId = forms.OptionalId
Channel = forms.Channel
PeopleChannel = forms.PeopleChannel
Status = Annotated[
    str,
    Meta(
        description="\n".join(f"- `{one.name}`: {one.text}" for one in statuses.BY_NUMBER.values()),
        extra_json_schema={"enum": list(statuses.BY_NAME)},
    ),
]
# No enum: what an earlier version stored is shown as it stands, and a new reason breaks no client.
Reason = Annotated[str, Meta(examples=[reasons.Reason.MISSING_PHONE.value])]
ALL_REASONS = "One of\n" + "\n".join(f"- `{one}`: {one.text}" for one in reasons.Reason)
# A text parameter of a query. Empty values, and those that no store could hold, are refused.
Text = Annotated[str, Meta(min_length=1, max_length=1024, pattern=NO_NUL)]
Flag = Literal["true", "false"]
Moment = Annotated[
    str,
    Meta(
        description="A time in RFC 3339, or a date (midnight). UTC if it names no zone. Years 0001 to 9999.",
        examples=["2026-04-22T12:00:00Z"],
        extra_json_schema={"anyOf": [{"format": "date-time"}, {"format": "date"}]},
    ),
]
RetryAfter = Annotated[int, Meta(ge=1, description="The number of seconds to wait before trying again.")]
Limit = Annotated[int, Meta(ge=1, le=100)]


class PageSchema(msgspec.Struct, Generic[T], forbid_unknown_fields=True, kw_only=True):
    """A page of a list. next_cursor is the value of `cursor` for the next page, null on the last one."""

    data: list[T]
    next_cursor: str | None


class FieldFaultSchema(Shape):
    """An error in one field of the request."""

    field: str
    detail: str


class NewerVersionSchema(Shape):
    """The version that somebody else has saved meanwhile."""

    id: Id
    version: int
    created_at: Time


class ProblemSchema(Shape):
    """A problem in the admin API (RFC 9457). Programs should check `type`."""

    type: Annotated[str, Meta(pattern="^urn:clarion:problem:[a-z-]+$", examples=["urn:clarion:problem:not-found"])]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    errors: list[FieldFaultSchema] | UnsetType = UNSET
    retry_after: RetryAfter | UnsetType = UNSET
    newer: NewerVersionSchema | UnsetType = UNSET


class GatewayFaultSchema(Shape):
    """An error of the gateway itself: no API took the request."""

    statusCode: Annotated[int, Meta(ge=400, le=599)]  # noqa: N815 - as replies.neutral_reply() writes it
    error: Annotated[str, Meta(examples=["Not Found"])]
    message: Annotated[str, Meta(examples=["This path speaks WebSocket only."])]


AnyObject = dict[str, Any]
