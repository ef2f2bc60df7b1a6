"""The since and until parameters of lists."""

import pytest

from runtime.errors import ClarionError
from services.ingest.event_ids import lowest_id
from services.ingest.time_range import check_time_range


@pytest.mark.parametrize("period", [(0, 0), (5, 0), (0, -5), (-5, 5), (-7, -5), (5, 5)])
def test_a_period_that_can_be(period: tuple[int, int]) -> None:
    """Two bounds, one or none are valid, before 1970 too."""
    check_time_range(*period)


@pytest.mark.parametrize("period", [(6, 5), (5, -5), (-5, -7)])
def test_one_that_ends_before_it_begins(period: tuple[int, int]) -> None:
    """It is refused, because an empty list would look as if there were no events."""
    with pytest.raises(ClarionError, match="since must not be later than until"):
        check_time_range(*period)


def test_ids_before_1970() -> None:
    """A replay from before 1970 begins with the first event."""
    assert lowest_id(-1) == lowest_id(-(10**15)) == lowest_id(0) == "00000000-0000-0000-0000-000000000000"
    assert lowest_id(1_000) > lowest_id(0)
