"""Formats the results: a few lines after each attack, and a table of all at the end."""

from collections.abc import Sequence

from checks.siege.scene import mib
from checks.siege.siege import Result
from checks.siege.verdict import Phase

_HEAD = (
    "| attack | p50 / p95 of accepts, ms: before, during, after | end to end, ms | errors during, after"
    " | most memory of its limit | recovery | |"
)


def lines(result: Result) -> str:
    """Return the lines for one attack."""
    sign = "✗" if result.faults else "✓"
    told = [f"{sign} {result.attack.name}: {result.attack.title}"]
    told += [f"    {note}" for note in result.notes]
    for phase in result.verdict.phases:
        told.append(
            f"    neighbour {phase.name}: {phase.sent} events, accept {_pair(phase.accept)} ms, end to end"
            f" {_pair(phase.end_to_end)} ms, page {_pair(phase.page)} ms, errors {_errors(phase)}"
        )
    if result.verdict.repeated:
        told.append(f"    {result.verdict.repeated} of the neighbour's deliveries were made twice")
    charged = ", ".join(f"{one.name} {mib(one.charged)}" for one in result.memory if one.charged)
    told.append(f"    most memory: {_memory(result)}{f'; with page cache {charged}' if charged else ''}")
    told += [f"    FAILED: {fault}" for fault in result.faults]
    return "\n".join(told)


def table(results: Sequence[Result]) -> str:
    """Return a row for each attack, in Markdown."""
    return "\n".join([_HEAD, "|---|---|---|---|---|---|---|", *map(_row, results)])


def _row(result: Result) -> str:
    phases = result.verdict.phases
    cells = [
        result.attack.name,
        ", ".join(_pair(phase.accept) for phase in phases),
        ", ".join(_pair(phase.end_to_end) for phase in phases),
        ", ".join(_errors(phase) for phase in phases[1:]),
        _memory(result),
        f"{result.verdict.recovery_s:.1f} s",
        "failed" if result.faults else "passed",
    ]
    return f"| {' | '.join(cells)} |"


def _pair(figures: tuple[float, float]) -> str:
    return f"{figures[0]:.0f} / {figures[1]:.0f}"


def _errors(phase: Phase) -> str:
    counted = " ".join(f"{number}x{name}" for name, number in phase.errors.most_common())
    excused = f"({phase.excused} excused)" if phase.excused else ""
    return f"{counted} {excused}".strip() or "0"


def _memory(result: Result) -> str:
    return ", ".join(f"{one.name} {mib(one.most)} of {mib(one.limit) if one.limit else '-'}" for one in result.memory)
