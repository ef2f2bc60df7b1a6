"""What the overview shows, from counts by time, channel, status and reason: pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from clarion.common.v1 import trace_pb2
from services.domain import statuses

SLOT_S = 300
SLOTS_OF_HOUR, SLOTS_OF_DAY = 12, 288
# Sums are kept of days; also of hours for ten days, and of five minutes for two, each until the end of that day.
FINE_S, HOURLY_S = 2 * 86_400, 10 * 86_400
# Steps of a chart, seconds; the shortest one that gives at most MAX_STEPS is taken.
STEPS_S = (300, 600, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800)
MAX_STEPS = 100
# Sums of one tenant each that an overview reads, by time; those of days it reads all the same. Each has a row for each
# channel and status or reason that occurred.
MAX_SUMS = 6000
# Reasons of failures and of skips that are returned, the most frequent first.
MAX_REASONS = 10

# What the counts of statuses have for class, and the channel and status of those of accepted events.
NO_CLASS = -1
_EVENTS = (0, 0)
# Classes of a duration for each doubling: see ingest.duration_class.
_CLASSES = 4

K = TypeVar("K")


class Count(NamedTuple):
    """A row of counts. slot: the beginning of its step. class_: of a duration; NO_CLASS: of a status."""

    slot: int
    channel: int
    status: int
    reason: str
    class_: int
    n: int


class Span(NamedTuple):
    """A range of slots, in steps of so many slots."""

    first: int
    end: int
    step: int


@dataclass(slots=True)
class Durations:
    """How many messages took how long, by the class of their duration."""

    by_class: dict[int, int] = field(default_factory=dict)

    def add(self, class_: int, n: int) -> None:
        """Add n messages of a class."""
        self.by_class[class_] = self.by_class.get(class_, 0) + n

    @property
    def count(self) -> int:
        """The number of messages."""
        return sum(self.by_class.values())

    def quantile_ms(self, share: float) -> float:
        """Return below what so many of them stay, in milliseconds; 0 without messages.

        Within a class, which is 19 % wide, they are taken to be spread evenly.
        """
        left = share * self.count
        for class_, n in sorted(self.by_class.items()):
            if left <= n:
                low = 0.0 if class_ == 0 else 2.0 ** (class_ / _CLASSES)
                high = 2.0 ** ((class_ + 1) / _CLASSES)
                return float(low + (high - low) * (left / n if n else 0.0))
            left -= n
        return 0.0


@dataclass(slots=True)
class Overview:
    """The counts of a span.

    events: accepted, by the slot of the step. statuses: by slot, channel and status. durations: by slot; by_channel: of
    the whole span. reasons: by status, channel and reason, of the whole span.
    """

    events: dict[int, int] = field(default_factory=dict)
    statuses: dict[tuple[int, int, int], int] = field(default_factory=dict)
    durations: dict[int, Durations] = field(default_factory=dict)
    by_channel: dict[int, Durations] = field(default_factory=dict)
    reasons: dict[tuple[int, int, str], int] = field(default_factory=dict)

    def total(self) -> Durations:
        """Return the durations of the whole span, on all channels."""
        whole = Durations()
        for one in self.by_channel.values():
            for class_, n in one.by_class.items():
                whole.add(class_, n)
        return whole

    def top_reasons(self) -> list[tuple[int, int, str, int]]:
        """Return (status, channel, reason, count): the most frequent of failures and retries, then of skips."""
        ranked = sorted(
            ((*key, n) for key, n in self.reasons.items() if n > 0 and key[2]), key=lambda one: (-one[3], one[:3])
        )
        skipped = trace_pb2.DELIVERY_STATUS_SKIPPED
        failed = [one for one in ranked if one[0] != skipped]
        return failed[:MAX_REASONS] + [one for one in ranked if one[0] == skipped][:MAX_REASONS]


def slots_of_sums(step: int) -> int:
    """Return of how many slots each the sums are from which steps of so many slots are read."""
    return next(slots for slots in (SLOTS_OF_DAY, SLOTS_OF_HOUR, 1) if step % slots == 0)


def span_of(since_us: int, until_us: int, now_us: int, tenants: int = 1) -> Span:
    """Return whole steps that contain the time from since to until; both in Unix microseconds.

    tenants: how many are read; the more they are, the longer are the steps.
    """
    since_s, until_s = since_us // 1_000_000, -(-until_us // 1_000_000)
    age_s = now_us // 1_000_000 - since_s
    sums = (until_s - since_s) / SLOT_S * tenants
    if age_s <= FINE_S and sums <= MAX_SUMS:
        least = 1
    else:
        least = SLOTS_OF_HOUR if age_s <= HOURLY_S and sums / SLOTS_OF_HOUR <= MAX_SUMS else SLOTS_OF_DAY
    fitting = [step for step in STEPS_S if step >= least * SLOT_S and (until_s - since_s) / step <= MAX_STEPS]
    step_s = fitting[0] if fitting else -(-(until_s - since_s) // MAX_STEPS // STEPS_S[-1] + 1) * STEPS_S[-1]
    first = since_s - since_s % step_s
    end = max(until_s + -until_s % step_s, first + step_s)
    return Span(first // SLOT_S, end // SLOT_S, step_s // SLOT_S)


def fold(rows: Iterable[Count]) -> Overview:
    """Return the counts by what a chart or a table shows."""
    found = Overview()
    for row in rows:
        if row.class_ != NO_CLASS:
            found.durations.setdefault(row.slot, Durations()).add(row.class_, row.n)
            found.by_channel.setdefault(row.channel, Durations()).add(row.class_, row.n)
        elif (row.channel, row.status) == _EVENTS:
            found.events[row.slot] = found.events.get(row.slot, 0) + row.n
        else:
            _add(found.statuses, (row.slot, row.channel, row.status), row.n)
            if row.reason and _is_trouble(row.status):
                _add(found.reasons, (row.status, row.channel, row.reason), row.n)
    return found


def _is_trouble(status: int) -> bool:
    known = statuses.BY_NUMBER.get(trace_pb2.DeliveryStatus.ValueType(status))
    return known is None or known.outcome != statuses.OK


def _add(counts: dict[K, int], key: K, n: int) -> None:
    counts[key] = counts.get(key, 0) + n
