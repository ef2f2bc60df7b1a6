"""Time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import micros_of


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_no_microsecond_is_lost(micros: int) -> None:
    """What PostgreSQL kept to the microsecond is told to the microsecond."""
    assert micros_of(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)) == micros
