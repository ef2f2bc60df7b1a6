"""Errors in Sendmator's format: {"statusCode", "message", "error"}."""

import functools
import re
from collections.abc import Iterable
from http import HTTPStatus

from aiohttp import web

from gateway.dialects import RequestHandler
from gateway.dialects.sendmator import limits
from gateway.refusals.notes import note, note_status
from gateway.replies import BodyError, json_reply
from runtime import logs
from runtime.errors import ClarionError, Code

_STATUSES: dict[Code, int] = {
    Code.INVALID: 400,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.LIMITED: 429,
    Code.OVERLOADED: 503,
    Code.UNAVAILABLE: 503,
    Code.INTERNAL: 500,
    Code.TIMEOUT: 504,
}
_FIXED_MESSAGES = {
    Code.UNAUTHENTICATED: "Unauthorized",
    Code.UNAVAILABLE: "Temporarily unavailable. Try again shortly.",
    Code.INTERNAL: "Internal error. Try again. If it persists, give the operator the X-Trace-Id of this response.",
    Code.TIMEOUT: "The event was not stored in time, and nothing was sent. It is safe to try again.",
}
# This API's names for the fields of our own messages.
_FIELD_NAMES = {
    "event_type": "event_name",
    "recipient.user_id": "user_info.contact_external_id",
    "recipient.email": "user_info.email",
    "recipient.phone": "user_info.phone",
    "recipient.name": "user_info.name",
    "recipient.data": "user_info.custom_fields",
    "payload_extra": "event_data",
    "due_at_us": "trigger_at",
    "segment_id": "segment_id",
    "recipient_id": "external_id",
    "document": "steps",
    "active": "is_active",
    "name_parts.first": "first_name",
    "name_parts.last": "last_name",
}
# Where our messages keep the fields of a body: bodies here have no such level.
_LEVELS = re.compile(
    r"^(?:event\.)?(?:audience\[\d+\]\.contact\.|direct\.content_given\.|direct\.|changes\[\d+\]\.|workflow\.)"
)
# The vendor has this channel, too.
NO_WHATSAPP = "WhatsApp is not available on this server"
_WINDOWS = {60: "minute", 3_600: "hour", 86_400: "day"}

log = logs.get(__name__)


class ApiError(Exception):
    """An error that only this API tells apart."""

    def __init__(self, status: int, message: str, *, retry_after: int = 0) -> None:
        """Take what is shown. message: a sentence, which clients may compare. retry_after: seconds; 0: not said."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


def bad_request(message: str) -> ApiError:
    """Return the error for a body or query that is not as it must be."""
    return ApiError(400, message)


def unknown_channel(field: str, given: str, known: Iterable[str]) -> ApiError:
    """Return the error for a field with a channel that is none of those that are known there."""
    why = f"; {NO_WHATSAPP}" if given.lower() == "whatsapp" else ""
    return bad_request(f"{field} must be one of {', '.join(known)}{why}")


def not_found(what: str) -> ApiError:
    """Return the error for something that does not exist, or that is another account's. what: "Trigger"."""
    return ApiError(404, f"{what} not found")


def invalid_team() -> ApiError:
    """Return the error for a team that is missing, unknown, another account's or not the key's."""
    return ApiError(401, "Invalid team context")


def perhaps_accepted(error: ClarionError) -> ApiError:
    """Return the error for an event of which nobody knows whether it was stored. error: UNAVAILABLE."""
    message = "Temporarily unavailable. The event may have been accepted: if it is sent again, it may arrive twice."
    return ApiError(503, message, retry_after=max(error.retry_after, 1))


def answers(handler: RequestHandler) -> RequestHandler:
    """Return the handler with its errors answered in this API's format, and the headers of limits on every answer."""

    @functools.wraps(handler)
    async def answering(request: web.Request) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException:
            raise
        except Exception as error:  # of our own, too: their text is only logged
            response = _reply(request, error)
        limits.show(request, response)
        return response

    return answering


def unanswered(status: int) -> web.Response:
    """Return the response for a status that no handler answered."""
    phrase = HTTPStatus(status).phrase
    return _error(status, phrase)


def message_of(error: ClarionError) -> str:
    """Return the sentence of a typed error."""
    if error.limit is not None and error.limit.window_s:
        return _rate_in_words(error)
    named = [f"{_field_name(field)} {description}" for field, description in error.fields]
    return _FIXED_MESSAGES.get(error.code) or "; ".join(named) or error.detail


def _reply(request: web.Request, error: Exception) -> web.Response:
    if isinstance(error, ApiError):
        note_status(request, error.status, error.message)
        return _error(error.status, error.message, retry_after=error.retry_after)
    if isinstance(error, BodyError):
        note_status(request, error.status, error.detail)
        return _error(error.status, error.detail)
    if not isinstance(error, ClarionError):
        log.error("request_failed", dialect="sendmator", exc_info=error)
        error = ClarionError(Code.INTERNAL, "")
    note(request, error)
    if error.limit is not None:
        limits.note(request, [error.limit])
    return _typed(error)


def _typed(error: ClarionError) -> web.Response:
    status = _STATUSES[error.code]
    retry_after = max(error.retry_after, 1) if status in (429, 503) else 0
    return _error(status, message_of(error), retry_after=retry_after)


def _error(status: int, message: str, *, retry_after: int = 0) -> web.Response:
    body = {"statusCode": status, "message": message, "error": HTTPStatus(status).phrase}
    return json_reply(body, status=status, headers={"Retry-After": str(retry_after)} if retry_after else {})


def _rate_in_words(error: ClarionError) -> str:
    assert error.limit is not None  # noqa: S101 - for the type checker
    window = _WINDOWS.get(error.limit.window_s, f"{error.limit.window_s} s")
    return f"Too many requests: at most {error.limit.bound} per {window}. Try again in {max(error.retry_after, 1)} s."


def _field_name(field: str) -> str:
    short = _LEVELS.sub("", field)
    return _FIELD_NAMES.get(short, short)
