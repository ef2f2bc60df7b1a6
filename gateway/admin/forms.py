"""Reading bodies and queries of the admin API; channels, times and pages in its answers."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import tenants_pb2
from gateway import queries, replies
from gateway.access import enforce
from gateway.audit import FIELDS
from gateway.clients import Clients
from gateway.cursors import CURSORS
from gateway.observing import TENANT_ID
from gateway.replies import BodyError, not_json, read_json_bytes
from runtime import ids, validation
from runtime.errors import ClarionError, Code
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import statuses
from services.domain.channels import BY_PUBLIC_NAME, PUBLIC_NAMES, PUBLIC_NAMES_FOR_PEOPLE
from services.domain.endpoints import MAX_METADATA

MAX_BODY_BYTES = 1024 * 1024

# Times in answers.
iso = replies.iso

# These describe a field in the OpenAPI document. The handlers validate.
Channel = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(BY_PUBLIC_NAME)})]
# A channel that reaches people: it has templates and providers, and recipients can mute it.
PeopleChannel = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(PUBLIC_NAMES_FOR_PEOPLE)})]
Id = Annotated[
    str, msgspec.Meta(extra_json_schema={"format": "uuid"}, examples=["01a1fe7a-0000-7000-8000-000000000000"])
]
# An id that may be absent or empty.
OptionalId = Annotated[
    str,
    msgspec.Meta(extra_json_schema={"anyOf": [{"format": "uuid"}, {"const": ""}]}),
]

UserId = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[^\u0000]*$",
        description="a string of 1 to 255 characters, none of them NUL",
    ),
]

# A date, or a date and time of RFC 3339. Other forms of ISO 8601 are ambiguous: 1712121210305 is both a time in
# milliseconds and a day of the year 1712.
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_LOST_PLUS = re.compile(r":[0-9.]+ [0-9]{2}:?[0-9]{2}$")

_decode_labels = msgspec.json.Decoder(dict[str, str]).decode

B = TypeVar("B", bound="Body")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request's body. An unknown field is an error, so that a misspelt one is noticed."""


async def read(request: web.Request, body_type: type[B]) -> B:
    """Return the body. Raises BodyError, or INVALID with the name of the field."""
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
    """Return the tenant. Raises ClarionError NOT_FOUND if it does not exist."""
    answer = await clients.call(clients.tenants.GetTenant, tenants_pb2.GetTenantRequest(tenant_id=tenant_id))
    request[TENANT_ID] = tenant_id
    return answer.tenant


async def path_tenant(request: web.Request, clients: Clients) -> str:
    """Return the id of the tenant in the path. Raises NOT_FOUND if it does not exist."""
    tenant_id = path_id(request)
    await check_tenant(request, clients, tenant_id)
    return tenant_id


def channel(
    name: str, field: str = "channel", among: Sequence[str] = tuple(BY_PUBLIC_NAME)
) -> "event_pb2.Channel.ValueType":
    """Return the channel with this name. Raises INVALID."""
    if name not in among:
        raise invalid(field, f"must be one of {', '.join(among)}")
    return BY_PUBLIC_NAME[name]


def people_channel(name: str, field: str = "channel") -> "event_pb2.Channel.ValueType":
    """Return the channel with this name. Raises INVALID, also for one that reaches no people."""
    return channel(name, field, PUBLIC_NAMES_FOR_PEOPLE)


def channels(names: list[str], field: str) -> "list[event_pb2.Channel.ValueType]":
    """Return the channels with these names. Raises INVALID."""
    return [channel(name, f"{field}[{position}]") for position, name in enumerate(names)]


def channel_name(number: "event_pb2.Channel.ValueType") -> str | None:
    """Return the name of a channel, None if it is unspecified."""
    return PUBLIC_NAMES.get(number)


def status_name(number: "trace_pb2.DeliveryStatus.ValueType") -> str | None:
    """Return the name of a delivery status in lower case, None if it is unspecified."""
    return statuses.name(number) or None


def status(request: web.Request) -> "trace_pb2.DeliveryStatus.ValueType":
    """Return ?status=, unspecified if it is absent. Raises INVALID."""
    name = request.query.get("status", "")
    if name and name.lower() not in statuses.BY_NAME:
        raise invalid("status", f"must be one of {', '.join(statuses.BY_NAME)}")
    return statuses.BY_NAME.get(name.lower(), trace_pb2.DELIVERY_STATUS_UNSPECIFIED)


def uuids(request: web.Request, name: str) -> list[str]:
    """Return ids in the query, separated by commas; none if it is absent. Raises INVALID if one is no UUID."""
    value: str = request.query.get(name, "")
    found = value.split(",") if value else []
    if not all(map(ids.is_uuid, found)):
        raise invalid(name, "must be UUIDs in lower case, separated by commas")
    return found


def one_of(request: web.Request, name: str, words: Collection[str]) -> str:
    """Return a query parameter that is one of these words, empty if it is absent. Raises INVALID."""
    value: str = request.query.get(name, "")
    if value and value not in words:
        raise invalid(name, f"must be one of {', '.join(words)}")
    return value


def limit(request: web.Request) -> int:
    """Return ?limit=, 50 by default. Raises INVALID if it is not from 1 to 100."""
    (found,) = queries.numbers(request, limit=queries.Bounds(50, 1, 100))
    return found


def flag(request: web.Request, name: str) -> bool:
    """Return a query parameter that is true or false, false if it is absent. Raises INVALID."""
    word = request.query.get(name, "false")
    if word not in ("true", "false"):
        raise invalid(name, "must be true or false")
    return word == "true"


