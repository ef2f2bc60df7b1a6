"""Errors in Orqestra's format: {"statusCode", "error", "message"[, "retryAfter"]}."""

import functools
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from clarion.common.v1 import error_pb2
from gateway.refusals.notes import note, note_status
from gateway.replies import BodyError, json_reply
from runtime import logs
from runtime.errors import ClarionError, Code

# The same for a wrong key, token or tenant. A wrong signature is named, because the key was valid.
UNAUTHORIZED = "The credentials are missing, unknown or no longer valid."

_ANSWERS: dict[Code, tuple[int, str]] = {
    Code.INVALID: (422, "Validation Error"),
    Code.UNAUTHENTICATED: (401, "Unauthorized"),
    Code.FORBIDDEN: (403, "Forbidden"),
    Code.NOT_FOUND: (404, "Not Found"),
    Code.CONFLICT: (409, "Conflict"),
    Code.LIMITED: (429, "Too Many Requests"),
    Code.OVERLOADED: (503, "Service Unavailable"),
    # The contract says 500 when the broker or the database is down.
    Code.UNAVAILABLE: (500, "Internal Server Error"),
    Code.INTERNAL: (500, "Internal Server Error"),
    # Its calls give no time, so this does not happen.
    Code.TIMEOUT: (500, "Internal Server Error"),
}
_BODY_ERRORS = {408: "Request Timeout", 413: "Payload Too Large", 415: "Unsupported Media Type"}
# The dialect's names for the fields of our own messages.
_FIELD_NAMES = {
    "event_type": "eventType",
    "caller_event_id": "eventId",
    "recipient.user_id": "payload.userId",
    "recipient.email": "payload.recipientEmail",
    "recipient.phone": "payload.recipientPhone",
    "payload_extra": "payload",
    "idempotency_key": "X-Idempotency-Key",
    "trace_id": "X-Trace-Id",
    "user_id": "userId",
}
# The length of a rate's window, in seconds.
_WINDOWS = {60: "min", 3_600: "hour", 86_400: "day"}
_FIXED_MESSAGES = {
    Code.UNAUTHENTICATED: UNAUTHORIZED,
    Code.UNAVAILABLE: "Temporarily unavailable. Try again shortly: an event that was stored is not sent twice.",
    Code.INTERNAL: "Internal error. Try again. If it persists, give the operator the X-Trace-Id of this response.",
}

log = logs.get(__name__)

# Set by handlers that accept events, for the message of a limit.
TENANT_NAME = web.RequestKey("tenant_name", str)

RequestHandler = Callable[[Any, web.Request], Awaitable[web.StreamResponse]]


class MalformedBodyError(Exception):
    """The body is not JSON."""


def answers(handler: RequestHandler) -> RequestHandler:
    """Return the handler with its errors answered in Orqestra's format."""

    @functools.wraps(handler)
    async def answering(self: Any, request: web.Request) -> web.StreamResponse:
        try:
            return await handler(self, request)
        except ClarionError as error:
            note(request, error)
            return from_error(error, tenant_name=request.get(TENANT_NAME, ""))
        except MalformedBodyError as error:
            note_status(request, 400, str(error))
            return error_reply(400, "Bad Request", str(error))
        except BodyError as fault:
            note_status(request, fault.status, fault.detail)
            return error_reply(fault.status, _BODY_ERRORS[fault.status], fault.detail)
        except web.HTTPException:
            raise
        except Exception:
            # An error of our own: its text is only logged, the client gets a 500.
            log.exception("request_failed", dialect="orqestra")
            return from_error(ClarionError(Code.INTERNAL, ""))

    return answering


def from_error(error: ClarionError, *, tenant_name: str = "") -> web.Response:
    """Return the response for a typed error. tenant_name: of the tenant whose limit may be reached."""
    status, reason = _ANSWERS[error.code]
    is_signature = error.code is Code.UNAUTHENTICATED and bool(error.fields)
    fixed = "" if is_signature else _FIXED_MESSAGES.get(error.code, "")
    message = fixed or _in_words(error, tenant_name)
    retry_after = max(error.retry_after, 1) if status in (429, 503) else 0
    return error_reply(status, reason, message, retry_after=retry_after)


def unanswered(status: int) -> web.Response:
    """Return the response for a status that no handler answered."""
    phrase = HTTPStatus(status).phrase
    return error_reply(status, phrase, phrase)


def error_reply(status: int, reason: str, message: str, *, retry_after: int = 0) -> web.Response:
    """Return an error response. retry_after: in seconds, 0: omitted."""
    body: dict[str, Any] = {"statusCode": status, "error": reason, "message": message}
    headers = {}
    if retry_after:
        body["retryAfter"] = retry_after
        headers["Retry-After"] = str(retry_after)
    return json_reply(body, status=status, headers=headers)


def _in_words(error: ClarionError, tenant_name: str) -> str:
    if error.limit is not None and error.limit.window_s:
        return _rate_in_words(error.limit, tenant_name)
    named = [f"{_FIELD_NAMES.get(field, field)} {description}" for field, description in error.fields]
    return "; ".join(named) or error.detail


def _rate_in_words(limit: error_pb2.LimitState, tenant_name: str) -> str:
    window = _WINDOWS.get(limit.window_s, f"{limit.window_s} s")
    return f"Rate limit exceeded for tenant {tenant_name}. Limit: {limit.bound}/{window}"
