"""The typed error crosses gRPC."""

import pytest

from clarion.common.v1 import error_pb2
from runtime.errors import ClarionError, Code


@pytest.mark.parametrize("code", Code, ids=lambda code: code.name)
def test_round_trip(code: Code) -> None:
    """Every field arrives."""
    limit = error_pb2.LimitState(window_s=60, bound=5)
    sent = ClarionError(code, "No.", fields=[("a", "is wrong")], retry_after=3, limit=limit)
    came = ClarionError.from_proto(sent.to_proto())
    assert (came.code, came.detail, came.fields, came.retry_after) == (code, "No.", (("a", "is wrong"),), 3)
    assert came.limit == limit
    assert ClarionError.from_proto(ClarionError(code, "No.").to_proto()).limit is None


@pytest.mark.parametrize("number", [0, 99], ids=["none", "a later version's"])
def test_an_unknown_code_is_internal(number: int) -> None:
    """A newer service may have more codes; one unknown code must not make the whole answer unreadable."""
    wire = error_pb2.Error(detail="Something new.")
    wire.MergeFromString(b"\x08" + bytes([number]))
    came = ClarionError.from_proto(wire)
    assert (came.code, came.detail) == (Code.INTERNAL, "Something new.")
