"""The share of its budget that a tenant has while streams are crowded."""

import pytest

from services.ingest.pressure import LEAST_SHARE, Pressure, share_of


@pytest.mark.parametrize(
    ("fill", "share"), [(0.0, 1.0), (0.5, 1.0), (0.7, 0.5), (0.9, LEAST_SHARE), (1.5, LEAST_SHARE)]
)
def test_the_share_shrinks_as_a_stream_fills(fill: float, share: float) -> None:
    """All of it up to half full, and never nothing: a tenant with little unfinished is still admitted."""
    assert share_of(fill) == pytest.approx(share)


def test_the_fullest_stream_decides() -> None:
    """The last record of each stream counts; a stream without a bound does not."""
    pressure = Pressure()
    assert pressure.share == 1
    pressure.record("EVENTS", 10, 100)
    pressure.record("TIMERS", 70, 100)
    pressure.record("TRACE", 1000, 0)
    assert pressure.share == pytest.approx(0.5)
    pressure.record("TIMERS", 10, 100)
    assert pressure.share == 1
