"""What a caller is told of a limit that is reached."""

import pytest

from clarion.common.v1 import error_pb2
from runtime.errors import Code
from services.ingest.ports import KEY_SCOPE, LimitKind, LimitState, Reached
from services.ingest.refusals import QUOTA_RETRY_AFTER_S, refusal, state_of


@pytest.mark.parametrize(
    ("reached", "limit", "says", "retry_after"),
    [
        (
            Reached(LimitKind.SLIDING, 1000, 45, window_s=60),
            error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_SLIDING, window_s=60, bound=1000, reset_s=45),
            "Too many events: the limit is 1,000 in a minute. Send it again later.",
            45,
        ),
        (
            Reached(LimitKind.FIXED, 5, window_s=86_400),
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
            (
                "This tenant's events that are still being delivered take too much space: more than 256 MiB."
                " Try again when some of them are delivered."
            ),
            QUOTA_RETRY_AFTER_S,
        ),
        (
            Reached(LimitKind.SLIDING, 7, 3, scope="live", window_s=30, remaining=2),
            error_pb2.LimitState(
                kind=error_pb2.LIMIT_KIND_SLIDING, scope="live", window_s=30, bound=7, remaining=2, reset_s=3
            ),
            "Too many events of the scope live: the limit is 7 in 30 seconds. Send it again later.",
            3,
        ),
        (
            Reached(LimitKind.SCHEDULED, 9),
            error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_SCHEDULED, bound=9),
            "Too many events of this tenant wait for their time. Cancel some, or send this one later.",
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


@pytest.mark.parametrize("kind", LimitKind)
def test_what_is_left(kind: LimitKind) -> None:
    """Every field of a rate arrives, and each kind has its name on the wire."""
    told = state_of(LimitState(kind, "live", 60, 100, 41, 7))
    assert error_pb2.LimitKind.Name(told.kind) == f"LIMIT_KIND_{kind.name}"
    assert (told.scope, told.window_s, told.bound, told.remaining, told.reset_s) == ("live", 60, 100, 41, 7)


def test_a_limit_of_a_key_names_the_key() -> None:
    """In place of a scope."""
    key_id = "0192d3a4-0000-7000-8000-000000000001"
    reached = Reached(LimitKind.SLIDING, 5, 9, scope=KEY_SCOPE + key_id, window_s=60)
    error = refusal(reached)
    assert error.limit is not None
    assert (error.limit.key_id, error.limit.scope, error.code) == (key_id, "", Code.LIMITED)
    assert error.detail == "Too many events with this key: the limit is 5 in a minute. Send it again later."
    state = state_of(LimitState(LimitKind.SLIDING, KEY_SCOPE + key_id, 60, 5, 4, 9))
    assert (state.key_id, state.scope) == (key_id, "")
