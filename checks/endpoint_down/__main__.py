"""One endpoint is down for three days, in minutes: `python -m checks.endpoint_down`.

A stack of its own with two senders, in which the times of webhooks are a thousandth (CLARION_WEBHOOK_TIME_SCALE). An
endpoint gets 26,000 events and answers 503; a sender and the broker are killed with -9 in the meantime. The endpoint of
another tenant must not notice, the tenant is never limited, memory and streams do not grow. Then the endpoint answers
again: everything is delivered, each delivery id once. Prints what a delivery that waits costs in rows and bytes.
"""

import argparse
import asyncio
import itertools
import os
import sys
import time
from dataclasses import dataclass

import asyncpg

from bench.figures import percentile
from bench.usage import MIB
from checks.client import Operator, connect
from checks.endpoint_down.load import Doors, Load
from checks.endpoint_down.receiver import Receiver, receiver
from checks.growth import Growth, growth
from checks.own_stack import own_stack
from checks.report import Report
from checks.waiting import CheckError, expect, until
from runtime.errors import ClarionError
from runtime.grpc import Caller, channel
from services.domain.retry_policy import WEBHOOKS
from stack.client import Running
from stack.faults import StackError

SCALE = 0.001
DAYS_S = 3 * 86_400 * SCALE
EVENTS = 26_000
# Events of the well endpoint a second, and those that their endpoint never takes.
_BESIDE_PER_S, _CURSED = 20.0, 1
_WARM_S = 10.0
# What the machine and the killed processes may add to a retry, seconds.
_LATE_S = 8.0
# A wait for what is under way, for the slow start, and for processes that were killed, seconds.
_SETTLE_S = 60.0
_DRAIN_PER_S = 200.0
# How much later than before the p95 of the other tenant may be, and what is not worth comparing, seconds.
_RATIO, _LEAST_S = 3.0, 0.25
_GROWTH = 48 * MIB
# Of the attempts that were under way when a process was killed: CLARION_WEBHOOK_SLOTS.
_MOST_REPEATS = 64
_COST = """
SELECT count(*) AS rows, pg_table_size('senders.parked') AS bytes, pg_indexes_size('senders.parked') AS indexes
FROM senders.parked
"""
_LEFT = "SELECT count(*) FROM senders.parked WHERE endpoint_id = $1"


@dataclass
class Places:
    """The three endpoints: one that is down, one of another tenant, and one that never takes some events."""

    down: Receiver
    well: Receiver
    picky: Receiver


