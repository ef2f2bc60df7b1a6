"""What share of its budget a tenant has while the streams fill."""

import pytest

from services.ingest.pressure import LEAST_SHARE, Pressure, share_of


@pytest.mark.parametrize(
    ("fill", "share"), [(0.0, 1.0), (0.5, 1.0), (0.7, 0.5), (0.9, LEAST_SHARE), (1.5, LEAST_SHARE)]
)
def test_the_share_shrinks_as_a_stream_fills(fill: float, share: float) -> None:
    """Whole until it is half full, and never nothing: a tenant with little unfinished is still let in."""
    assert share_of(fill) == pytest.approx(share)


def test_the_fullest_stream_decides() -> None:
    """Each is as it was seen last; one without a bound does not count."""
    pressure = Pressure()
    assert pressure.share == 1
    pressure.record("EVENTS", 10, 100)
    pressure.record("TIMERS", 70, 100)
    pressure.record("TRACE", 1000, 0)
    assert pressure.share == pytest.approx(0.5)
    pressure.record("TIMERS", 10, 100)
    assert pressure.share == 1
