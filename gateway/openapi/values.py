"""The values that several areas' bodies are made of. Annotations describe; the handlers decide."""

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.admin import forms
from services.domain import reasons, statuses

T = TypeVar("T")

NO_NUL = r"^[^\u0000]*$"


class Shape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An answer's body: it has these fields and no others."""


class OpenShape(msgspec.Struct, kw_only=True):
    """A request's body whose other fields are ignored."""


Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-04-22T12:00:00.000000Z"])]
Id = forms.Id
OptionalId = forms.OptionalId
Channel = forms.Channel
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
# Of a query: what the store can hold. What is empty is refused.
Text = Annotated[str, Meta(min_length=1, max_length=1024, pattern=NO_NUL)]
Flag = Literal["true", "false"]
Moment = Annotated[
    str,
    Meta(
        description="RFC 3339, or a date: its midnight. UTC where no zone is named. Years 0001 to 9999.",
        examples=["2026-04-22T12:00:00Z"],
        extra_json_schema={"anyOf": [{"format": "date-time"}, {"format": "date"}]},
    ),
]
Limit = Annotated[int, Meta(ge=1, le=100)]


class Page(msgspec.Struct, Generic[T], forbid_unknown_fields=True, kw_only=True):
    """A page of a list; next_cursor is the ?cursor= of the next one, null on the last."""

    data: list[T]
    next_cursor: str | None


class FieldFault(Shape):
    """What is wrong with one field."""

    field: str
    detail: str


class Problem(Shape):
    """A fault in the admin API, RFC 9457: tell cases apart by type."""

    type: Annotated[str, Meta(pattern="^urn:clarion:problem:[a-z-]+$", examples=["urn:clarion:problem:not-found"])]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    errors: list[FieldFault] | UnsetType = UNSET
    retry_after: Annotated[int, Meta(ge=1, description="Seconds.")] | UnsetType = UNSET


class OrqestraFault(Shape):
    """A fault in Orqestra's API, and of the gateway itself."""

    statusCode: Annotated[int, Meta(ge=400, le=599)]  # noqa: N815 - the dialect's name
    error: Annotated[str, Meta(examples=["Validation Error"])]
    message: Annotated[str, Meta(examples=["payload.userId is required"])]
    retryAfter: Annotated[int, Meta(ge=1, description="Seconds.")] | UnsetType = UNSET  # noqa: N815 - likewise


AnyObject = dict[str, Any]
