"""What handlers note on a request while they answer it: who sent it, and why it is refused."""

import re
from dataclasses import dataclass

from aiohttp import web

from runtime.errors import ClarionError, Code
from runtime.masking import masked
from services.domain.refused import Refused

MAX_FIELDS = 20
_MAX_FIELD = 64
_MAX_DETAIL = 300
# A text as short as this may be a password that somebody took for a key: nothing of it is shown.
_SHORT = 24
# What keys of many products begin with, such as "key_live_". Only letters, so that no part of a secret is taken for it.
_PREFIX = re.compile(r"(?:[a-z]{1,8}_){1,2}")

_BY_CODE = {
    Code.INVALID: Refused.INVALID,
    Code.FORBIDDEN: Refused.FORBIDDEN,
    Code.NOT_FOUND: Refused.NOT_FOUND,
    Code.CONFLICT: Refused.CONFLICT,
    Code.OVERLOADED: Refused.OVERLOADED,
}
_BY_STATUS = {
    400: Refused.MALFORMED,
    403: Refused.FORBIDDEN,
    404: Refused.NOT_FOUND,
    405: Refused.METHOD_NOT_ALLOWED,
    408: Refused.TOO_SLOW,
    409: Refused.CONFLICT,
    413: Refused.TOO_LARGE,
    415: Refused.UNSUPPORTED_MEDIA_TYPE,
    422: Refused.INVALID,
    503: Refused.OVERLOADED,
}


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """The key that a request carries. digest: its SHA-256. prefix, last4: what may be shown of it."""

    digest: bytes
    prefix: str
    last4: str

    @classmethod
    def of(cls, key: str, digest: bytes) -> "PresentedKey":
        """Return what is kept of a key."""
        if len(key) < _SHORT:
            return cls(digest, "", "")
        found = _PREFIX.match(key)
        return cls(digest, found[0] if found else "", key[-4:])


@dataclass(frozen=True, slots=True)
class Note:
    """Why a request is refused. detail: a sentence; fields: names of the wrong ones. Neither holds a value."""

    reason: Refused
    detail: str = ""
    fields: tuple[str, ...] = ()


# The key of the request, and its SHA-256; absent: it has none.
PRESENTED = web.RequestKey("presented_key", tuple)
# The tenant whose valid key the request carries.
CALLER = web.RequestKey("caller_tenant_id", str)
# What is in the place of the key cannot be one.
MALFORMED_KEY = web.RequestKey("malformed_key", bool)
_NOTE = web.RequestKey("refusal_note", Note)


def note(request: web.Request, error: ClarionError) -> None:
    """Note the error with which a request is refused."""
    fields = tuple(masked(field, _MAX_FIELD) for field, _ in error.fields[:MAX_FIELDS])
    request[_NOTE] = Note(_reason(request, error), masked(error.detail, _MAX_DETAIL), fields)


def note_status(request: web.Request, status: int, detail: str) -> None:
    """Note that a request is refused for something that only its status and a sentence tell."""
    request[_NOTE] = Note(_BY_STATUS.get(status, Refused.OTHER), masked(detail, _MAX_DETAIL))


def note_of(request: web.Request, status: int) -> Note:
    """Return why a request was answered with this status."""
    found = request.get(_NOTE)
    reason = _BY_STATUS.get(status, Refused.OTHER)
    if found is None:
        return Note(reason)
    # A dialect may have answered another status than the error's own, such as 413 for a payload that is too large.
    is_size = status in (405, 408, 413, 415)
    return Note(reason, found.detail, found.fields) if is_size else found


def _reason(request: web.Request, error: ClarionError) -> Refused:
    if error.code is Code.UNAUTHENTICATED:
        return _unauthenticated(request, error)
    if error.code is not Code.LIMITED:
        return _BY_CODE.get(error.code, Refused.OTHER)
    if error.limit is None:
        return Refused.QUOTA if CALLER in request else Refused.TOO_MANY_FAILURES
    return Refused.RATE_LIMITED if error.limit.window_s else Refused.QUOTA


def _unauthenticated(request: web.Request, error: ClarionError) -> Refused:
    if error.fields and CALLER in request:
        return Refused.SIGNATURE_WRONG
    if PRESENTED in request:
        return Refused.KEY_UNKNOWN  # ingest looks why
    if request.get(MALFORMED_KEY):
        return Refused.KEY_MALFORMED
    is_bearer = request.headers.get("Authorization", "").lower().startswith("bearer ")
    return Refused.TOKEN_INVALID if is_bearer else Refused.KEY_MISSING
