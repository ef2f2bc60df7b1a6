"""How long each part's end was felt: a table of seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recovery:
    """Seconds from a part's kill, or from its return after an absence; healthy: of a kill, until it was well again."""

    part: str
    healthy_s: float
    first_s: float
    all_s: float


class Recoveries:
    """The recoveries of a run, in their order."""

    def __init__(self) -> None:
        self._found: list[Recovery] = []

    def add(self, part: str, healthy_s: float, first_s: float, all_s: float) -> None:
        """Note one."""
        self._found.append(Recovery(part, healthy_s, first_s, all_s))

    def __bool__(self) -> bool:
        return bool(self._found)

    def __str__(self) -> str:
        rows = [f"| {one.part} | {one.healthy_s:.1f} | {one.first_s:.1f} | {one.all_s:.1f} |" for one in self._found]
        head = "| part | healthy again, s | next delivery, s | everything accepted delivered, s |\n|---|---|---|---|"
        return "\n".join([head, *rows])
