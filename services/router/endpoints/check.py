"""Checks endpoints as they are sent, and brings them into their stored form: pure."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec

from clarion.router.v1 import endpoints_pb2
from runtime.egress import EgressGuard
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import webhook_headers
from services.domain.checks import check_id
from services.router.endpoints.secrets import wrong_secret
from services.router.endpoints.url import InvalidUrl, check_url
from services.router.recipients.check import Fault, invalid, tenant, text

MAX_DESCRIPTION = 1_000
MAX_LABELS, MAX_LABEL = 20, 255
MAX_CONFIG_BYTES = 4 * 1024
MAX_HEADERS, MAX_HEADER_VALUE, MAX_HEADER_BYTES = 20, 2_048, 8 * 1024
MAX_PASSWORD = 1_024
MAX_RATE_PER_S = 10_000
MAX_BATCH = 100
MAX_RETRIES, MAX_RETRY_DELAY_S = 20, 7 * 24 * 3600
# In place of a header's value: in responses, and in a request that keeps the value.
HIDDEN = "***"

_WEBHOOK, _SLACK = endpoints_pb2.ENDPOINT_KIND_WEBHOOK, endpoints_pb2.ENDPOINT_KIND_SLACK
_PUSH, _POLLED = endpoints_pb2.ENDPOINT_MODE_PUSH, endpoints_pb2.ENDPOINT_MODE_POLLED
_VALUE = re.compile(r"[!-~]([ \t!-~]*[!-~])?")
_PRINTABLE = re.compile(r"[ -~]*")

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class EndpointFields:
    """What a caller sets of an endpoint, in the form that is stored; see clarion.router.v1.Endpoint.

    environment_id: empty: the tenant's default one. header_names: of the headers, which are encrypted.
    """

    environment_id: str
    application_id: str
    kind: int
    mode: int
    url: str
    description: str
    metadata: Mapping[str, str]
    config: bytes
    header_names: tuple[str, ...]
    auth_username: str
    rate_per_s: int
    batch_size: int
    retry_delays_s: tuple[int, ...]
    active: bool = True


class Hidden(Protocol):
    """What is encrypted of a stored endpoint. Methods raise ValueError if no key decrypts it."""

    def headers(self) -> dict[str, str]:
        """Return its headers."""

    def auth(self) -> str:
        """Return "user:password"; empty: none."""


@dataclass(frozen=True, slots=True)
class CheckedEndpoint:
    """A valid endpoint to store. headers, auth ("user:password"): None: as they are stored already."""

    fields: EndpointFields
    headers: Mapping[str, str] | None
    auth: str | None


def new_endpoint(request: endpoints_pb2.CreateEndpointRequest, guard: EgressGuard) -> CheckedEndpoint:
    """Return the endpoint. Raises INVALID naming each wrong field."""
    wanted = request.endpoint
    for field in ("environment_id", "application_id"):
        check_id(field, getattr(wanted, field), required=False)
    headers = dict(wanted.headers)
    fields = EndpointFields(
        environment_id=wanted.environment_id,
        application_id=wanted.application_id,
        kind=wanted.kind or _WEBHOOK,
        mode=wanted.mode or _PUSH,
        url=wanted.url,
        description=wanted.description,
        metadata=dict(wanted.metadata),
        config=wanted.config or b"{}",
        header_names=tuple(sorted(headers)),
        auth_username=wanted.auth_username,
        rate_per_s=wanted.rate_per_s,
        batch_size=wanted.batch_size or 1,
        retry_delays_s=tuple(wanted.retry_delays_s),
    )
    faults = [*tenant(request.tenant_id), *wrong_secret(request.secret)]
    if fields.kind == _SLACK and request.secret:
        faults.append(("secret", "must be empty: messages to Slack are not signed"))
    if request.auth_password and not wanted.auth_username:
        faults.append(("auth_password", "needs auth_username"))
    faults += [*_wrong_headers(headers), *_wrong_password(request.auth_password)]
    auth = f"{wanted.auth_username}:{request.auth_password}" if wanted.auth_username else ""
    return CheckedEndpoint(_checked(fields, faults, guard), headers, auth)


def changed(
    old: EndpointFields, hidden: Hidden, request: endpoints_pb2.UpdateEndpointRequest, guard: EgressGuard
) -> CheckedEndpoint:
    """Return the endpoint with the fields that are present. Raises INVALID naming each wrong field.

    An address that does not change is not checked again: it may have been forbidden since.
    """
    faults: list[Fault] = []
    headers = _new_headers(request, hidden, faults)
    auth = _new_auth(old, request, hidden, faults)
    fields = replace(
        old,
        metadata=dict(request.metadata.values) if request.HasField("metadata") else old.metadata,
        header_names=old.header_names if headers is None else tuple(sorted(headers)),
        retry_delays_s=tuple(request.retry_delays_s.values)
        if request.HasField("retry_delays_s")
        else old.retry_delays_s,
        **{
            name: getattr(request, name)
            for name in ("url", "description", "config", "auth_username", "active", "rate_per_s", "batch_size", "mode")
            if request.HasField(name)
        },
    )
    fields = replace(
        fields, config=fields.config or b"{}", batch_size=fields.batch_size or 1, mode=fields.mode or _PUSH
    )
    return CheckedEndpoint(_checked(fields, faults, guard, old=old), headers, auth)


def _checked(
    fields: EndpointFields, faults: list[Fault], guard: EgressGuard, *, old: EndpointFields | None = None
) -> EndpointFields:
    """Return the fields in their stored form, or raise INVALID with these faults and their own."""
    if fields.kind not in {_WEBHOOK, _SLACK}:
        faults.append(("kind", "must be WEBHOOK or SLACK"))
    if fields.mode not in endpoints_pb2.EndpointMode.values():
        faults.append(("mode", "must be PUSH, ORDERED or POLLED"))
    elif fields.mode == _POLLED and fields.kind == _SLACK:
        faults.append(("mode", "must be PUSH or ORDERED for Slack"))
    if old is None or _address(old) != _address(fields):
        faults += _wrong_url(fields, guard)
    faults += text("description", fields.description, limit=MAX_DESCRIPTION)
    faults += labels("metadata", fields.metadata, most=MAX_LABELS)
    config = _config(fields.config, faults)
    faults += _wrong_username(fields)
    faults += _out_of_bounds(fields)
    if faults:
        raise invalid(faults)
    return replace(fields, config=config)


def labels(field: str, values: Mapping[str, str], *, most: int) -> Iterator[Fault]:
    """Yield what is wrong with labels."""
    if len(values) > most:
        yield field, f"must have at most {most} labels"
    for name, value in list(values.items())[:most]:
        if not name:
            yield field, "must not have a label without a name"
        yield from text(f"{field}.{name[:MAX_LABEL]}", name, limit=MAX_LABEL)
        yield from text(f"{field}.{name[:MAX_LABEL]}", value, limit=MAX_LABEL)


def _address(fields: EndpointFields) -> tuple[str, bool]:
    return fields.url, fields.mode == _POLLED


def _wrong_url(fields: EndpointFields, guard: EgressGuard) -> Iterator[Fault]:
    if fields.mode == _POLLED:
        if fields.url:
            yield "url", "must be empty for POLLED: nothing is sent to it"
    elif not fields.url:
        yield "url", "is required"
    else:
        try:
            check_url(fields.url, guard)
        except InvalidUrl as error:
            yield "url", str(error)


def _config(raw: bytes, faults: list[Fault]) -> bytes:
    try:
        value = _decode_object(raw)
    except (ValueError, RecursionError):
        faults.append(("config", "must be a JSON object"))
        return b"{}"
    if is_too_deep(raw, value):
        faults.append(("config", f"must be nested at most {MAX_DEPTH} levels deep"))
    compact = _encode(value)
    if len(compact) > MAX_CONFIG_BYTES:
        faults.append(("config", f"must be at most {MAX_CONFIG_BYTES // 1024} KiB"))
    return compact


def _new_headers(
    request: endpoints_pb2.UpdateEndpointRequest, hidden: Hidden, faults: list[Fault]
) -> dict[str, str] | None:
    """Return the headers that the request sets, with the stored values of those that it keeps; None: it sets none."""
    if not request.HasField("headers"):
        return None
    headers = dict(request.headers.values)
    if HIDDEN in headers.values():
        try:
            stored = hidden.headers()
        except ValueError:
            faults.append(("headers", "must be sent with their values: no encryption key decrypts the stored ones"))
            return {}
        headers = {name: stored.get(name, value) if value == HIDDEN else value for name, value in headers.items()}
    faults += _wrong_headers(headers)
    return headers


def _new_auth(
    old: EndpointFields, request: endpoints_pb2.UpdateEndpointRequest, hidden: Hidden, faults: list[Fault]
) -> str | None:
    """Return the "user:password" that the request sets; empty: it removes it, None: it leaves it as it is."""
    if not request.HasField("auth_username") and not request.HasField("auth_password"):
        return None
    username = request.auth_username if request.HasField("auth_username") else old.auth_username
    if not username:
        if request.auth_password:
            faults.append(("auth_password", "needs auth_username"))
        return ""
    password = request.auth_password
    faults += _wrong_password(password)
    if not request.HasField("auth_password"):
        try:
            password = hidden.auth().partition(":")[2]
        except ValueError:
            faults.append(("auth_password", "is required: no encryption key decrypts the stored one"))
    return f"{username}:{password}"


def _wrong_headers(headers: Mapping[str, str]) -> Iterator[Fault]:
    if len(headers) > MAX_HEADERS:
        yield "headers", f"must be at most {MAX_HEADERS}"
    if len({name.lower() for name in headers}) < len(headers):
        yield "headers", "must not have two names that differ only in case"
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADER_BYTES:
        yield "headers", f"must be at most {MAX_HEADER_BYTES // 1024} KiB together"
    for name, value in list(headers.items())[:MAX_HEADERS]:
        field = f"headers.{name[:128]}"
        if not webhook_headers.is_name(name):
            yield field, "must have a name of at most 128 letters, digits and hyphens"
        elif webhook_headers.is_reserved(name):
            yield field, "must not be a header that Clarion sets itself"
        if value == HIDDEN:
            yield field, f"must have a value: {HIDDEN} keeps that of a header that is stored"
        elif value and (len(value) > MAX_HEADER_VALUE or not _VALUE.fullmatch(value)):
            yield field, f"must be at most {MAX_HEADER_VALUE:,} printable ASCII characters without blanks at the ends"


def _wrong_username(fields: EndpointFields) -> Iterator[Fault]:
    name = fields.auth_username
    if len(name) > MAX_LABEL or ":" in name or not _PRINTABLE.fullmatch(name):
        yield "auth_username", f"must be at most {MAX_LABEL} printable ASCII characters, without a colon"
    if name and "authorization" in (one.lower() for one in fields.header_names):
        yield "headers.authorization", "must not be set together with auth_username"


def _wrong_password(password: str) -> Iterator[Fault]:
    if len(password) > MAX_PASSWORD or "\0" in password or "\n" in password or "\r" in password:
        yield "auth_password", f"must be at most {MAX_PASSWORD:,} characters, without line ends"


def _out_of_bounds(fields: EndpointFields) -> Iterator[Fault]:
    if not 0 <= fields.rate_per_s <= MAX_RATE_PER_S:
        yield "rate_per_s", f"must be from 0 to {MAX_RATE_PER_S:,}"
    if not 1 <= fields.batch_size <= MAX_BATCH:
        yield "batch_size", f"must be from 1 to {MAX_BATCH}"
    delays: Collection[int] = fields.retry_delays_s
    if len(delays) > MAX_RETRIES or any(not 1 <= one <= MAX_RETRY_DELAY_S for one in delays):
        yield "retry_delays_s", f"must be at most {MAX_RETRIES} numbers from 1 to {MAX_RETRY_DELAY_S:,}"


def check_types(ids: Sequence[str], *, most: int = 100) -> list[str]:
    """Return the ids of event types, each once. Raises INVALID."""
    if not 1 <= len(ids) <= most:
        raise invalid([("event_type_ids", f"must be from 1 to {most}")])
    for position, one in enumerate(ids):
        check_id(f"event_type_ids[{position}]", one)
    return list(dict.fromkeys(ids))
