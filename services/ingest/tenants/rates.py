"""A tenant's rates: in requests and answers one list; in its row two columns, and a list of the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import tenants_pb2
from services.ingest.ports import DAY, DAY_S, KEY_SCOPE, MINUTE, LimitKind, Rate, TenantSettings

MAX_RATES = 8
# Of one key.
MAX_KEY_RATES = 4
MAX_WINDOW_S = 31 * DAY_S
# Of one rate: a log has numbers of 32 bits.
MAX_BOUND = 2**31 - 1
_MAX_SCOPE = 255
_KINDS = {LimitKind.SLIDING: error_pb2.LIMIT_KIND_SLIDING, LimitKind.FIXED: error_pb2.LIMIT_KIND_FIXED}

_decode = msgspec.json.Decoder(tuple[Rate, ...]).decode


@dataclass(frozen=True, slots=True)
class Split:
    """Rates as the row has them. stored: JSON."""

    per_minute: int | None
    per_day: int | None
    stored: str


def faults(rates: Sequence[tenants_pb2.Rate], most: int = MAX_RATES) -> list[tuple[str, str]]:
    """Return what is wrong with a list of rates: fields and descriptions."""
    found = []
    if len(rates) > most:
        found.append(("rates", f"must be at most {most}"))
    if len({(rate.scope, rate.window_s, rate.kind) for rate in rates}) < len(rates):
        found.append(("rates", "must each have another scope, window and kind"))
    for number, rate in enumerate(rates[:most]):
        at = f"rates[{number}]"
        if len(rate.scope) > _MAX_SCOPE or not rate.scope.isprintable():
            found.append((f"{at}.scope", f"must be at most {_MAX_SCOPE} printable characters"))
        if not 1 <= rate.window_s <= MAX_WINDOW_S:
            found.append((f"{at}.window_s", f"must be 1 to {MAX_WINDOW_S} seconds"))
        if not 0 <= rate.bound <= MAX_BOUND:
            found.append((f"{at}.bound", f"must be 0 to {MAX_BOUND}"))
        if rate.kind not in _KINDS.values():
            found.append((f"{at}.kind", "must be sliding or fixed"))
    return found


def faults_of_key(rates: Sequence[tenants_pb2.Rate]) -> list[tuple[str, str]]:
    """Return what is wrong with the rates of a key: as faults(), and they have no scope."""
    scoped = [(f"rates[{number}].scope", "must be empty") for number, rate in enumerate(rates) if rate.scope]
    return scoped[:MAX_KEY_RATES] or faults(rates, MAX_KEY_RATES)


def parsed(rates: Sequence[tenants_pb2.Rate]) -> list[Rate]:
    """Return rates without faults as values."""
    return [Rate(rate.window_s, rate.bound, LimitKind(rate.kind), rate.scope) for rate in rates]


def asked(request: tenants_pb2.CreateTenantRequest) -> list[Rate]:
    """Return the rates of a new tenant."""
    settings = TenantSettings(
        rate_limit_per_minute=request.rate_limit_per_minute if request.HasField("rate_limit_per_minute") else None,
        daily_cap=request.daily_cap if request.HasField("daily_cap") else None,
    )
    return [*settings.all_rates(), *parsed(request.rates)]


def split(rates: Sequence[Rate]) -> Split:
    """Return rates as they are stored."""
    bounds = {(rate.window_s, rate.kind): rate.bound for rate in rates if not rate.scope}
    others = [rate for rate in rates if rate.scope or (rate.window_s, rate.kind) not in (MINUTE, DAY)]
    return Split(bounds.get(MINUTE), bounds.get(DAY), msgspec.json.encode(others).decode())


def stored(text: str) -> tuple[Rate, ...]:
    """Return the rates that have no column of their own, of the JSON that has them."""
    return _decode(text)


def shown(per_minute: int | None, per_day: int | None, text: str) -> list[tenants_pb2.Rate]:
    """Return all rates of a tenant's row."""
    settings = TenantSettings(rate_limit_per_minute=per_minute, daily_cap=per_day, rates=stored(text))
    return [
        tenants_pb2.Rate(scope=rate.scope, window_s=rate.window_s, bound=rate.bound, kind=_KINDS[rate.kind])
        for rate in settings.all_rates()
    ]


def stored_of_key(key_id: str, rates: Sequence[Rate]) -> str:
    """Return the rates of a key as its row has them: JSON."""
    scope = KEY_SCOPE + key_id
    return msgspec.json.encode([Rate(rate.window_s, rate.bound, rate.kind, scope) for rate in rates]).decode()


def shown_of_key(text: str) -> list[tenants_pb2.Rate]:
    """Return the rates of a key's row."""
    return [tenants_pb2.Rate(window_s=rate.window_s, bound=rate.bound, kind=_KINDS[rate.kind]) for rate in stored(text)]
