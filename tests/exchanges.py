"""Every exchange of a test's HTTP client, held against the gateway's own description of itself.

Give `described` to a client as its middleware: an answer that the document does not foresee, or an accepted
request that it forbids, fails the test in which it happened.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import jsonschema_rs
import msgspec
from aiohttp import payload

from gateway.openapi.document import document

_PARAMETER = re.compile(r"\{\w+\}")
_READABLE = (payload.BytesPayload, payload.BytesIOPayload, payload.StringPayload)

Operation = Mapping[str, Any]


class UndescribedError(AssertionError):
    """The gateway did what its document does not say."""


async def described(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Pass a request on, and check it and its answer."""
    response = await handler(request)
    operation = find(request.method, request.url.raw_path)
    if operation is None:
        return response
    raw = b"" if response.status == 101 else await response.read()
    what = f"{request.method} {request.url.path} -> {response.status}"
    check_answer(operation, response.status, response.headers, raw, what=what)
    if response.status < 400:
        sent = await request.body.as_bytes() if isinstance(request.body, _READABLE) else None
        check_request(operation, dict(request.url.query), sent, what=what)
    return response


def find(method: str, raw_path: str) -> Operation | None:
    """Return the operation that a path as sent is; None where the document has none."""
    for pattern, methods in _paths():
        if pattern.fullmatch(raw_path) and (operation := methods.get(method.lower())) is not None:
            found: Operation = operation
            return found
    return None


def check_answer(operation: Operation, status: int, headers: Mapping[str, str], raw: bytes, *, what: str) -> None:
    """Raise UndescribedError where this status, a header or the body is not as the operation says."""
    answer = operation["responses"].get(str(status))
    if answer is None:
        raise UndescribedError(f"{what}: this status is not described: {raw[:500]!r}")
    known = {name.lower() for name in headers}
    for name, header in answer.get("headers", {}).items():
        if header["required"] and name.lower() not in known:
            raise UndescribedError(f"{what}: without {name}")
    if content := answer.get("content"):
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "").partition(";")[0]
        if kind not in content:
            raise UndescribedError(f"{what}: {kind or 'no type'} is not among {', '.join(content)}")
        if kind.endswith("json"):
            _validate(content[kind]["schema"], msgspec.json.decode(raw), what)


def check_request(operation: Operation, query: Mapping[str, str], raw: bytes | None, *, what: str) -> None:
    """Raise UndescribedError where what was accepted is not as the operation says."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and (parameter["required"] or parameter["name"] in query):
            if parameter["name"] not in query:
                raise UndescribedError(f"{what}: accepted without {parameter['name']}")
            _validate(parameter["schema"], _read(parameter["schema"], query[parameter["name"]]), f"{what} (query)")
    body = operation.get("requestBody")
    if body is not None and raw is not None and (content := body["content"].get("application/json")):
        _validate(content["schema"], msgspec.json.decode(raw), f"{what} (request)")


def _read(schema: Mapping[str, Any], text: str) -> Any:
    return int(text) if schema.get("type") == "integer" and text.isdecimal() else text


def _validate(schema: Mapping[str, Any], value: Any, what: str) -> None:
    faults = list(_validator(msgspec.json.encode(schema)).iter_errors(value))
    if faults:
        told = "; ".join(f"{'/'.join(map(str, fault.instance_path))}: {fault.message[:300]}" for fault in faults[:3])
        raise UndescribedError(f"{what}: {told}")


@functools.cache
def _validator(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    whole = {**msgspec.json.decode(schema), "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


@functools.cache
def _paths() -> list[tuple[re.Pattern[str], Mapping[str, Any]]]:
    # Fewest parameters first: /templates/preview before /templates/{id}.
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (re.compile("[^/]+".join(re.escape(part) for part in _PARAMETER.split(path))), methods)
        for path, methods in paths
    ]
