"""Judges the neighbour: its figures before, during and after an attack, against the limits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.figures import percentile
from checks.siege.neighbour import Seen, Sent
from checks.siege.records import Records

# The neighbour's 95th percentile during an attack may be this many times the one before, and so many seconds more.
SLOWER = 3.0
FLOOR_S = 0.15


@dataclass(frozen=True)
class Phase:
    """The neighbour's figures in one period, in milliseconds from the time when each event was due."""

    name: str
    sent: int
    accept: tuple[float, float]
    end_to_end: tuple[float, float]
    page: tuple[float, float]
    # By status, or by what the client met where there was none; those excused left out.
    errors: Counter[str]
    excused: int


@dataclass(frozen=True)
class Excuses:
    """Errors that are allowed because the attack itself caused them, with start and end in Unix seconds.

    slow: events are accepted, but wait. repeats: deliveries that may be made twice, as after a kill of the broker.
    """

    errors: Sequence[tuple[float, float]] = ()
    slow: Sequence[tuple[float, float]] = ()
    repeats: int = 0


@dataclass
class Verdict:
    """The verdict. recovery_s: from the end of the attack until the neighbour's last bad event."""

    phases: list[Phase]
    recovery_s: float
    missing: int
    repeated: int
    faults: list[str] = field(default_factory=list)


def judge(
    seen: Seen,
    records: Records,
    channels: list[str],
    marks: Sequence[tuple[str, float, float]],
    excuses: Excuses,
) -> Verdict:
    """Return the verdict. marks: before, during and after, as name, start and end in Unix seconds."""
    phases = [_phase(name, start, end, seen, records, excuses.errors) for name, start, end in marks]
    before, during, after = phases
    accepted = {one.id for one in seen.sent if one.status == 200}
    verdict = Verdict(
        phases,
        _recovery(seen, records, marks[1][2], before),
        records.missing(accepted, channels),
        records.repeated(),
    )
    for phase in (during, after):
        if phase.errors:
            verdict.faults.append(f"{phase.name}: the neighbour met {_counted(phase.errors)}")
    # As above, but without what is excused.
    name, start, end = marks[1]
    accept = _phase(name, start, end, _without(seen, excuses.errors), records, ()).accept
    end_to_end = _phase(name, start, end, _without(seen, [*excuses.errors, *excuses.slow]), records, ()).end_to_end
    for what, was, became in (
        ("accept", before.accept[1], accept[1]),
        ("end to end", before.end_to_end[1], end_to_end[1]),
    ):
        if became > SLOWER * was + FLOOR_S * 1000:
            verdict.faults.append(f"the neighbour's p95 ({what}) went from {was:.0f} to {became:.0f} ms")
    if verdict.missing:
        verdict.faults.append(f"{verdict.missing} deliveries of the neighbour's accepted events are missing")
    if verdict.repeated > excuses.repeats:
        verdict.faults.append(f"{verdict.repeated} of the neighbour's deliveries were made twice")
    return verdict


def _without(seen: Seen, windows: Sequence[tuple[float, float]]) -> Seen:
    kept = [one for one in seen.sent if not any(since <= one.due <= until for since, until in windows)]
    return Seen(sent=kept, page=seen.page, page_connections=seen.page_connections)


def _phase(
    name: str, start: float, end: float, seen: Seen, records: Records, excused: Sequence[tuple[float, float]]
) -> Phase:
    sent = [one for one in seen.sent if start <= one.due < end]
    good = [one for one in sent if one.status == 200]
    bad = [one for one in sent if one.status != 200]
    ours = [one for one in bad if any(since <= one.due <= until for since, until in excused)]
    sms = records.first["SMS"]
    return Phase(
        name,
        len(sent),
        _percentiles([one.answered - one.due for one in good]),
        _percentiles([sms[one.id] - one.due for one in good if one.id in sms]),
        _percentiles([seen.page[one.id] - one.due for one in good if one.id in seen.page]),
        Counter(str(one.status) if one.status else one.error for one in bad if one not in ours),
        len(ours),
    )


def _recovery(seen: Seen, records: Records, over: float, before: Phase) -> float:
    """Return the seconds from `over` until the due time of the last refused or slow event."""
    slow = SLOWER * before.end_to_end[1] / 1000 + FLOOR_S

    def bad(one: Sent) -> bool:
        return one.status != 200 or records.first["SMS"].get(one.id, float("inf")) - one.due > slow

    return max((one.due - over for one in seen.sent if one.due >= over and bad(one)), default=0.0)


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    ordered = sorted(seconds)
    return percentile(ordered, 0.5) * 1000, percentile(ordered, 0.95) * 1000


def _counted(errors: Counter[str]) -> str:
    return ", ".join(f"{number} times {name}" for name, number in errors.most_common())
