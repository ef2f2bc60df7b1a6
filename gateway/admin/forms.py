"""What the admin API shares: bodies and queries in, channels, times and pages out."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import tenants_pb2
from gateway import queries
from gateway.audit import FIELDS
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import BodyError, not_json, read_json_bytes
from runtime import ids, validation
from runtime.errors import ClarionError, Code
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import statuses
from services.domain.channels import BY_PUBLIC_NAME, PUBLIC_NAMES

MAX_BODY_BYTES = 1024 * 1024

# What a field takes, for the description of the API; whoever reads the field decides.
Channel = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(BY_PUBLIC_NAME)})]
Id = Annotated[
    str, msgspec.Meta(extra_json_schema={"format": "uuid"}, examples=["01a1fe7a-0000-7000-8000-000000000000"])
]
# An id that may be left out, or empty.
OptionalId = Annotated[
    str,
    msgspec.Meta(extra_json_schema={"anyOf": [{"format": "uuid"}, {"const": ""}]}),
]

# A date, or a date and a time of RFC 3339; what else ISO 8601 allows could be read in two ways: 1712121210305 is both
# a time in milliseconds and the year 1712.
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_LOST_PLUS = re.compile(r":[0-9.]+ [0-9]{2}:?[0-9]{2}$")

B = TypeVar("B", bound="Body")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request's body: a misspelt field is an error, not silence."""


async def read(request: web.Request, body_type: type[B]) -> B:
    """Return the body. Raises BodyError, and INVALID naming the wrong field."""
    raw = await read_json_bytes(request, limit=MAX_BODY_BYTES)
    try:
        body = msgspec.json.decode(raw, type=body_type)
        fields = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.ValidationError as error:
        field, description = validation.fault(error, body_type)
        raise invalid(field or "body", description) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BodyError(400, not_json(error)) from error
    if is_too_deep(raw, fields):
        raise invalid("body", f"must be nested at most {MAX_DEPTH} levels deep")
    request[FIELDS] = tuple(fields)
    return body


async def check_tenant(request: web.Request, clients: Clients, tenant_id: str) -> tenants_pb2.Tenant:
    """Return the tenant. Raises ClarionError where it is not there: what would belong to it nobody could find."""
    answer = await clients.call(clients.tenants.GetTenant, tenants_pb2.GetTenantRequest(tenant_id=tenant_id))
    request[TENANT_ID] = tenant_id
    return answer.tenant


def channel(name: str, field: str = "channel") -> "event_pb2.Channel.ValueType":
    """Return the channel called name. Raises INVALID."""
    if name not in BY_PUBLIC_NAME:
        raise invalid(field, f"must be one of {', '.join(BY_PUBLIC_NAME)}")
    return BY_PUBLIC_NAME[name]


def channels(names: list[str], field: str) -> "list[event_pb2.Channel.ValueType]":
    """Return the channels called names. Raises INVALID."""
    return [channel(name, f"{field}[{position}]") for position, name in enumerate(names)]


def channel_name(number: "event_pb2.Channel.ValueType") -> str | None:
    """Return a channel's name; None where there is none."""
    return PUBLIC_NAMES.get(number)


def status_name(number: "trace_pb2.DeliveryStatus.ValueType") -> str | None:
    """Return a delivery status in lower case; None where there is none."""
    return statuses.name(number) or None


def status(request: web.Request) -> "trace_pb2.DeliveryStatus.ValueType":
    """Return ?status=, unspecified where it is absent. Raises INVALID."""
    name = request.query.get("status", "")
    if name and name.lower() not in statuses.BY_NAME:
        raise invalid("status", f"must be one of {', '.join(statuses.BY_NAME)}")
    return statuses.BY_NAME.get(name.lower(), trace_pb2.DELIVERY_STATUS_UNSPECIFIED)


def limit(request: web.Request) -> int:
    """Return ?limit=, 50 by default. Raises INVALID outside of 1 to 100."""
    (found,) = queries.numbers(request, limit=queries.Bounds(50, 1, 100))
    return found


def flag(request: web.Request, name: str) -> bool:
    """Return a query parameter that is true or false; absent: false. Raises INVALID for any other word."""
    word = request.query.get(name, "false")
    if word not in ("true", "false"):
        raise invalid(name, "must be true or false")
    return word == "true"


def text(request: web.Request, name: str) -> str:
    """Return a query parameter, empty where it is absent. Raises INVALID for an id of a tenant that is none."""
    value: str = request.query.get(name, "")
    if name == "tenant_id" and value and not ids.is_uuid(value):
        raise invalid(name, "must be a UUID in lower case")
    return value


def micros(request: web.Request, name: str) -> int:
    """Return a query parameter as moment does; 0 where it is absent. Raises INVALID."""
    value = request.query.get(name)
    if value is None:
        return 0
    if _LOST_PLUS.search(value):
        raise invalid(name, "has a blank before its time zone: write + as %2B in a URL")
    return moment(value, name)


def moment(value: str, name: str) -> int:
    """Return a date, or a time of RFC 3339, as Unix microseconds. Raises INVALID.

    Without a zone it is UTC, a date is its midnight; before 1970 the number is negative. It is never 0, which means
    "none" on the wire: 1970's first microsecond is the one before.
    """
    try:
        if not _MOMENT.fullmatch(value):
            raise ValueError
        found = datetime.fromisoformat(value.upper())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(name, "must be a time such as 2026-04-22T12:00:00Z, from the year 0001 to 9999") from None
    return (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) or -1


def iso(at_us: int) -> str | None:
    """Return Unix microseconds in ISO 8601; None for 0."""
    if not at_us:
        return None
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def page(items: list[dict[str, Any]], next_cursor: str) -> dict[str, Any]:
    """Return a page of a list; next_cursor is None on the last one."""
    return {"data": items, "next_cursor": next_cursor or None}


def invalid(field: str, description: str) -> ClarionError:
    """Return the fault of one field."""
    return ClarionError(Code.INVALID, f"{field} {description}", fields=[(field, description)])


def path_id(request: web.Request) -> str:
    """Return the id in the path. Raises NOT_FOUND for what nothing could be called."""
    value = request.match_info["id"]
    if len(value) > 255 or "\0" in value:
        raise ClarionError(Code.NOT_FOUND, "There is nothing of this id.")
    return value
