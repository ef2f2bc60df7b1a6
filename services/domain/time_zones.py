"""The names of time zones: those of the tz database that is installed with Clarion, the same on every machine."""

import functools


def is_time_zone(name: str) -> bool:
    """Return whether this is an IANA name, such as "Africa/Nairobi"."""
    return name in _names()


@functools.cache
def _names() -> frozenset[str]:
    from importlib import resources  # most installations never need it

    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())
