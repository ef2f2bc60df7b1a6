"""What a caller is told of a limit that is reached."""

import pytest

from clarion.common.v1 import error_pb2
from runtime.errors import Code
from services.ingest.ports import LimitKind, Reached
from services.ingest.refusals import QUOTA_RETRY_AFTER_S, refusal


@pytest.mark.parametrize(
    ("reached", "limit", "says", "retry_after"),
    [
        (
            Reached(LimitKind.MINUTE, 1000, 45),
            error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_SLIDING, window_s=60, bound=1000, reset_s=45),
            "Too many events: the limit is 1,000 in a minute. Send it again later.",
            45,
        ),
        (
            Reached(LimitKind.DAY, 5),
            error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_FIXED, window_s=86_400, bound=5),
            "Too many events: the limit is 5 in a day. Send it again later.",
            1,
        ),
        (
            Reached(LimitKind.UNFINISHED, 100),
            error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_UNFINISHED, bound=100),
            "Too many events of this tenant are still being delivered.",
            QUOTA_RETRY_AFTER_S,
        ),
        (
            Reached(LimitKind.BYTES, 256 * 2**20),
            error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_BYTES, bound=256 * 2**20),
            "This tenant's events that are still being delivered take too much space: more than 256 MiB."
            " Try again when some of them are delivered.",
            QUOTA_RETRY_AFTER_S,
        ),
        (
            None,
            error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_UNFINISHED),
            "Too many events of this tenant are still being delivered.",
            QUOTA_RETRY_AFTER_S,
        ),
    ],
)
def test_a_refusal(reached: Reached | None, limit: error_pb2.LimitState, says: str, retry_after: int) -> None:
    """Which limit, in words and for programs, and when to come back."""
    error = refusal(reached)
    assert (error.code, error.detail, error.retry_after) == (Code.LIMITED, says, retry_after)
    assert error.limit == limit
