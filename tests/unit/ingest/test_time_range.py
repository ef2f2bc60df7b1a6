"""The times between which a list is wanted."""

import pytest

from runtime.errors import ClarionError
from services.ingest.replays.clone import first_id
from services.ingest.time_range import check_time_range


@pytest.mark.parametrize("period", [(0, 0), (5, 0), (0, -5), (-5, 5), (-7, -5), (5, 5)])
def test_a_period_that_can_be(period: tuple[int, int]) -> None:
    """With two bounds, one or none; before 1970 too."""
    check_time_range(*period)


@pytest.mark.parametrize("period", [(6, 5), (5, -5), (-5, -7)])
def test_one_that_ends_before_it_begins(period: tuple[int, int]) -> None:
    """Refused: an empty list would look as if there were nothing."""
    with pytest.raises(ClarionError, match="since must not be later than until"):
        check_time_range(*period)


def test_ids_before_1970() -> None:
    """A replay from then on begins with the first event of all."""
    assert first_id(-1) == first_id(-(10**15)) == first_id(0) == "00000000-0000-0000-0000-000000000000"
    assert first_id(1_000) > first_id(0)
