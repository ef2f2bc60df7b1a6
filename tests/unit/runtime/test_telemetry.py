"""Trace ids."""

from runtime.telemetry import trace_id_from


def test_the_caller_s_trace_id_is_kept() -> None:
    """X-Trace-Id wins over traceparent."""
    headers = {"X-Trace-Id": "mine", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    assert trace_id_from(headers) == "mine"


def test_traceparent() -> None:
    """The trace part of a W3C header is taken."""
    assert trace_id_from({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}) == "a" * 32


def test_invalid_trace_ids_are_replaced() -> None:
    """Control characters are removed, the length is limited, an invalid traceparent gives a new id."""
    assert trace_id_from({"X-Trace-Id": "a\r\nb"}) == "ab"
    assert len(trace_id_from({"X-Trace-Id": "x" * 999})) == 128
    assert len(trace_id_from({"traceparent": "nonsense"})) == 32
