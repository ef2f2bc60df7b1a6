"""The limits while PostgreSQL is away: each process counts for itself, from the start of the outage."""

import time
from collections import Counter, deque
from collections.abc import Callable

from services.ingest.ports import LimitKind, Reached, TenantSettings
from services.ingest.pressure import Pressure

_MINUTE_US = 60_000_000
_DAY_US = 86_400_000_000
# Events of the same quarter of a second share an entry of the log, so a log has at most 241 entries.
_TICK_US = 250_000
# Retry-After for a tenant whose limit is zero, seconds.
_NEVER_S = 60

SettingsOf = Callable[[str], TenantSettings]
Clock = Callable[[], int]


def _now_us() -> int:
    return time.time_ns() // 1000


class OutageLimits:
    """Applies each tenant's limits during an outage, starting at zero.

    Without PostgreSQL the ledger finishes no event and EVENTS is not purged, so all events accepted during the outage
    count as unfinished.
    """

    def __init__(self, settings_of: SettingsOf, pressure: Pressure | None = None, *, now: Clock = _now_us) -> None:
        self._settings_of = settings_of
        self._pressure = pressure or Pressure()
        self._now = now
        self._accepted: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._minutes: dict[str, _Minute] = {}
        self._days: dict[str, tuple[int, int]] = {}

    def take(self, tenant_id: str, size: int = 0) -> Reached | None:
        """Count one event of size bytes, or return the limit that is reached."""
        settings = self._settings_of(tenant_id)
        now = self._now()
        minute = self._minutes.setdefault(tenant_id, _Minute())
        minute.forget(now)
        day, today = self._days.get(tenant_id, (0, 0))
        if day != now // _DAY_US:
            day, today = now // _DAY_US, 0
        if settings.daily_cap is not None and today >= settings.daily_cap:
            return Reached(LimitKind.DAY, settings.daily_cap, _seconds((day + 1) * _DAY_US - now))
        if settings.rate_limit_per_minute is not None and minute.total >= settings.rate_limit_per_minute:
            wait_s = minute.wait_s(now, settings.rate_limit_per_minute)
            return Reached(LimitKind.MINUTE, settings.rate_limit_per_minute, wait_s)
        if self._accepted[tenant_id] >= settings.max_unfinished_events:
            return Reached(LimitKind.UNFINISHED, settings.max_unfinished_events)
        budget = int(settings.max_unfinished_bytes * self._pressure.share)
        if self._bytes[tenant_id] + size > budget:
            return Reached(LimitKind.BYTES, budget)
        self._accepted[tenant_id] += 1
        self._bytes[tenant_id] += size
        self._days[tenant_id] = (day, today + 1)
        minute.add(now)
        return None

    def reset(self) -> None:
        """Forget all counts: PostgreSQL is back and counts itself."""
        if self._accepted:
            self._accepted.clear()
            self._bytes.clear()
            self._minutes.clear()
            self._days.clear()


class _Minute:
    """One tenant's accepted events of the last minute: [when, how many], oldest first."""

    def __init__(self) -> None:
        self.total = 0
        self._log: deque[list[int]] = deque()

    def forget(self, now: int) -> None:
        while self._log and self._log[0][0] <= now - _MINUTE_US:
            self.total -= self._log.popleft()[1]

    def add(self, now: int) -> None:
        self.total += 1
        if self._log and self._log[-1][0] // _TICK_US == now // _TICK_US:
            self._log[-1][0] = now  # the later time, so that no minute exceeds the limit
            self._log[-1][1] += 1
        else:
            self._log.append([now, 1])

    def wait_s(self, now: int, limit: int) -> int:
        """Return the seconds until the count falls below the limit."""
        left = self.total
        for at, count in self._log:
            left -= count
            if left < limit:
                return _seconds(at + _MINUTE_US - now)
        return _NEVER_S


def _seconds(us: int) -> int:
    return max(1, -(-us // 1_000_000))
