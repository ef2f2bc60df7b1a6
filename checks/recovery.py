"""A table of the seconds until recovery for each process."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recovery:
    """The seconds since a process was killed, or since it returned. healthy: until a killed one was healthy again."""

    part: str
    healthy_s: float
    first_s: float
    all_s: float


class Recoveries:
    """The recoveries of a run, in their order."""

    def __init__(self) -> None:
        self._found: list[Recovery] = []

    def add(self, part: str, healthy_s: float, first_s: float, all_s: float) -> None:
        """Add a recovery."""
        self._found.append(Recovery(part, healthy_s, first_s, all_s))

    def __bool__(self) -> bool:
        return bool(self._found)

    def __str__(self) -> str:
        rows = [f"| {one.part} | {one.healthy_s:.1f} | {one.first_s:.1f} | {one.all_s:.1f} |" for one in self._found]
        head = "| part | healthy again, s | next delivery, s | everything accepted delivered, s |\n|---|---|---|---|"
        return "\n".join([head, *rows])