class Check:
    """The checks, in order."""

    def __init__(self, running: Running, doors: Doors, places: Places, seen: Growth, scale: float) -> None:
        self._running = running
        self._doors = doors
        self._places = places
        self._seen = seen
        self._seconds = DAYS_S * scale
        self._rate = EVENTS / DAYS_S
        self._down: Load
        self._well: Load
        self._picky: Load
        self._p95_s = 0.0

    async def run(self, report: Report, operator: Operator) -> None:
        """Run all."""
        if not await report.check("endpoints", lambda: self._prepare(operator)):
            return
        await report.check("a load on the well endpoint alone", self._warm_up)
        self._places.down.is_down = True
        await report.check(f"three days in {self._seconds:.0f} s: down, with two kills", self._three_days)
        await report.check("the tenant was never limited", self._never_limited)
        await report.check("the other tenant's endpoint did not notice", self._untouched)
        await report.check("what never succeeds is retried on schedule, and ends", self._on_schedule)
        await report.check("memory and streams stay flat", self._flat)
        await report.check("what a delivery costs that waits", self._cost)
        await report.check("the timeline tells of the endpoint", lambda: self._timeline(operator))
        self._places.down.is_down = False
        await report.check("up again: all is delivered in bounded time", self._recover)
        await report.check("each delivery id once", self._once)

    async def _prepare(self, operator: Operator) -> None:
        first, second = [(await operator.create_tenant(f"Down {name}")).id for name in ("a", "b")]
        ids = [
            await self._doors.create_endpoint(tenant_id, place.port)
            for tenant_id, place in (
                (first, self._places.down),
                (second, self._places.well),
                (first, self._places.picky),
            )
        ]
        self._down = Load(self._doors, first, ids[0], "down-")
        self._well = Load(self._doors, second, ids[1], "well-")
        self._picky = Load(self._doors, first, ids[2], "picky-")

    async def _warm_up(self) -> str:
        await self._well.run(_BESIDE_PER_S, _WARM_S)
        await until(lambda: self._arrived(self._well, self._places.well), "all events", deadline=_SETTLE_S)
        self._p95_s = percentile(sorted(self._places.well.late), 0.95)
        self._places.well.late.clear()
        return f"p95 {self._p95_s * 1000:.0f} ms"

    async def _three_days(self) -> str:
        await self._picky.send(_CURSED, are_cursed=True)

        async def kill() -> None:
            await asyncio.sleep(self._seconds / 3)
            self._running.kill("senders")
            await asyncio.sleep(self._seconds / 3)
            self._running.kill("nats")

        await asyncio.gather(
            self._down.run(self._rate, self._seconds),
            self._well.run(_BESIDE_PER_S, self._seconds),
            # So that this endpoint is well, but for the events that it never takes.
            self._picky.run(_BESIDE_PER_S, self._seconds),
            kill(),
        )
        refused = self._down.refused + self._well.refused
        return f"{len(self._down.accepted):,} accepted, repeated after {dict(refused) or 'nothing'}"

    async def _never_limited(self) -> None:
        limited = self._down.refused["LIMITED"] + self._picky.refused["LIMITED"]
        expect(not limited, f"limited {limited} times")

    async def _untouched(self) -> str:
        await until(lambda: self._arrived(self._well, self._places.well), "all events", deadline=_SETTLE_S)
        p50, p95 = (percentile(sorted(self._places.well.late), share) for share in (0.5, 0.95))
        said = f"p50 {p50 * 1000:.0f}, p95 {p95 * 1000:.0f} ms, {self._p95_s * 1000:.0f} ms before"
        expect(p95 <= max(_RATIO * self._p95_s, _LEAST_S), said)
        return f"{said}; {self._places.well.repeats} twice"

    async def _on_schedule(self) -> str:
        """Compare the times of the attempts with the schedule, each from the attempt before."""
        delays = [delay * SCALE for delay in WEBHOOKS.delays_s]
        cursed = [f"picky-{number}" for number in range(_CURSED)]

        async def are_over() -> bool:
            tries = [len(self._places.picky.tries[id_]) for id_ in cursed]
            expect(min(tries) > len(delays), f"attempts: {tries}")
            return True

        await until(are_over, "the last attempts", deadline=1.2 * sum(delays) + _SETTLE_S, every=0.5)
        worst = 0.0
        for id_ in cursed:
            times = self._places.picky.tries[id_]
            waits = [after - before for before, after in itertools.pairwise(times)]
            for delay, wait in zip(delays, waits, strict=False):
                expect(wait >= delay * 0.99, f"{id_}: after {wait:.3f} s, at least {delay:.3f} s")
                expect(wait <= delay * 1.2 + _LATE_S, f"{id_}: after {wait:.3f} s, at most {delay * 1.2:.3f} s")
                worst = max(worst, wait - delay * 1.2)
        total = max(times[-1] - times[0] for times in (self._places.picky.tries[id_] for id_ in cursed))
        return f"{len(delays) + 1} attempts over {total:.0f} s, at most {worst:.1f} s late"

    async def _flat(self) -> str:
        names = [name for name in self._seen.memory if name.startswith(("senders", "nats"))]
        print(
            f"\n{self._seen.memory_table(names)}\n\n{self._seen.stream_table(len(self._down.accepted))}\n", flush=True
        )
        for name in names:
            seen = self._seen.memory[name]
            middle, end = max(seen[len(seen) // 3 : 2 * len(seen) // 3]), max(seen[2 * len(seen) // 3 :])
            expect(end <= middle + _GROWTH, f"{name}: {middle / MIB:.0f}, later {end / MIB:.0f} MiB")
        return ", ".join(f"{name} {max(self._seen.memory[name]) / MIB:.0f} MiB" for name in names)

    async def _cost(self) -> str:
        row = await self._query(_COST)
        rows, days = row["rows"], 3 * 86_400 * 10
        expect(rows >= 0.95 * len(self._down.accepted), f"{rows} rows")
        table, indexes = row["bytes"] / rows, row["indexes"] / rows
        return (
            f"{rows:,} rows, {table:.0f} bytes each and {indexes:.0f} of indexes; "
            f"three days at 10/s: {days:,} rows, {days * (table + indexes) / 1024**3:.2f} GiB"
        )

    async def _timeline(self, operator: Operator) -> str:
        event_id = list(self._down.accepted.values())[len(self._down.accepted) // 2]

        async def is_told() -> bool:
            event = await operator.event(event_id)
            expect(event is not None and "endpoint_down" in str(event), f"{event}")
            return True

        await until(is_told, "endpoint_down", deadline=_SETTLE_S, every=0.5)
        return "endpoint_down"

    async def _recover(self) -> str:
        began = time.monotonic()
        bound = 1.5 * len(self._down.accepted) / _DRAIN_PER_S + _SETTLE_S
        await until(lambda: self._arrived(self._down, self._places.down), "all events", deadline=bound, every=0.25)
        took = time.monotonic() - began

        async def is_empty() -> bool:
            left = (await self._query(_LEFT, self._down.endpoint_id))["count"]
            expect(not left, f"{left} rows are left")
            return True

        await until(is_empty, "no rows", deadline=_SETTLE_S, every=0.5)
        return f"{len(self._down.accepted):,} in {took:.0f} s, {len(self._down.accepted) / took:.0f}/s"

    async def _once(self) -> str:
        place = self._places.down
        several = [id_ for id_, ids in place.message_ids.items() if len(ids) != 1]
        expect(not several, f"{len(several)} events came with several ids, such as {several[:3]}")
        expect(place.repeats <= _MOST_REPEATS, f"{place.repeats} were taken twice")
        return f"{len(place.taken):,} taken, {place.repeats} of them twice, with the same webhook-id"

    async def _arrived(self, load: Load, place: Receiver) -> bool:
        missing = load.accepted.keys() - place.taken.keys()
        expect(not missing, f"{len(missing):,} of {len(load.accepted):,} are missing, such as {sorted(missing)[:3]}")
        return True

    async def _query(self, query: str, *arguments: object) -> asyncpg.Record:
        connection = await asyncpg.connect(self._running.variables["CLARION_POSTGRES_URL"], timeout=5)
        try:
            row = await connection.fetchrow(query, *arguments)
        finally:
            await connection.close()
        if row is None:
            raise CheckError("no row")
        return row


async def _main(arguments: argparse.Namespace) -> int:
    report = Report()
    environment = {"CLARION_EGRESS_WEBHOOK_ALLOW": "127.0.0.1:*", "CLARION_WEBHOOK_TIME_SCALE": str(SCALE)}
    async with (
        receiver() as down,
        receiver() as well,
        receiver() as picky,
        own_stack(report, "down", replicas={"senders": 2}, environment=environment) as running,
        connect(running.state) as client,
        channel(running.variables["CLARION_INGEST_ADDRESS"]) as ingest,
        channel(running.variables["CLARION_ROUTER_ADDRESS"]) as router,
        growth(running) as seen,
    ):
        doors = Doors(ingest, router, Caller(running.variables["CLARION_SERVICE_TOKEN"]))
        check = Check(running, doors, Places(down, well, picky), seen, arguments.scale)
        await check.run(report, client.operator)
    return report.end()


def main() -> None:
    """Run the checks. Exit with status 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m checks.endpoint_down", description=__doc__.splitlines()[0])
    scale = float(os.environ.get("SCALE", "1"))
    parser.add_argument("--scale", type=float, default=scale, help=f"times {EVENTS:,} events (SCALE, else 1)")
    try:
        status = asyncio.run(_main(parser.parse_args()))
    except (StackError, CheckError, ClarionError) as error:
        print(f"checks.endpoint_down: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
