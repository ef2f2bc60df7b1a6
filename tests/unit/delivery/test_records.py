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


def test_nothing_of_a_secret_is_kept() -> None:
    """Neither what a provider answered, which repeats the text, nor the body in a dead letter."""
    text = "Your code is 482913"
    delivery = event_pb2.Delivery(id="d", is_secret=True, variables=text.encode(), payload_extra=text.encode())
    delivery.direct.sender_name = "Acorn"
    delivery.direct.content_given.body = text
    exchange = trace_pb2.HttpExchange(url="https://sms.example", status=201, body=text.encode())
    result = SendResult(Verdict.TRANSIENT, "twilio", http=exchange)
    times = records.AttemptTimes(1, 2, 3)
    record = records.attempted(delivery, result, trace_pb2.DELIVERY_STATUS_DEAD, times)
    record.attempted.dead_letter.CopyFrom(records.dead_letter(delivery))
    assert b"482913" not in record.SerializeToString()
    assert (record.attempted.http.status, record.attempted.dead_letter.direct.sender_name) == (201, "Acorn")
    # It does not look like a delivery whose body is empty.
    assert record.attempted.dead_letter.body_reference.size > len(text)
    assert b"482913" not in records.crashed(delivery, KeyError(), 1).SerializeToString()
    assert b"482913" not in records.backlog_full(delivery, 1).SerializeToString()
    assert b"482913" in delivery.SerializeToString()  # a retry still needs it


@pytest.mark.parametrize("detail", ["", "550 5.1.1 <ada@example.org>: größer ≥ 5"])
def test_what_is_fit_to_be_shown_stays(detail: str) -> None:
    """As it came."""
    assert _attempted(SendResult(Verdict.PERMANENT, "smtp", "recipient_refused", detail)).detail == detail
