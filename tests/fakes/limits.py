"""A tenant's limits as their definition says them: every event is remembered, and summed up each time."""

from dataclasses import dataclass

from runtime import clock
from services.ingest.ports import Claim, LimitKind, LimitState, Rate, Reached, TenantSettings

_SECOND_US = 1_000_000


@dataclass(frozen=True)
class _Granted:
    at_us: int
    claim: Claim


class PlainLimits:
    """Nothing is ever finished."""

    def __init__(self, now: clock.Clock = clock.now_us) -> None:
        self._now = now
        self._granted: dict[str, list[_Granted]] = {}

    def take(self, claim: Claim, settings: TenantSettings) -> Reached | tuple[LimitState, ...]:
        """Count one event and return its rates as they are then, or return what refuses it."""
        now, granted = self._now(), self._granted.setdefault(claim.tenant_id, [])
        rates = [rate for rate in (*settings.all_rates(), *settings.key_rates) if rate.counts(claim)]
        refusing = [
            Reached(
                rate.kind,
                rate.bound,
                _wait_s(rate, counting, claim.cost, now),
                rate.scope,
                rate.window_s,
                max(0, rate.bound - sum(one.claim.cost for one in counting)),
            )
            for rate in rates
            if (counting := _counting(rate, granted, now)) is not None
            and sum(one.claim.cost for one in counting) + claim.cost > rate.bound
        ]
        if refusing:
            return min(refusing, key=lambda one: (-one.retry_after, -one.window_s, one.kind.value, one.scope))
        if reached := _quota(claim, [one.claim for one in granted], settings):
            return reached
        granted.append(_Granted(now, claim))
        return tuple(_state(rate, _counting(rate, granted, now), now) for rate in rates)


def _counting(rate: Rate, granted: list[_Granted], now: int) -> list[_Granted]:
    """Return what the window of now holds."""
    return [one for one in granted if rate.counts(one.claim) and now < _leaves(rate, one)]


def _leaves(rate: Rate, one: _Granted) -> int:
    return _begin(rate, one.at_us) + rate.window_s * _SECOND_US


def _begin(rate: Rate, at_us: int) -> int:
    """Return when the window began that admits something at this time."""
    return at_us - at_us % (rate.window_s * _SECOND_US) if rate.kind is LimitKind.FIXED else at_us


def _wait_s(rate: Rate, counting: list[_Granted], cost: int, now: int) -> int:
    """Try each moment at which something leaves; if there never is room, wait for a whole window."""
    for until in sorted(_leaves(rate, one) for one in counting):
        left = sum(one.claim.cost for one in counting if _leaves(rate, one) > until)
        if left + cost <= rate.bound:
            return _seconds(until - now)
    return _seconds(_begin(rate, now) + rate.window_s * _SECOND_US - now)


def _state(rate: Rate, counting: list[_Granted], now: int) -> LimitState:
    used = sum(one.claim.cost for one in counting)
    reset_s = _seconds(min(_leaves(rate, one) for one in counting) - now)
    return LimitState(rate.kind, rate.scope, rate.window_s, rate.bound, rate.bound - used, reset_s)


def _seconds(us: int) -> int:
    return -(-us // _SECOND_US)


def _quota(claim: Claim, granted: list[Claim], settings: TenantSettings) -> Reached | None:
    alike = [one for one in granted if one.scheduled is claim.scheduled]
    if claim.scheduled:
        most = settings.max_scheduled_events
        return Reached(LimitKind.SCHEDULED, most) if len(alike) >= most else None
    if len(alike) >= settings.max_unfinished_events:
        return Reached(LimitKind.UNFINISHED, settings.max_unfinished_events)
    left = settings.max_unfinished_bytes - sum(one.size for one in alike)
    if claim.size > left:
        return Reached(LimitKind.BYTES, settings.max_unfinished_bytes, remaining=left)
    return None
