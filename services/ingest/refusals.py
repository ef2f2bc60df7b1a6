"""Words the refusal of an event that is past a limit of its tenant: pure. A dialect may have other words."""

from clarion.common.v1 import error_pb2
from runtime.errors import ClarionError, Code
from services.ingest.ports import LimitKind, Reached

# Retry-After for a tenant whose quota of unfinished events is used up, seconds.
QUOTA_RETRY_AFTER_S = 5

_KINDS = {
    LimitKind.MINUTE: (error_pb2.LIMIT_KIND_SLIDING, 60),
    LimitKind.DAY: (error_pb2.LIMIT_KIND_FIXED, 86_400),
    LimitKind.UNFINISHED: (error_pb2.LIMIT_KIND_UNFINISHED, 0),
    LimitKind.BYTES: (error_pb2.LIMIT_KIND_BYTES, 0),
}
_WINDOWS = {60: "a minute", 3_600: "an hour", 86_400: "a day"}


def refusal(reached: Reached | None) -> ClarionError:
    """Return LIMITED, with the limit that is reached. None: it is not known which; that of unfinished events."""
    limit = state_of(reached or Reached(LimitKind.UNFINISHED))
    retry_after = max(1, limit.reset_s) if limit.window_s else QUOTA_RETRY_AFTER_S
    return ClarionError(Code.LIMITED, _in_words(limit), retry_after=retry_after, limit=limit)


def state_of(reached: Reached) -> error_pb2.LimitState:
    """Return a limit that is reached as it is told to callers."""
    kind, window_s = _KINDS[reached.kind]
    return error_pb2.LimitState(kind=kind, window_s=window_s, bound=reached.bound, reset_s=reached.retry_after)


def _in_words(limit: error_pb2.LimitState) -> str:
    if limit.window_s:
        window = _WINDOWS.get(limit.window_s, f"{limit.window_s:,} seconds")
        return f"Too many events: the limit is {limit.bound:,} in {window}. Send it again later."
    if limit.kind == error_pb2.LIMIT_KIND_BYTES:
        return (
            "This tenant's events that are still being delivered take too much space:"
            f" more than {limit.bound // 2**20} MiB. Try again when some of them are delivered."
        )
    if limit.kind == error_pb2.LIMIT_KIND_SCHEDULED:
        return "Too many events of this tenant wait for their time."
    return "Too many events of this tenant are still being delivered."
