"""How long pages, the overview and the search take on a full ledger."""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import postgres
from services.ingest.activity.counts import fold, span_of
from services.ingest.activity.search import SearchReader
from services.ingest.activity.store import ActivityStore
from services.ingest.ledger.reader import LedgerReader
from services.ingest.ledger.search import EventFinder, EventSearch
from services.ingest.ledger.servicer import LISTED

_FILL = postgres.Queries(Path(__file__).with_name("fill.sql"))
_CHUNK = 50_000
_PAGE = 50
_FAILED = trace_pb2.DELIVERY_STATUS_FAILED
_TENANTS = [f"00000000-0000-7000-8000-{number:012}" for number in range(1, 21)]
_LARGE, _SMALL, _LAST = _TENANTS[0], _TENANTS[6], _TENANTS[-1]
# All but the large one, and others that have no events.
_MANY = _TENANTS[1:] + [f"00000000-0000-7000-9000-{number:012}" for number in range(1, 182)]
_DAY_US = 86_400_000_000


class Timing(NamedTuple):
    """Milliseconds."""

    what: str
    p50: float
    p95: float
    # Of the result: rows, hits, steps.
    found: int


async def fill(pool: "asyncpg.Pool[asyncpg.Record]", events: int, *, skewed: bool = False) -> None:
    """Write so many events, and roll up their counts. skewed: see fill.sql."""
    for statement in _FILL.tenants.split(";"):
        await pool.execute(statement)
    indexes = await pool.fetch(_FILL.indexes)
    for index in indexes:
        await pool.execute(f"DROP INDEX {index['name']}")
    for first in range(1, events + 1, _CHUNK):
        last = min(events, first + _CHUNK - 1)
        await pool.execute(_FILL.events, first, last, float(events), skewed, timeout=600)
    for index in indexes:
        await pool.execute(index["definition"], timeout=600)
    await pool.execute("VACUUM ANALYZE ingest.events, ingest.recipients, ingest.deliveries", timeout=600)
    store = ActivityStore(pool, events_days=90)
    while await store.roll_up():
        pass
    await pool.execute("VACUUM ANALYZE ingest.activity_sums, ingest.activity_new", timeout=600)


async def measure(pool: "asyncpg.Pool[asyncpg.Record]", events: int, repeats: int) -> list[Timing]:
    """Return the figures of each kind of question. Every page goes on where the one before ended."""
    finder, reader, store, search = (
        EventFinder(pool),
        LedgerReader(pool),
        ActivityStore(pool, events_days=90),
        SearchReader(pool),
    )
    now_us = time.time_ns() // 1000

    async def page(**filters: Any) -> Callable[[], Awaitable[int]]:
        state: dict[str, str | None] = {"before": None}

        async def one() -> int:
            found = await finder.page(EventSearch(**filters, before=state["before"]), _PAGE)
            state["before"] = found.next
            return len(await reader.events(found.ids, LISTED))

        return one

    async def overview(tenants: Sequence[str], days: float) -> Callable[[], Awaitable[int]]:
        async def one() -> int:
            span = span_of(int(now_us - days * _DAY_US), now_us, now_us, max(1, len(tenants)))
            found = fold(await store.counts(tenants, span))
            await store.oldest(tenants)
            return len(found.statuses)

        return one

    async def looked_up(make: Callable[[], str]) -> Callable[[], Awaitable[int]]:
        async def one() -> int:
            return len(await search.find(make(), [], 20))

        return one

    ids = [str(row["id"]) for row in await pool.fetch("SELECT id FROM ingest.events ORDER BY random() LIMIT 200")]
    pages: dict[str, dict[str, Any]] = {
        "all": {},
        "one of 20 tenants, half of all": {"tenant_ids": [_LARGE]},
        "one of 20 tenants": {"tenant_ids": [_SMALL]},
        "the tenant with the oldest events": {"tenant_ids": [_LAST]},
        "20 tenants": {"tenant_ids": _TENANTS},
        "200 tenants, of which 19 have events": {"tenant_ids": _MANY},
        "200 tenants, type that does not occur": {"tenant_ids": _MANY, "event_type": "none"},
        "status failed of 200 tenants": {"tenant_ids": _MANY, "status": _FAILED},
        "five tenants": {"tenant_ids": [f"00000000-0000-7000-8000-{number:012}" for number in range(3, 8)]},
        "type (1 of 40)": {"event_type": "type.7"},
        "type of a tenant": {"event_type": "type.7", "tenant_ids": [_SMALL]},
        "type that does not occur": {"event_type": "none"},
        "status failed": {"status": _FAILED},
        "status failed of a tenant": {"status": _FAILED, "tenant_ids": [_SMALL]},
        "status sent, SMS": {"status": trace_pb2.DELIVERY_STATUS_SENT, "channel": event_pb2.CHANNEL_SMS},
        "reason": {"reason": "provider_quota"},
        "reason of events without deliveries": {"reason": "no_active_template", "tenant_ids": [_SMALL]},
        "provider": {"provider": "twilio", "tenant_ids": [_SMALL]},
        "provider that does not occur": {"provider": "none"},
        "recipient by user id": {"recipient": "u4711"},
        "recipient by e-mail address": {"recipient": "u4711@example.org"},
        "last day": {"since_us": now_us - _DAY_US},
        "a day three weeks ago": {"since_us": now_us - 22 * _DAY_US, "until_us": now_us - 21 * _DAY_US},
        "a day three weeks ago, type that does not occur": {
            "since_us": now_us - 22 * _DAY_US,
            "until_us": now_us - 21 * _DAY_US,
            "event_type": "none",
        },
        "recipient who does not occur": {"recipient": "nobody"},
        "caller's id": {"event_id": f"order-{events // 3}"},
    }
    asked = {f"page: {what}": await page(**filters) for what, filters in pages.items()}
    asked |= {
        "overview: all, one day": await overview([], 1),
        "overview: all, 30 days": await overview([], 30),
        "overview: one tenant, 30 days": await overview([_SMALL], 30),
        "overview: 20 tenants, one day": await overview(_TENANTS, 1),
        "overview: 20 tenants, 30 days": await overview(_TENANTS, 30),
        "overview: 200 tenants, 30 days": await overview(_MANY, 30),
        "search: id": await looked_up(lambda: random.choice(ids)),
        "search: beginning of an id": await looked_up(lambda: random.choice(ids)[:13]),
        "search: trace id": await looked_up(lambda: "0" * 32),
        "search: user id": await looked_up(lambda: f"u{random.randrange(50_000)}"),
        "search: e-mail address": await looked_up(lambda: f"u{random.randrange(50_000)}@example.org"),
    }
    return [await _timed(what, one, repeats) for what, one in asked.items()]


async def _timed(what: str, ask: Callable[[], Awaitable[int]], repeats: int) -> Timing:
    taken, found = [], 0
    for _ in range(repeats):
        started = time.perf_counter()
        found += await ask()
        taken.append((time.perf_counter() - started) * 1000)
    taken.sort()
    return Timing(what, taken[len(taken) // 2], taken[min(len(taken) - 1, int(len(taken) * 0.95))], found // repeats)
