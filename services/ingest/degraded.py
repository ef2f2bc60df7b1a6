"""The limits while PostgreSQL is away: each process counts for itself, from the start of the outage."""

import time
from collections import Counter, deque
from collections.abc import Callable

from services.ingest.ports import Claim, LimitKind, Rate, Reached, TenantSettings
from services.ingest.pressure import Pressure

_SECOND_US = 1_000_000
# Events of the same 240th of a sliding window share an entry of the log, so a log has at most 241 entries.
_TICKS = 240

SettingsOf = Callable[[str], TenantSettings]
Clock = Callable[[], int]


def _now_us() -> int:
    return time.time_ns() // 1000


class OutageLimits:
    """Applies each tenant's limits during an outage, starting at zero.

    Without PostgreSQL the ledger finishes no event and EVENTS is not purged, so all events accepted during the outage
    count as unfinished, or as scheduled.
    """

    def __init__(self, settings_of: SettingsOf, pressure: Pressure | None = None, *, now: Clock = _now_us) -> None:
        self._settings_of = settings_of
        self._pressure = pressure or Pressure()
        self._now = now
        self._unfinished: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._scheduled: Counter[str] = Counter()
        self._windows: dict[tuple[str, str, int, LimitKind], _Window] = {}

    def take(self, claim: Claim) -> Reached | None:
        """Count one event, or return the limit that refuses it: of several, the one that ends last."""
        settings = self._settings_of(claim.tenant_id)
        now = self._now()
        rates = [rate for rate in (*settings.all_rates(), *settings.key_rates) if rate.counts(claim)]
        windows = [self._window(claim.tenant_id, rate) for rate in rates]
        refusing = [
            window.reached(rate, claim.cost, now)
            for rate, window in zip(rates, windows, strict=True)
            if rate.bound - window.counted(now) < claim.cost
        ]
        if refusing:
            return min(refusing, key=lambda one: (-one.retry_after, -one.window_s, one.kind.value, one.scope))
        if reached := self._quota(claim, settings):
            return reached
        if claim.scheduled:
            self._scheduled[claim.tenant_id] += 1
        else:
            self._unfinished[claim.tenant_id] += 1
            self._bytes[claim.tenant_id] += claim.size
        for window in windows:
            window.add(claim.cost, now)
        return None

    def reset(self) -> None:
        """Forget all counts: PostgreSQL is back and counts itself."""
        if self._unfinished or self._scheduled:
            self._unfinished.clear()
            self._bytes.clear()
            self._scheduled.clear()
            self._windows.clear()

    def _quota(self, claim: Claim, settings: TenantSettings) -> Reached | None:
        if claim.scheduled:
            waiting, most = self._scheduled[claim.tenant_id], settings.max_scheduled_events
            return Reached(LimitKind.SCHEDULED, most) if waiting >= most else None
        if self._unfinished[claim.tenant_id] >= settings.max_unfinished_events:
            return Reached(LimitKind.UNFINISHED, settings.max_unfinished_events)
        budget = int(settings.max_unfinished_bytes * self._pressure.share)
        left = budget - self._bytes[claim.tenant_id]
        return Reached(LimitKind.BYTES, budget, remaining=max(0, left)) if claim.size > left else None

    def _window(self, tenant_id: str, rate: Rate) -> "_Window":
        key = (tenant_id, rate.scope, rate.window_s, rate.kind)
        if key not in self._windows:
            self._windows[key] = _Window(rate)
        return self._windows[key]


class _Window:
    """What a rate has granted: [when, how much], oldest first. An entry is gone when it is as old as the window.

    A sliding window has one entry for each tick, with the time of its last event, so that no window exceeds the bound.
    A fixed one has one entry, with the time at which the window began.
    """

    def __init__(self, rate: Rate) -> None:
        self._is_fixed = rate.kind is LimitKind.FIXED
        self._us = rate.window_s * _SECOND_US
        self._tick_us = self._us if self._is_fixed else self._us // _TICKS
        self._log: deque[list[int]] = deque()
        self._total = 0

    def counted(self, now: int) -> int:
        """Return what counts now."""
        while self._log and self._log[0][0] <= now - self._us:
            self._total -= self._log.popleft()[1]
        return self._total

    def add(self, cost: int, now: int) -> None:
        """Count an event."""
        self._total += cost
        tick = now // self._tick_us
        at = tick * self._tick_us if self._is_fixed else now
        if self._log and self._log[-1][0] // self._tick_us == tick:
            self._log[-1][0] = at
            self._log[-1][1] += cost
        else:
            self._log.append([at, cost])

    def reached(self, rate: Rate, cost: int, now: int) -> Reached:
        """Return the refusal of an event of this cost."""
        left = rate.bound - self._total
        return Reached(rate.kind, rate.bound, self._wait_s(rate, cost, now), rate.scope, rate.window_s, max(0, left))

    def _wait_s(self, rate: Rate, cost: int, now: int) -> int:
        """Return the seconds until there is room; if there never is, those of a window."""
        left = self._total
        for at, granted in self._log:
            left -= granted
            if rate.bound - left >= cost:
                return _seconds(at + self._us - now)
        begin = now - now % self._us if self._is_fixed else now
        return _seconds(begin + self._us - now)


def _seconds(us: int) -> int:
    return max(1, -(-us // _SECOND_US))
