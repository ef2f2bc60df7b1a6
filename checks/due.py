"""Events that are due in the same second, over two routers: `python -m checks.due`.

Prints how late they were published (p50, p95, p99, the last one), and how many were lost or sent twice. A stack of its
own. With --kill a router is killed with -9 when they become due.
"""

import argparse
import asyncio
import os
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from bench.figures import percentile
from checks.client import Operator, Tenant, connect
from checks.own_stack import own_stack
from checks.published import Published, published
from checks.report import Report
from checks.services import Services, services
from checks.waiting import CheckError, expect, until
from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError
from stack.client import Running
from stack.faults import StackError

EVENTS, ROUTERS = 20_000, 2
EVENT_TYPE = "check.due"
# What a machine accepts in a second at the least, and the rest until they are due, seconds.
_ACCEPTED_PER_S, _REST_S = 400.0, 20.0
# Until all are published, and until all are recorded, seconds after they were due.
_PUBLISHED_S, _RECORDED_S = 180.0, 300.0
_UNFINISHED = 2_000_000
_WAITING = "SELECT count(*) FROM router.runs WHERE tenant_id = $1 AND state = 1"
_OUTBOX = "SELECT count(*) AS rows, count(DISTINCT delivery_id) AS ids FROM senders.outbox WHERE tenant_id = $1"


@dataclass(frozen=True)
class Lateness:
    """The seconds from the time at which events were due until their deliveries were stored. missing: never."""

    seconds: Sequence[float]
    missing: int
    early: int

    @classmethod
    def of(cls, events: Sequence[str], found: Published, due: float) -> "Lateness":
        """Compare events with what was published."""
        seconds = sorted(found.first[event_id] - due for event_id in events if event_id in found.first)
        return cls(seconds, len(events) - len(seconds), sum(one < 0 for one in seconds))

    def __str__(self) -> str:
        """Return a table."""
        shares = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("last", 1.0))
        cells = [f"{percentile(self.seconds, share):.2f}" for _, share in shares]
        head = " | ".join(["events", *(name for name, _ in shares), "missing", "early"])
        row = " | ".join([f"{len(self.seconds) + self.missing:,}", *cells, str(self.missing), str(self.early)])
        return f"lateness from due to published, s\n| {head} |\n|{'---|' * 7}\n| {row} |"


