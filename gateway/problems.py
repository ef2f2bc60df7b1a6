"""Errors of our own APIs as application/problem+json (RFC 9457)."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from gateway.refusals.notes import note, note_status
from gateway.replies import BodyError, json_reply
from runtime import logs
from runtime.errors import ClarionError, Code

# Types are stable: a client may tell cases apart by them. They are names, not addresses.
_TYPE_PREFIX = "urn:clarion:problem:"

_PROBLEMS: dict[Code, tuple[int, str, str]] = {
    Code.INVALID: (422, "invalid", "Invalid request"),
    Code.UNAUTHENTICATED: (401, "unauthenticated", "Credential missing or wrong"),
    Code.FORBIDDEN: (403, "forbidden", "Forbidden"),
    Code.NOT_FOUND: (404, "not-found", "Not found"),
    Code.CONFLICT: (409, "conflict", "Conflict"),
    Code.LIMITED: (429, "limited", "Too many requests"),
    Code.OVERLOADED: (503, "overloaded", "Overloaded"),
    Code.UNAVAILABLE: (503, "unavailable", "Temporarily unavailable"),
    Code.INTERNAL: (500, "internal", "Internal error"),
    Code.TIMEOUT: (504, "timeout", "Not done in time"),
}
_BODY_PROBLEMS = {
    400: ("malformed", "Malformed body"),
    408: ("too-slow", "Request timeout"),
    413: ("too-large", "Body too large"),
    415: ("unsupported-media-type", "Unsupported media type"),
}

_INTERNAL = "Something failed in Clarion. Look for this response's X-Trace-Id in the logs."

log = logs.get(__name__)

RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(handler: RequestHandler, *, name: str) -> RequestHandler:
    """Return the handler with its errors answered as problem documents. name: of the API, for the log."""

    @functools.wraps(handler)
    async def handling(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ClarionError as error:
            note(request, error)
            return from_error(error)
        except BodyError as fault:
            note_status(request, fault.status, fault.detail)
            kind, title = _BODY_PROBLEMS[fault.status]
            return problem(fault.status, kind, title, fault.detail)
        except web.HTTPException:
            raise
        except Exception:
            # An error of our own: its text is only logged.
            log.exception("request_failed", dialect=name)
            return from_error(ClarionError(Code.INTERNAL, _INTERNAL))

    return handling


def from_error(error: ClarionError) -> web.Response:
    """Return the problem document of a typed error."""
    status, name, title = _PROBLEMS[error.code]
    detail = _INTERNAL if error.code is Code.INTERNAL else error.detail
    fields = [{"field": field, "detail": description} for field, description in error.fields]
    return problem(status, name, title, detail, errors=fields, retry_after=error.retry_after)


def problem(
    status: int,
    name: str,
    title: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    retry_after: int = 0,
    members: Mapping[str, Any] | None = None,
) -> web.Response:
    """Return a problem document. errors: {"field", "detail"} of each invalid field; retry_after: in seconds.

    members: what else the problem of this type has.
    """
    body: dict[str, Any] = {"type": _TYPE_PREFIX + name, "title": title, "status": status, "detail": detail}
    headers = {}
    if members:
        body.update(members)
    if errors:
        body["errors"] = errors
    if retry_after:
        body["retry_after"] = retry_after
        headers["Retry-After"] = str(retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return json_reply(body, status=status, headers=headers, content_type="application/problem+json")
