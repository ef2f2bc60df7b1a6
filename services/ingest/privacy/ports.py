"""What crosses between the store and the servicer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of each kind an erasure touched."""

    events: int
    payloads: int
    attempts: int
    dead_letters: int
