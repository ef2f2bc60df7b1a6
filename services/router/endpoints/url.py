"""Checks the addresses of endpoints when they are written: pure, and without looking names up."""

from runtime.egress import AddressNotAllowed, EgressGuard, urls

MAX_URL = 2_048


class InvalidUrl(ValueError):
    """An address that is not stored. str() goes on after the field's name: "must not have a fragment (#…)"."""


def check_url(url: str, guard: EgressGuard) -> None:
    """Raise InvalidUrl for an address that is not to be stored. It is read by the code that senders connect by.

    A name's addresses are not known yet: they are checked at each connection.
    """
    if len(url) > MAX_URL:
        raise InvalidUrl(f"must be at most {MAX_URL:,} characters")
    if "#" in url:
        raise InvalidUrl("must not have a fragment (#…)")
    try:
        address = urls.read(url)
        guard.check_host(address.host, address.port)
    except AddressNotAllowed as error:
        raise InvalidUrl(f"is not allowed: {error}") from error
