"""Names of time zones."""

import pytest

from services.domain.time_zones import is_time_zone


@pytest.mark.parametrize("name", ["Africa/Nairobi", "Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"])
def test_a_name(name: str) -> None:
    """Those of the tz database, links among them."""
    assert is_time_zone(name)


@pytest.mark.parametrize(
    "name", ["", "Berlin", "europe/berlin", "+03:00", "../zones", "Europe/Berlin\n", "Etc/Nothing"]
)
def test_no_name(name: str) -> None:
    """Neither an offset, nor another spelling, nor a path."""
    assert not is_time_zone(name)
