"""Measures what the console reads, and what that costs the ledger. Needs no stack. Linux only.

`--events N` (repeatable; 100,000 and 1,000,000): the sizes of the ledger. `--quick`: one ledger of 100,000 events.
`--skewed`: one tenant has 99 % of the events. `--count`: only what the ledger's writing costs, counted, not timed.
"""

import argparse
import asyncio
import statistics
import sys

from bench.activity import counting, database, lists, writing
from runtime import postgres
from stack.postgres import Postgres

_SIZES = (100_000, 1_000_000)
# Pages of a list of 100,000 messages, milliseconds.
TARGET_P95_MS = 200
_ROUNDS = 5


async def _run(local: Postgres, sizes: list[int], *, skewed: bool, repeats: int, groups: int) -> bool:
    missed = False
    await _writing(local, groups)
    for number, events in enumerate(sizes):
        url = await database.database(local, f"full_{number}")
        pool = await postgres.connect(url, name="bench", size=2, deadline=600)
        print(f"\nfilling a ledger with {events:,} events", file=sys.stderr)
        await lists.fill(pool, events, skewed=skewed)
        await pool.close()
        pool = await postgres.connect(url, name="bench", size=2)
        print(f"\n{events:,} events, milliseconds             p50     p95   found")
        for timing in await lists.measure(pool, events, repeats):
            mark = "" if timing.p95 <= TARGET_P95_MS else "  over the target"
            missed |= bool(mark) and timing.what.startswith("page") and events <= _SIZES[0]
            print(f"  {timing.what:42}{timing.p50:8.1f}{timing.p95:8.1f}{timing.found:8}{mark}")
        await pool.close()
    return missed


async def _count(local: Postgres) -> None:
    """Print the counts for each kind of load and each of three ledgers, beside those of the first."""
    print("per event of two deliveries        WAL bytes      WAL records      buffers          dirtied   rows counted")
    for load in counting.LOADS:
        first: counting.Work | None = None
        for what in ("without", "with counts", "with counts and indexes"):
            url = await database.database(local, f"{load}_{what.replace(' ', '_')}")
            if what != "with counts and indexes":
                await database.without_activity(url, keep_triggers=what == "with counts")
            work = await counting.work(url, counting.groups(load))
            first = first or work
            print(f"  {load:6} {what:24}{work.beside(first)}")


async def _writing(local: Postgres, groups: int) -> None:
    """Measure three ledgers in turn, so that what else the machine does meets them alike."""
    plain, counted, whole = [await database.database(local, name) for name in ("plain", "counted", "whole")]
    await database.without_activity(plain)
    await database.without_activity(counted, keep_triggers=True)
    found: dict[str, list[float]] = {}
    for _ in range(_ROUNDS):
        for url, what in ((plain, "without"), (counted, "with counts"), (whole, "with counts and indexes")):
            cost = await writing.cost(url, what, writing.load(groups))
            found.setdefault(what, []).append(cost.microseconds)
    base = statistics.median(found["without"])
    print("PostgreSQL's processor time of the ledger's writing, per event of two deliveries")
    for what, costs in found.items():
        middle = statistics.median(costs)
        print(f"  {what:42}{middle:8.1f} µs  {middle / base - 1:+7.1%}")
    print(f"  {'ingest: encoding what changed':42}{writing.publishing(writing.load(groups)):8.1f} µs")


def main() -> None:
    """Run. Status 1 if pages of 100,000 events miss the target."""
    parser = argparse.ArgumentParser(prog="python -m bench.activity", description="Measure what the console reads.")
    parser.add_argument("--events", type=int, action="append", help="size of the ledger (repeatable)")
    parser.add_argument("--quick", action="store_true", help="one ledger of 100,000 events")
    parser.add_argument("--skewed", action="store_true", help="one tenant has 99 %% of the events")
    parser.add_argument("--count", action="store_true", help="only count what the ledger's writing costs")
    chosen = parser.parse_args()
    if chosen.count:
        with database.server(counting=True) as local:
            asyncio.run(_count(local))
        return
    sizes = chosen.events or list(_SIZES[:1] if chosen.quick else _SIZES)
    with database.server() as local:
        quick = chosen.quick
        work = _run(local, sizes, skewed=chosen.skewed, repeats=20 if quick else 40, groups=10 if quick else 30)
        missed = asyncio.run(work)
    sys.exit(missed)


if __name__ == "__main__":
    main()
