"""Errors in Nahook's format: {"error": {"code", "message"}}."""

import functools
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from gateway.dialects.nahook import limits
from gateway.refusals.notes import note, note_status
from gateway.replies import BodyError, json_reply
from runtime import logs
from runtime.errors import ClarionError, Code

BAD_REQUEST = "bad_request"
INVALID_API_KEY = "invalid_api_key"
INVALID_CURSOR = "invalid_cursor"
TOKEN_DISABLED = "token_disabled"  # noqa: S105 - a name
PAYLOAD_TOO_LARGE = "payload_too_large"
INTERNAL_ERROR = "internal_error"
UNAVAILABLE = "unavailable"
APPLICATION_FULL = "application_endpoint_limit_reached"

_ANSWERS: dict[Code, tuple[int, str]] = {
    Code.INVALID: (400, BAD_REQUEST),
    Code.UNAUTHENTICATED: (401, "unauthorized"),
    Code.FORBIDDEN: (403, "forbidden"),
    Code.NOT_FOUND: (404, "not_found"),
    Code.CONFLICT: (409, "conflict"),
    Code.LIMITED: (429, "rate_limited"),
    Code.OVERLOADED: (503, "overloaded"),
    Code.UNAVAILABLE: (503, UNAVAILABLE),
    Code.INTERNAL: (500, INTERNAL_ERROR),
    Code.TIMEOUT: (504, "ingest_timeout"),
}
# Of statuses that no typed error has.
_CODES = {
    400: BAD_REQUEST,
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: PAYLOAD_TOO_LARGE,
    415: "unsupported_media_type",
    500: INTERNAL_ERROR,
}
_FIXED_MESSAGES = {
    Code.UNAUTHENTICATED: "The credentials are missing, unknown or no longer valid.",
    # The same for what does not exist and for what belongs to another workspace.
    Code.NOT_FOUND: "There is nothing with this id in the workspace.",
    Code.UNAVAILABLE: "Temporarily unavailable. Try again shortly.",
    Code.INTERNAL: "Internal error. Try again. If it persists, give the operator the X-Trace-Id of this response.",
    Code.TIMEOUT: "The event was not stored within 5 seconds, and nothing was sent. It is safe to try again.",
}
# The dialect's names for the fields of our own messages; the others are written in camel case.
_FIELD_NAMES = {
    "variables": "payload",
    "event": "payload",
    "dedupe.key": "idempotencyKey",
    "to_endpoints.endpoint_id": "endpointId",
    "kind": "type",
    "active": "isActive",
}
# Prefixes of the fields of our own messages: bodies here have no such level.
_LEVELS = re.compile(r"^(?:endpoint|application)\.")
_SNAKE = re.compile(r"_([a-z])")
# Violations of these fields are about the size of a payload: everything else about it is checked before.
_SIZES = frozenset({"variables", "event"})

log = logs.get(__name__)

RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """An error that only this API tells apart."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int = 0) -> None:
        """Take what is shown. retry_after: seconds; 0: not said."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as this API shows it. headers: those of the response; a batch's item has none."""

    status: int
    code: str
    message: str
    headers: dict[str, str]

    def body(self) -> dict[str, str]:
        """Return {"code", "message"}."""
        return {"code": self.code, "message": self.message}

    def reply(self) -> web.Response:
        """Return the response."""
        return json_reply({"error": self.body()}, status=self.status, headers=self.headers)


def bad_request(message: str) -> ApiError:
    """Return the error for a body or query that is not as it must be."""
    return ApiError(400, BAD_REQUEST, message)


def perhaps_accepted(error: ClarionError) -> ApiError:
    """Return the error for an event of which nobody knows whether it was stored. error: UNAVAILABLE."""
    message = "Temporarily unavailable. The event may have been accepted: if it is sent again, it may arrive twice."
    return ApiError(503, UNAVAILABLE, message, retry_after=max(error.retry_after, 1))


def answers(handler: RequestHandler) -> RequestHandler:
    """Return the handler with its errors answered in Nahook's format."""

    @functools.wraps(handler)
    async def answering(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except Exception as error:  # of our own, too: their text is only logged
            if isinstance(error, ClarionError):
                note(request, error)
            elif isinstance(error, ApiError):
                note_status(request, error.status, error.message)
            elif isinstance(error, BodyError):
                note_status(request, error.status, error.detail)
            return fault_of(error).reply()

    return answering


def fault_of(error: BaseException) -> Fault:
    """Return an error as this API shows it. One that is not typed is logged, and shown without its text."""
    if isinstance(error, ClarionError):
        return _typed(error)
    if isinstance(error, ApiError):
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return Fault(error.status, error.code, error.message, headers)
    if isinstance(error, BodyError):
        return Fault(error.status, _CODES[error.status], error.detail, {})
    log.error("request_failed", dialect="nahook", exc_info=error)
    return _typed(ClarionError(Code.INTERNAL, ""))


def unanswered(status: int) -> web.Response:
    """Return the response for a status that no handler answered."""
    return Fault(status, _CODES.get(status, BAD_REQUEST), HTTPStatus(status).phrase, {}).reply()


def _typed(error: ClarionError) -> Fault:
    status, code = _ANSWERS[error.code]
    headers: dict[str, str] = {}
    fields = {field for field, _ in error.fields}
    if error.code is Code.INVALID and fields & _SIZES:
        status, code = 413, PAYLOAD_TOO_LARGE
    elif error.code is Code.INVALID and "cursor" in fields:
        code = INVALID_CURSOR
    if status in (429, 503):
        headers["Retry-After"] = str(max(error.retry_after, 1))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.limit is not None:
        headers |= limits.headers([error.limit])
    return Fault(status, code, _FIXED_MESSAGES.get(error.code) or _in_words(error), headers)


def _in_words(error: ClarionError) -> str:
    named = [f"{_field_name(field)} {description}" for field, description in error.fields]
    return "; ".join(named) or error.detail


def _field_name(field: str) -> str:
    short = _LEVELS.sub("", field)
    if known := _FIELD_NAMES.get(short):
        return known
    name, dot, rest = short.partition(".")  # what comes after a dot may be a name that the caller chose
    return _SNAKE.sub(lambda match: match[1].upper(), name) + dot + rest
