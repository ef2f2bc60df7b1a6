"""What the store returns to the servicer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Erased:
    """The number of rows of each kind that an erasure changed."""

    events: int
    payloads: int
    attempts: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class ErasurePage:
    """Events to erase. shared: those of them with other recipients, too. deliveries: the person's, of these."""

    events: list[str]
    shared: list[str]
    deliveries: list[str]