class Due:
    """The checks, in order."""

    def __init__(self, running: Running, tenant: Tenant, calls: Services, arguments: argparse.Namespace) -> None:
        self._running = running
        self._tenant = tenant
        self._calls = calls
        self._count = max(1, int(EVENTS * arguments.scale))
        self._kills = arguments.kill
        self._due = 0.0
        self._events: list[str] = []

    async def run(self, report: Report, found: Published) -> None:
        """Run every check."""
        if await report.check(f"{self._count:,} events are accepted, and wait", self.accept):
            await report.check("nothing is published before its time", lambda: self.wait(found))
            await report.check("every event is published, none early", lambda: self.publish(found))
            await report.check("no delivery is published twice", lambda: self.once(found))
            await report.check("every delivery is recorded once", self.recorded)

    async def accept(self) -> str:
        """Accept all events, and wait until the routers have stored them."""
        self._due = float(int(time.time() + self._count / _ACCEPTED_PER_S + _REST_S))
        began = time.monotonic()
        self._events = await self._calls.accept(self._tenant.id, [self._event(number) for number in range(self._count)])
        took = time.monotonic() - began
        expect(len(set(self._events)) == self._count, "two events have the same id")

        async def all_wait() -> bool:
            waiting = await self._query(_WAITING)
            expect(int(waiting["count"]) == self._count, f"{waiting['count']} wait")
            return True

        await until(all_wait, "runs of all events", deadline=max(1.0, self._due - time.time() - 2.0), every=0.25)
        return f"in {took:.1f} s; due in {self._due - time.time():.0f} s"

    async def wait(self, found: Published) -> None:
        """Wait until shortly before they are due."""
        await asyncio.sleep(max(0.0, self._due - 0.3 - time.time()))
        expect(not found.first, f"{len(found.first)} were published early")

    async def publish(self, found: Published) -> str:
        """Wait for all, and print how late they were."""
        if self._kills:
            await asyncio.sleep(max(0.0, self._due + 0.3 - time.time()))
            self._running.kill("router")

        async def all_published() -> bool:
            return len(found.first) >= self._count

        try:
            await until(all_published, "every event", deadline=self._due + _PUBLISHED_S - time.time(), every=0.1)
        finally:
            lateness = Lateness.of(self._events, found, self._due)
            print(f"\n{lateness}\n", flush=True)
        expect(not lateness.missing and not lateness.early, f"{lateness.missing} missing, {lateness.early} early")
        return f"{self._count / max(lateness.seconds[-1], 0.001):,.0f} a second"

    async def once(self, found: Published) -> None:
        """Compare the ids of deliveries."""
        expect(not found.repeated, f"{found.repeated} messages repeat a delivery")
        expect(len(found.times) == self._count, f"{len(found.times):,} deliveries of {self._count:,} events")

    async def recorded(self) -> str:
        """Wait until the sandbox has every message, each once."""

        async def all_recorded() -> bool:
            outbox = await self._query(_OUTBOX)
            expect(outbox["ids"] >= self._count, f"{outbox['ids']} recorded")
            return True

        await until(all_recorded, "every message", deadline=self._due + _RECORDED_S - time.time(), every=0.5)
        outbox = await self._query(_OUTBOX)
        expect(outbox["rows"] == outbox["ids"] == self._count, f"{outbox['rows']} rows, {outbox['ids']} deliveries")
        return f"{time.time() - self._due:.1f} s after they were due"

    def _event(self, number: int) -> ingest_pb2.NewEvent:
        return ingest_pb2.NewEvent(
            event_type=EVENT_TYPE,
            audience=[event_pb2.Target(recipient=event_pb2.Recipient(user_id=f"u{number}", phone="+254712345678"))],
            variables=b'{"number":%d}' % number,
            due_at_us=int(self._due * 1_000_000),
            dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE),
        )

    async def _query(self, query: str) -> asyncpg.Record:
        connection = await asyncpg.connect(self._running.variables["CLARION_POSTGRES_URL"], timeout=5)
        try:
            row = await connection.fetchrow(query, self._tenant.id)
        finally:
            await connection.close()
        if row is None:
            raise CheckError("no counts")
        return row


async def create_tenant(operator: Operator) -> Tenant:
    """Create a tenant that may have all events of this check unfinished."""
    name = f"Due {secrets.token_hex(2)}"
    tenant = await operator.create_tenant(name, providers={"SMS": ("sandbox", {})})
    await operator.must("PATCH", f"/tenants/{tenant.id}", json={"max_unfinished_events": _UNFINISHED})
    await operator.create_template(tenant, EVENT_TYPE, "SMS", "Parcel {{number}} is due")
    return tenant


async def _main(arguments: argparse.Namespace) -> int:
    report = Report()
    async with (
        own_stack(report, "due", replicas={"router": ROUTERS}) as running,
        connect(running.state) as client,
        services(running) as calls,
    ):
        tenant = await create_tenant(client.operator)
        async with published(running, tenant.id) as found:
            await Due(running, tenant, calls, arguments).run(report, found)
    return report.end()


def main() -> None:
    """Run the checks. Exit with status 1 if an event is lost, early, or sent twice."""
    parser = argparse.ArgumentParser(prog="python -m checks.due", description=__doc__.splitlines()[0])
    scale = float(os.environ.get("SCALE", "1"))
    parser.add_argument("--scale", type=float, default=scale, help=f"times {EVENTS:,} events (SCALE, else 1)")
    parser.add_argument("--kill", action="store_true", help="kill a router when the events become due")
    try:
        status = asyncio.run(_main(parser.parse_args()))
    except (StackError, CheckError, ClarionError) as error:
        print(f"checks.due: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