def text(request: web.Request, name: str) -> str:
    """Return a query parameter, empty if it is absent. Raises INVALID if tenant_id is not a UUID."""
    return uuid(request, name) if name == "tenant_id" else request.query.get(name, "")


def scope(request: web.Request) -> dict[str, Any]:
    """Return the fields that limit a list to what its caller may see: tenant_id, tenant_ids. Raises INVALID."""
    uuid(request, "tenant_id")
    return enforce.scope(request)


def tenants(request: web.Request) -> list[str]:
    """Return the tenants that scope() names; empty: all."""
    limits = scope(request)
    return [limits["tenant_id"]] if limits["tenant_id"] else list(limits["tenant_ids"])


def channel_filter(request: web.Request) -> "event_pb2.Channel.ValueType":
    """Return ?channel=, unspecified if it is absent. Raises INVALID."""
    name = request.query.get("channel", "")
    return channel(name) if name else event_pb2.CHANNEL_UNSPECIFIED


def uuid(request: web.Request, name: str) -> str:
    """Return an id in the query, empty if it is absent. Raises INVALID if it is no UUID."""
    value: str = request.query.get(name, "")
    if value and not ids.is_uuid(value):
        raise invalid(name, "must be a UUID in lower case")
    return value


def micros(request: web.Request, name: str) -> int:
    """Return a time in the query as moment() does, 0 if it is absent. Raises INVALID."""
    value = request.query.get(name)
    if value is None:
        return 0
    if _LOST_PLUS.search(value):
        raise invalid(name, "has a space before its time zone: write + as %2B in a URL")
    return moment(value, name)


def labels(request: web.Request) -> dict[str, str]:
    """Return ?metadata=, a JSON object of labels. Raises INVALID."""
    given = text(request, "metadata")
    if not given:
        return {}
    try:
        found = _decode_labels(given.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        found = None
    if found is None or not 1 <= len(found) <= MAX_METADATA or any("\0" in part for part in (*found, *found.values())):
        raise invalid("metadata", f'must be a JSON object with 1 to {MAX_METADATA} texts, such as {{"order": "7"}}')
    return found


def moment(value: str, name: str) -> int:
    """Return a date, or a time of RFC 3339, as Unix microseconds. Raises INVALID.

    A time without a zone is UTC, and a date is its midnight. Times before 1970 are negative. The result is never 0,
    which means "none" in our messages: the first microsecond of 1970 becomes the one before it.
    """
    try:
        if not _MOMENT.fullmatch(value):
            raise ValueError
        found = datetime.fromisoformat(value.upper())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(name, "must be a time such as 2026-04-22T12:00:00Z, from the year 0001 to 9999") from None
    return (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) or -1


def page(request: web.Request, items: list[dict[str, Any]], next_cursor: str) -> dict[str, Any]:
    """Return a page of a list. next_cursor: the service's, empty on the last page; shown sealed, or as None."""
    return {"data": items, "next_cursor": sealed_cursor(request, next_cursor)}


def sealed_cursor(request: web.Request, cursor: str, *bound: str) -> str | None:
    """Return a service's cursor in the form for the caller; None: it is empty. bound: as opened_cursor() takes it."""
    return request.app[CURSORS].seal(cursor, *_list_of(request), *bound) if cursor else None


def opened_cursor(request: web.Request, sealed: str, *bound: str) -> str:
    """Return the service's cursor of one that this path has given out for this tenant; empty: none. Raises INVALID.

    bound: what else the list is for, in the body.
    """
    return request.app[CURSORS].open(sealed, *_list_of(request), *bound) if sealed else ""


def cursor(request: web.Request) -> str:
    """Return the service's cursor of ?cursor=, empty if it is absent. Raises INVALID."""
    return opened_cursor(request, request.query.get("cursor", ""))


def _list_of(request: web.Request) -> tuple[str, str]:
    return request.path, request.query.get("tenant_id", "")


def invalid(field: str, description: str) -> ClarionError:
    """Return the error for an invalid field."""
    return ClarionError(Code.INVALID, f"{field} {description}", fields=[(field, description)])


def named(error: ClarionError, names: Mapping[str, str]) -> ClarionError:
    """Return a service's error with the names that the fields have in this API. names: the others stay."""
    fields = [(names.get(name, name), description) for name, description in error.fields]
    detail = "; ".join(f"{name} {description}" for name, description in fields) or error.detail
    return ClarionError(error.code, detail, fields=fields, retry_after=error.retry_after)


def of_only(error: ClarionError, prefix: str) -> ClarionError:
    """Return a service's error with the names that fields have in a body with one object.

    prefix: of the only object in the service's list of them, such as "recipients[0].".
    """
    if error.code is not Code.INVALID:
        return error
    fields = [(name.removeprefix(prefix), description) for name, description in error.fields]
    return ClarionError(Code.INVALID, error.detail.replace(prefix, ""), fields=fields)


def path_id(request: web.Request) -> str:
    """Return the id in the path. Raises NOT_FOUND for one that cannot exist."""
    value = request.match_info["id"]
    if len(value) > 255 or "\0" in value:
        raise ClarionError(Code.NOT_FOUND, "There is nothing with this id.")
    return value


def path_uuid(request: web.Request, name: str) -> str:
    """Return an id in the path by its name there. Raises NOT_FOUND for one that cannot exist."""
    value: str = request.match_info[name]
    if not ids.is_uuid(value):
        raise ClarionError(Code.NOT_FOUND, "There is nothing with this id.")
    return value
