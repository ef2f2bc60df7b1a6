"""Reading request bodies, and JSON responses."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from gateway.connections import CONNECTIONS, count_refusal
from runtime.errors import ClarionError, Code
from runtime.validation import json_fault

# The longest time a body may take to arrive, in seconds.
BODY_DEADLINE_S = 20.0
# The body of a request that was read before its handler.
_BODY = web.RequestKey("body_read_before", bytes)
# Why that failed. What is left of it is no body.
_FAULT = web.RequestKey("body_fault_before", Exception)
# The size of the pieces in which shared_reply() sends, in bytes.
_PIECE = 32 * 1024


class BodyError(Exception):
    """The body is refused. status: 408, 413 or 415; detail: one sentence with the reason."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def json_reply(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = "application/json"
) -> web.Response:
    """Return body as JSON."""
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type=content_type)


def shared_reply(body: bytes, content_type: str, headers: Mapping[str, str]) -> web.Response:
    """Return a large body that many responses share. It is sent in pieces, because aiohttp would copy it whole."""
    headers = {**headers, "Content-Length": str(len(body))}
    charset = "utf-8" if content_type.startswith("text/") else None
    return web.Response(body=_pieces(body), content_type=content_type, charset=charset, headers=headers)


async def _pieces(body: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(body)
    for start in range(0, len(view), _PIECE):
        yield view[start : start + _PIECE]


def neutral_reply(status: int, message: str = "", headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an error of the gateway itself. message: one sentence; empty: the status in words."""
    phrase = HTTPStatus(status).phrase
    body = {"statusCode": status, "error": phrase, "message": message or phrase}
    return json_reply(body, status=status, headers=headers)


def iso(at_us: int) -> str | None:
    """Return Unix microseconds in ISO 8601, None for 0."""
    if not at_us:
        return None
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def not_json(error: Exception) -> str:
    """Return the error message for a body that is not valid JSON."""
    why = json_fault(error)
    return f"The body is not valid JSON: {why}." if why else "The body is not valid JSON."


async def read_json_bytes(request: web.Request, *, limit: int) -> bytes:
    """Return the body of a JSON request as received, at most limit bytes. Raises like read_bytes()."""
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise BodyError(415, "Content-Type must be application/json.")
    return await read_bytes(request, limit=limit)


async def read_before_handler(request: web.Request, *, limit: int) -> bytes:
    """Return the body of a JSON request, and keep it for the handler. Raises like read_json_bytes(), there, too."""
    try:
        body = request[_BODY] = await read_json_bytes(request, limit=limit)
    except (BodyError, ClarionError) as fault:
        request[_FAULT] = fault
        raise
    return body


async def read_bytes(request: web.Request, *, limit: int) -> bytes:
    """Return the body as received, at most limit bytes. Raises BodyError, or OVERLOADED if too much is arriving."""
    if (fault := request.get(_FAULT)) is not None:
        raise fault
    read_before: bytes | None = request.get(_BODY)
    if read_before is not None and len(read_before) <= limit:
        return read_before
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BodyError(415, "A compressed body is not accepted.")
    too_large = BodyError(413, f"The body must be at most {limit} bytes.")
    if (request.content_length or 0) > limit:
        raise too_large
    try:
        if request.content.is_eof():  # already received, as for most requests
            body = await request.read()
        else:
            async with asyncio.timeout(BODY_DEADLINE_S):
                body = await _receive(request, limit)
    except web.HTTPRequestEntityTooLarge:
        raise too_large from None
    except TimeoutError:
        raise BodyError(408, "The body took too long to arrive.") from None
    if len(body) > limit:
        raise too_large
    return body


async def _receive(request: web.Request, limit: int) -> bytes:
    """Receive a body, and stop at the first bytes past limit. Its bytes count against the budget meanwhile."""
    connections = request.app[CONNECTIONS]
    address = connections.caller(request)
    body = bytearray()
    held = 0
    try:
        while len(body) <= limit and (piece := await request.content.readany()):
            if not connections.bodies.take(address, len(piece)):
                count_refusal("bodies")
                raise ClarionError(Code.OVERLOADED, "Too many bodies are arriving; try again shortly.", retry_after=1)
            held += len(piece)
            body += piece
    finally:
        connections.bodies.give_back(address, held)
    return bytes(body)
