"""What waits for its time: `python -m checks.pending`.

Has 100,000 events wait that are due next year: what they cost in memory and on disk, how long a page of their list
takes, that a restart of the routers loses none and that one can be canceled. Then 20,000 schedules of 20 tenants that
are due in the same minute, over two routers: how late their events are accepted, none lost, none twice. A stack of its
own.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from bench.figures import percentile
from bench.usage import MIB, cpu, memory, processes, quiet
from checks.client import Operator, Tenant, connect
from checks.own_stack import own_stack
from checks.report import Report
from checks.services import Services, services
from checks.waiting import CheckError, expect, until
from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import schedules_pb2
from runtime.errors import ClarionError
from runtime.ids import time_of
from stack.client import Running
from stack.faults import StackError

EVENTS, SCHEDULES, TENANTS, ROUTERS = 100_000, 20_000, 20, 2
EVENT_TYPE = "check.pending"
_PARTS = ("router", "ingest", "postgres")
_STORED_S, _FIRED_S, _RESTARTED_S = 300.0, 120.0, 60.0
# How long processor time is counted while nothing happens, seconds.
_IDLE_S = 10.0
# What a machine creates in a second at the least, and the rest until they are due, seconds.
_CREATED_PER_S, _REST_S = 60.0, 15.0
_PAGES = 20
_LIMITS = {"max_unfinished_events": 2_000_000, "max_scheduled_events": 2_000_000}
_DISK = """
SELECT pg_database_size(current_database()) AS whole, pg_total_relation_size('router.runs') AS runs,
    (SELECT count(*) FROM router.runs WHERE state = 1) AS waiting
