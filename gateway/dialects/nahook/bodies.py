"""Reading JSON bodies: strictly, because what is in a payload is sent on as it came. Pure but for read()."""

import json
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from gateway.audit import FIELDS
from gateway.dialects.nahook.errors import bad_request
from gateway.replies import not_json, read_json_bytes
from runtime import validation
from runtime.nesting import MAX_DEPTH, is_too_deep

MAX_MANAGEMENT_BYTES = 64 * 1024


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """The body of a request. Unknown fields are ignored."""


B = TypeVar("B", bound=Body)


async def read(request: web.Request, kind: type[B]) -> B:
    """Return the body of a management call, and note its fields for the audit log. Raises BodyError or ApiError."""
    raw = await read_json_bytes(request, limit=MAX_MANAGEMENT_BYTES)
    value = check(raw)
    if isinstance(value, dict):
        request[FIELDS] = tuple(name for name in kind.__struct_encode_fields__ if name in value)
    return convert(raw, kind)


def check(raw: bytes, *, around: int = 0) -> Any:
    """Return the value of strict JSON. around: levels of nesting that this API itself needs. Raises ApiError.

    Refused are also texts that two parsers may read in different ways: an object with two equal keys, a number that is
    out of range, half of a surrogate pair.
    """
    try:
        value = msgspec.json.decode(raw)
        json.loads(raw.decode(), object_pairs_hook=_unique)
    except _RepeatedKeyError as error:
        raise bad_request(f"The body has an object with two keys {error}.") from None
    except msgspec.ValidationError as error:  # without a type, only numbers can be invalid
        raise bad_request("The body holds a number that is out of range.") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise bad_request(not_json(error)) from error
    if is_too_deep(raw, value, limit=MAX_DEPTH + around):
        raise bad_request(f"The body must be nested at most {MAX_DEPTH} levels deep.")
    return value


def convert(raw: bytes, kind: type[B]) -> B:
    """Return checked JSON as a value of this type. Raises ApiError, which names the field."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        field, description = validation.fault(error, kind)
        raise bad_request(f"{field or 'The body'} {description}") from error


class _RepeatedKeyError(ValueError):
    """An object has a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(json.dumps(next(key for key in keys if keys.count(key) > 1)[:64]))
