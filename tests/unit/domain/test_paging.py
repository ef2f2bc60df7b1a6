"""The limit parameter of lists over gRPC."""

import pytest

from runtime.errors import ClarionError, Code
from services.domain.paging import page_limit


def test_within_the_bounds_it_is_as_asked() -> None:
    """0 is the default."""
    assert [page_limit(asked) for asked in (0, 1, 50, 100)] == [50, 1, 50, 100]
    assert [page_limit(asked, default=20, largest=20) for asked in (0, 7, 20)] == [20, 7, 20]


@pytest.mark.parametrize("asked", [-1, 101, 2**31 - 1, -(2**31)])
def test_past_them_it_is_refused(asked: int) -> None:
    """It is not reduced: a caller that advances by 200 would skip every second hundred."""
    with pytest.raises(ClarionError) as caught:
        page_limit(asked)
    assert caught.value.code is Code.INVALID
    assert caught.value.fields == (("limit", "must be a whole number from 1 to 100"),)
