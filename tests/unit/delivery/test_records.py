"""What an attempt leaves on the timeline."""

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from services.delivery import records
from services.delivery.ports import ProviderCall, SendResult, Verdict

_HOSTILE = "550 \x1b[31mno\x00 such\r\nuser\u202e\u2028 \ud83d " + "x" * 100_000
_SHOWN = ("550 [31mno such user " + "x" * 500)[:500]


def _attempted(result: SendResult) -> trace_pb2.Attempted:
    times = records.AttemptTimes(1, 2, 3)
    status = trace_pb2.DELIVERY_STATUS_FAILED
    return records.attempted(event_pb2.Delivery(), result, status, times).attempted


def test_a_far_sides_words_are_one_bounded_line() -> None:
    """Of the last call and of the earlier ones."""
    result = SendResult(Verdict.PERMANENT, "smtp", "recipient_refused", _HOSTILE)
    assert _attempted(result).detail == _SHOWN
    last = SendResult(Verdict.SENT, "smtp", earlier=[ProviderCall(result, 1, 1)])
    [before] = records.earlier_calls(event_pb2.Delivery(), last)
    assert before.attempted.detail == _SHOWN


@pytest.mark.parametrize("detail", ["", "550 5.1.1 <ada@example.org>: größer ≥ 5"])
def test_what_is_fit_to_be_shown_stays(detail: str) -> None:
    """As it came."""
    assert _attempted(SendResult(Verdict.PERMANENT, "smtp", "recipient_refused", detail)).detail == detail
