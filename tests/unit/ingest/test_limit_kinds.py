"""One numbering of limits: in Python, on the wire, and in SQL."""

from clarion.common.v1 import error_pb2
from services.ingest.ports import LimitKind


def test_the_kinds_are_those_of_the_wire() -> None:
    """Each has the number of its namesake; only the one for "none" is left out."""
    wire = {name.removeprefix("LIMIT_KIND_"): number for name, number in error_pb2.LimitKind.items()}
    del wire["UNSPECIFIED"]
    assert {kind.name: kind.value for kind in LimitKind} == wire