"""
_FIRED = """
SELECT s.last_event_id, extract(epoch FROM s.last_at)::float8 AS at FROM router.schedules s WHERE s.last_event_id <> ''
"""
_ACCEPTED = "SELECT count(*) FROM ingest.events WHERE tenant_id = ANY($1::uuid[]) AND event_type = $2"


class Pending:
    """The checks, in order."""

    def __init__(self, running: Running, operator: Operator, calls: Services, scale: float) -> None:
        self._running = running
        self._operator = operator
        self._calls = calls
        self._events = max(1, int(EVENTS * scale))
        self._schedules = max(TENANTS, int(SCHEDULES * scale))
        self._tenant: Tenant | None = None
        self._tenants: list[Tenant] = []
        self._ids: list[str] = []
        self._due = 0.0

    async def run(self, report: Report) -> None:
        """Run every check."""
        if await report.check(f"{self._events:,} events wait for next year", self.accept):
            await report.check("a page of what waits", self.page)
            await report.check("the routers start again, and none is lost", self.restart)
            await report.check("one is canceled", self.cancel)
        if await report.check(f"{self._schedules:,} schedules are created", self.create):
            await report.check("each gives one event at its time", self.fire)

    async def accept(self) -> str:
        """Accept all events; print what they cost."""
        self._tenant = tenant = await self._new_tenant("Pending")
        pids = processes(self._running)
        await quiet(pids)
        before, disk, idle = memory(pids), await self._row(_DISK), await self._idle()
        due_us = int((time.time() + 365 * 86_400) * 1_000_000)
        self._ids = await self._calls.accept(tenant.id, [_event(number, due_us) for number in range(self._events)])

        async def all_wait() -> bool:
            waiting = (await self._row(_DISK))["waiting"]
            expect(waiting == self._events, f"{waiting:,} wait")
            return True

        await until(all_wait, "runs of all events", deadline=_STORED_S, every=0.5)
        await quiet(pids, deadline=60.0)
        after, full, busy = memory(pids), await self._row(_DISK), await self._idle()
        runs = (full["runs"] - disk["runs"]) / self._events
        whole = (full["whole"] - disk["whole"]) / self._events
        print("\n| | before | after |\n|---|---|---|")
        for name in _PARTS:
            print(f"| {name}, MiB (PSS) | {_of(before, name) / MIB:.0f} | {_of(after, name) / MIB:.0f} |")
        print(f"| idle processor time, ms a second | {idle:.0f} | {busy:.0f} |", flush=True)
        return f"{runs:,.0f} bytes each in router.runs, {whole:,.0f} in the whole database"

    async def page(self) -> str:
        """Read pages of the list, as the console does."""
        times, cursor = [], ""
        for _ in range(_PAGES):
            began = time.perf_counter()
            after = f"&cursor={cursor}" if cursor else ""
            found = await self._operator.must("GET", f"/runs?state=waiting&limit=100{after}")
            times.append(time.perf_counter() - began)
            cursor = found["next_cursor"] or ""
        return f"p50 {percentile(times, 0.5) * 1000:.0f} ms, most {max(times) * 1000:.0f} ms"

    async def restart(self) -> None:
        """End the routers; the supervisor starts them again."""
        for name in ("router", *(f"router-{number}" for number in range(2, ROUTERS + 1))):
            self._running.kill(name)

        async def all_there() -> bool:
            page = await self._operator.call("GET", "/runs?state=waiting&limit=1")
            return page.status == 200

        await until(all_there, "the routers", deadline=_RESTARTED_S, every=0.2)
        waiting = (await self._row(_DISK))["waiting"]
        expect(waiting == self._events, f"{waiting:,} wait")

    async def cancel(self) -> None:
        """Cancel one event in the middle; the others stay."""
        if self._tenant is None:
            raise CheckError("there is no tenant")
        event_id = self._ids[len(self._ids) // 2]
        await self._operator.must("POST", f"/tenants/{self._tenant.id}/events/{event_id}/cancel")

        async def is_canceled() -> bool:
            run = await self._operator.must("GET", f"/events/{event_id}/run")
            return bool(run["state"] == "canceled")

        await until(is_canceled, "its run", deadline=20.0)
        waiting = (await self._row(_DISK))["waiting"]
        expect(waiting == self._events - 1, f"{waiting:,} wait")

    async def create(self) -> str:
        """Create schedules for one minute, of several tenants."""
        self._tenants = [await self._new_tenant(f"Schedules {number}") for number in range(TENANTS)]
        self._due = (int(time.time() + self._schedules / _CREATED_PER_S + _REST_S) // 60 + 1) * 60.0
        minute = datetime.fromtimestamp(self._due, UTC)
        cron = f"{minute.minute} {minute.hour} {minute.day} {minute.month} *"
        event = _event(0, 0).SerializeToString()
        began = time.monotonic()
        wanted = [
            schedules_pb2.Schedule(
                tenant_id=self._tenants[number % TENANTS].id, name=f"s{number}", cron=cron, active=True, event=event
            )
            for number in range(self._schedules)
        ]
        await self._calls.create_schedules(wanted)
        took = time.monotonic() - began
        expect(time.time() < self._due, "they were due before all were created")
        return f"in {took:.1f} s; due in {self._due - time.time():.0f} s"

    async def fire(self) -> str:
        """Wait until all have given an event; print how late."""

        async def all_fired() -> "list[asyncpg.Record]":
            fired = await self._rows(_FIRED)
            expect(len(fired) == self._schedules, f"{len(fired):,} gave an event")
            return fired

        deadline = self._due + _FIRED_S - time.time()
        fired = await until(all_fired, "an event of each", deadline=deadline, every=0.5)
        expect(len({row["last_event_id"] for row in fired}) == self._schedules, "two schedules gave the same event")
        late = sorted(time_of(row["last_event_id"]) / 1_000_000 - row["at"] for row in fired)

        async def all_recorded() -> bool:
            count = (await self._rows(_ACCEPTED, [one.id for one in self._tenants], EVENT_TYPE))[0]["count"]
            expect(count == self._schedules, f"{count:,} events")
            return True

        await until(all_recorded, "the ledger", deadline=60.0, every=0.5)
        shown = ", ".join(f"{name} {percentile(late, share):.2f}" for name, share in (("p50", 0.5), ("p99", 0.99)))
        return f"late by {shown}, last {late[-1]:.2f} s"

    async def _new_tenant(self, name: str) -> Tenant:
        tenant = await self._operator.create_tenant(name, providers={"SMS": ("sandbox", {})})
        await self._operator.must("PATCH", f"/tenants/{tenant.id}", json=_LIMITS)
        return tenant

    async def _idle(self) -> float:
        """Return the processor time of a stack that has nothing to do, milliseconds a second."""
        pids = processes(self._running)
        before = sum(cpu(pids).values())
        await asyncio.sleep(_IDLE_S)
        return (sum(cpu(pids).values()) - before) / _IDLE_S * 1000

    async def _rows(self, query: str, *arguments: object) -> "list[asyncpg.Record]":
        connection = await asyncpg.connect(self._running.variables["CLARION_POSTGRES_URL"], timeout=5)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def _row(self, query: str) -> "asyncpg.Record":
        return (await self._rows(query))[0]


def _event(number: int, due_us: int) -> ingest_pb2.NewEvent:
    recipient = event_pb2.Recipient(user_id=f"u{number}", phone="+254712345678")
    event = ingest_pb2.NewEvent(
        event_type=EVENT_TYPE,
        audience=[event_pb2.Target(recipient=recipient)],
        variables=b'{"number":%d,"text":"%s"}' % (number, b"x" * 150),
        due_at_us=due_us,
    )
    if due_us:
        event.dedupe.kind = ingest_pb2.DEDUPE_KIND_NONE
    return event


def _of(sizes: dict[str, int], part: str) -> int:
    """Return the size of all processes of a part."""
    return sum(size for name, size in sizes.items() if name.split("-")[0] == part)


async def _main(scale: float) -> int:
    report = Report()
    async with (
        own_stack(report, "pending", replicas={"router": ROUTERS}) as running,
        connect(running.state) as client,
        services(running) as calls,
    ):
        await Pending(running, client.operator, calls, scale).run(report)
    return report.end()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the checks. Exit with status 1 if an event is lost or sent twice."""
    parser = argparse.ArgumentParser(prog="python -m checks.pending", description=(__doc__ or "").splitlines()[0])
    scale = float(os.environ.get("SCALE", "1"))
    parser.add_argument(
        "--scale", type=float, default=scale, help=f"times {EVENTS:,} events and {SCHEDULES:,} schedules"
    )
    try:
        status = asyncio.run(_main(parser.parse_args(arguments).scale))
    except (StackError, CheckError, ClarionError) as error:
        print(f"checks.pending: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
