"""The rules of one-time codes: pure."""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clarion.router.v1 import codes_pb2
from runtime.errors import ClarionError, Code
from services.domain.checks import check_id, invalid
from services.domain.code_subjects import MAX_SUBJECT

# The least, the most, and what is meant by 0.
DIGITS, TTL_S, ATTEMPTS, RESEND_S = (4, 10, 6), (30, 3600, 600), (1, 10, 5), (1, 3600, 30)
MAX_SCOPE, MAX_MEMO_BYTES = 255, 4096
MAX_TOKEN, MAX_CODE = 255, 64
# Further codes of one session.
MAX_RENEWALS = 5
# Sessions that are made for one subject within an hour. Each allows some guesses, so their number is what protects it.
MAX_PER_HOUR = 30


@dataclass(frozen=True, slots=True)
class NewCode:
    """A session to be made, with all that the caller left open. Times in seconds."""

    tenant_id: str
    scope: str
    subject: str
    digits: int
    ttl_s: int
    max_attempts: int
    resend_after_s: int
    memo: bytes


def new_code(request: codes_pb2.CreateCodeRequest) -> NewCode:
    """Return what a caller wants. Raises INVALID."""
    check_id("tenant_id", request.tenant_id)
    if not 1 <= len(request.subject) <= MAX_SUBJECT or not request.subject.isprintable():
        raise invalid("subject", f"must have 1 to {MAX_SUBJECT} printable characters")
    if len(request.scope) > MAX_SCOPE or not request.scope.isprintable():
        raise invalid("scope", f"must have at most {MAX_SCOPE} printable characters")
    if len(request.memo) > MAX_MEMO_BYTES:
        raise invalid("memo", f"must have at most {MAX_MEMO_BYTES:,} bytes")
    return NewCode(
        request.tenant_id,
        request.scope,
        request.subject,
        _within("digits", request.digits, DIGITS),
        _within("ttl_s", request.ttl_s, TTL_S),
        _within("max_attempts", request.max_attempts, ATTEMPTS),
        _within("resend_after_s", request.resend_after_s, RESEND_S),
        request.memo,
    )


def check_token(request: codes_pb2.RenewCodeRequest | codes_pb2.CheckCodeRequest) -> None:
    """Check that a request names a session. Raises INVALID."""
    check_id("tenant_id", request.tenant_id)
    if not 1 <= len(request.session_token) <= MAX_TOKEN:
        raise invalid("session_token", f"must have 1 to {MAX_TOKEN} characters")


def check_code(code: str) -> None:
    """Check that a code may be one. Raises INVALID."""
    if not 1 <= len(code) <= MAX_CODE:
        raise invalid("code", f"must have 1 to {MAX_CODE} characters")


def random_code(digits: int) -> str:
    """Return a code that nobody can guess."""
    return f"{secrets.randbelow(10**digits):0{digits}}"


def too_many(until_s: float) -> ClarionError:
    """Return the error for a subject that had MAX_PER_HOUR sessions. until_s: seconds until it may have another one."""
    detail = f"{MAX_PER_HOUR} codes were made for this subject within the last hour. Try again later."
    return ClarionError(Code.LIMITED, detail, retry_after=_seconds(until_s))


def renewal_refused(session: Mapping[str, Any]) -> ClarionError | None:
    """Return why a session gets no other code; None: it gets one. session: a row of the query of this name."""
    if session["is_verified"] or session["is_expired"] or session["attempts_left"] <= 0:
        return ClarionError(Code.NOT_FOUND, "The session has ended. Make a new one.")
    if session["renewals"] >= MAX_RENEWALS:
        return ClarionError(Code.CONFLICT, f"The session has had {MAX_RENEWALS} further codes. Make a new session.")
    return too_early(session["wait_s"]) if session["wait_s"] > 0 else None


def too_early(wait_s: float) -> ClarionError:
    """Return the error for a code that was made a moment ago. wait_s: seconds until there may be another one."""
    seconds = _seconds(wait_s)
    detail = f"A code was made a moment ago. Try again in {seconds} s."
    return ClarionError(Code.CONFLICT, detail, retry_after=seconds)


def outcome_of_closed(session: Mapping[str, Any]) -> codes_pb2.CodeOutcome.ValueType:
    """Return the outcome of an attempt with a session that is not open. session: a row of the query of this name."""
    if session["is_verified"]:
        return codes_pb2.CODE_OUTCOME_USED
    if session["attempts_left"] <= 0:
        return codes_pb2.CODE_OUTCOME_LOCKED
    return codes_pb2.CODE_OUTCOME_EXPIRED


def _within(field: str, value: int, bounds: tuple[int, int, int]) -> int:
    least, most, default = bounds
    if value and not least <= value <= most:
        raise invalid(field, f"must be from {least:,} to {most:,}")
    return value or default


def _seconds(seconds: float) -> int:
    return max(1, math.ceil(seconds))
