"""Tells callers of their tenant's limits, and words refusals: pure. A dialect may have other words."""

from typing import cast

from clarion.common.v1 import error_pb2
from runtime.errors import ClarionError, Code
from services.ingest.ports import KEY_SCOPE, LimitKind, LimitState, Reached

# Retry-After for a tenant whose quota of unfinished events is used up, seconds.
QUOTA_RETRY_AFTER_S = 5

_WINDOWS = {60: "a minute", 3_600: "an hour", 86_400: "a day"}


def refusal(reached: Reached | None) -> ClarionError:
    """Return LIMITED, with the limit that is reached. None: it is not known which; that of unfinished events."""
    told = reached or Reached(LimitKind.UNFINISHED)
    limit = error_pb2.LimitState(
        kind=_number(told.kind),
        scope=_scope(told.scope),
        key_id=_key_id(told.scope),
        window_s=told.window_s,
        bound=told.bound,
        remaining=told.remaining,
        reset_s=told.retry_after,
    )
    retry_after = max(1, told.retry_after) if told.window_s else QUOTA_RETRY_AFTER_S
    return ClarionError(Code.LIMITED, _in_words(limit), retry_after=retry_after, limit=limit)


def state_of(rate: LimitState) -> error_pb2.LimitState:
    """Return the state of a rate, as callers see it."""
    return error_pb2.LimitState(
        kind=_number(rate.kind),
        scope=_scope(rate.scope),
        key_id=_key_id(rate.scope),
        window_s=rate.window_s,
        bound=rate.bound,
        remaining=rate.remaining,
        reset_s=rate.reset_s,
    )


def _scope(scope: str) -> str:
    return "" if scope.startswith(KEY_SCOPE) else scope


def _key_id(scope: str) -> str:
    return scope.removeprefix(KEY_SCOPE) if scope.startswith(KEY_SCOPE) else ""


def _number(kind: LimitKind) -> "error_pb2.LimitKind.ValueType":
    return cast("error_pb2.LimitKind.ValueType", kind.value)  # LimitKind has its numbers


def _in_words(limit: error_pb2.LimitState) -> str:
    if limit.window_s:
        window = _WINDOWS.get(limit.window_s, f"{limit.window_s:,} seconds")
        whose = f" of the scope {limit.scope}" if limit.scope else " with this key" if limit.key_id else ""
        return f"Too many events{whose}: the limit is {limit.bound:,} in {window}. Send it again later."
    if limit.kind == error_pb2.LIMIT_KIND_BYTES:
        return (
            "This tenant's events that are still being delivered take too much space:"
            f" more than {limit.bound // 2**20} MiB. Try again when some of them are delivered."
        )
    if limit.kind == error_pb2.LIMIT_KIND_SCHEDULED:
        return "Too many events of this tenant wait for their time. Cancel some, or send this one later."
    return "Too many events of this tenant are still being delivered."
