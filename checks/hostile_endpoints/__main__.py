"""200 endpoints that trickle, hang, reset or never stop sending, beside 20 that are well: a stack of its own.

`python -m checks.hostile_endpoints`. In one run the well ones get the same load twice: while the hostile servers stand
idle, and while these get events too. Then the memory of the senders, the longest connection to a hostile server, and
how late the events of the well ones arrived are compared.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.figures import percentile
from bench.usage import MIB, cpu, memory, processes
from checks.client import Operator, connect
from checks.hostile_endpoints.load import Doors, Endpoint, Load
from checks.hostile_endpoints.receivers import Receivers, receivers
from checks.hostile_endpoints.servers import KINDS, Hostile, hostile
from checks.own_stack import own_stack
from checks.report import Report
from checks.waiting import CheckError, expect, until
from runtime.errors import ClarionError
from runtime.grpc import Caller, channel
from stack.client import Running
from stack.faults import StackError

HOSTILE, WELL = 200, 20
# The deadline of a call (CLARION_WEBHOOK_TIMEOUT_S, its default), and what the machine may add to it, seconds.
_TIMEOUT_S, _LATE_S = 10.0, 1.5
_MORE_BYTES = 64 * MIB
# How much later the p95 of the well ones may be beside hostile ones.
_RATIO = 1.5
_WARM_S = 10.0
_ARRIVED_S = 60.0
_LOOK_S = 0.5


@dataclass
class Memory:
    """Bytes of the senders' processes, look by look."""

    seen: list[int] = field(default_factory=list)


@asynccontextmanager
async def watching(running: Running) -> AsyncIterator[Memory]:
    """Look at the senders' memory (PSS) during a block."""
    found = Memory()

    def look() -> None:
        pids = {name: pid for name, pid in processes(running).items() if name.startswith("senders")}
        found.seen.append(sum(memory(pids).values()))

    async def keep_looking() -> None:
        while True:
            await asyncio.to_thread(look)
            await asyncio.sleep(_LOOK_S)

    task = asyncio.create_task(keep_looking())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])


class Check:
    """The loads, and what is compared after them."""

    def __init__(
        self, running: Running, doors: Doors, found: Receivers, servers: Hostile, given: argparse.Namespace
    ) -> None:
        self._running = running
        self._doors = doors
        self._found = found
        self._servers = servers
        self._given = given
        self._well: list[Endpoint] = []
        self._hostile: list[Endpoint] = []
        self._idle = Memory()
        self._beside = Memory()
        self._loads: dict[str, Load] = {}

    async def run(self, report: Report, operator: Operator) -> None:
        """Run all."""
        await report.check("endpoints", lambda: self._prepare(operator))
        await report.check("warm up", lambda: self._load("warm-", _WARM_S))
        async with watching(self._running) as self._idle:
            await report.check("load beside idle servers", lambda: self._load("idle-", self._given.seconds))
        async with watching(self._running) as self._beside:
            await report.check("load beside hostile servers", self._load_both)
        await report.check("every event of the well ones arrived", self._arrived)
        await report.check("p95 of the well ones", self._late)
        await report.check("memory of the senders", self._memory)
        await report.check("no call past its deadline", self._held)
        await report.check("no gigabyte was read", self._read)

    async def _prepare(self, operator: Operator) -> str:
        """Half of the well ones belong to the tenant of the hostile ones."""
        first, second = [(await operator.create_tenant(f"Hostile {name}")).id for name in ("a", "b")]
        half = len(self._found.ports) // 2
        self._hostile = await self._doors.create_endpoints(first, self._servers.ports)
        self._well = [
            *await self._doors.create_endpoints(first, self._found.ports[:half]),
            *await self._doors.create_endpoints(second, self._found.ports[half:]),
        ]
        return f"{len(self._hostile)} hostile, {len(self._well)} well"

    async def _load(self, prefix: str, seconds: float) -> str:
        load = self._loads[prefix] = Load(self._doors, self._well, self._given.rate, prefix)
        before, began = cpu(processes(self._running)), time.monotonic()
        await load.run(seconds)
        took = time.monotonic() - began
        used = {name: (end - before.get(name, end)) / took for name, end in cpu(processes(self._running)).items()}
        expect(not load.refused, f"refused: {dict(load.refused)}")
        cores = ", ".join(f"{name} {share:.2f}" for name, share in used.items() if share >= 0.01)
        return f"{load.accepted:,} events, {self._given.rate:g}/s; cores: {cores}"

    async def _load_both(self) -> str:
        beside = Load(self._doors, self._hostile, self._given.hostile_rate, "hostile-")
        before, began = (await self._servers.seen()).cpu_s, time.monotonic()
        said, _ = await asyncio.gather(self._load("beside-", self._given.seconds), beside.run(self._given.seconds))
        share = ((await self._servers.seen()).cpu_s - before) / (time.monotonic() - began)
        refused = ", ".join(f"{number} {code}" for code, number in beside.refused.items()) or "none"
        return f"{said}; hostile servers {share:.2f}; their events: {beside.accepted:,} accepted, refused: {refused}"

    async def _arrived(self) -> str:
        wanted = sum(load.accepted for load in self._loads.values())

        async def all_there() -> bool:
            expect(len(self._found.first) >= wanted, f"{len(self._found.first):,} of {wanted:,}")
            return True

        await until(all_there, "every event", deadline=_ARRIVED_S, every=0.1)
        return f"{wanted:,}, {self._found.repeats} of them twice"

    async def _late(self) -> str:
        idle, beside = self._found.late("idle-"), self._found.late("beside-")
        texts = [
            " / ".join(f"{percentile(times, share) * 1000:.1f}" for share in (0.5, 0.95, 0.99))
            for times in (idle, beside)
        ]
        ratio = percentile(beside, 0.95) / percentile(idle, 0.95)
        said = (
            f"p50 / p95 / p99: {texts[0]} ms beside idle servers, {texts[1]} ms beside hostile ones: {ratio:.2f} times"
        )
        expect(ratio <= _RATIO, said)
        return said

    async def _memory(self) -> str:
        before, most = self._idle.seen[-1], max(self._beside.seen)
        said = f"{before / MIB:.0f} MiB before, {most / MIB:.0f} MiB at most"
        expect(most - before < _MORE_BYTES, said)
        return said

    async def _held(self) -> str:
        """Wait until all connections of the load have ended; probes come later, and have the same deadline."""
        await asyncio.sleep(_TIMEOUT_S + _LATE_S)
        seen = await self._servers.seen()
        longest = max(seen.longest_s.values())
        said = f"the longest connection took {longest:.2f} s; {seen.open} are open now; requests: " + ", ".join(
            f"{number} {kind}" for kind, number in seen.requests.items()
        )
        expect(longest <= _TIMEOUT_S + _LATE_S, said)
        expect(all(seen.requests[kind] for kind in KINDS), said)
        return said

    async def _read(self) -> str:
        seen = await self._servers.seen()
        most = max(seen.most_bytes.values())
        expect(most < 8 * MIB, f"{most / MIB:.1f} MiB were taken from one answer")
        return f"at most {most / 1024:.0f} KiB left a server, what the sockets hold included"


async def _main(given: argparse.Namespace) -> int:
    report = Report()
    environment = {"CLARION_EGRESS_WEBHOOK_ALLOW": "127.0.0.1:*"}
    async with (
        hostile(HOSTILE) as servers,
        receivers(WELL) as found,
        own_stack(report, "hostile", replicas={}, environment=environment) as running,
        connect(running.state) as client,
        channel(running.variables["CLARION_INGEST_ADDRESS"]) as ingest,
        channel(running.variables["CLARION_ROUTER_ADDRESS"]) as router,
    ):
        doors = Doors(ingest, router, Caller(running.variables["CLARION_SERVICE_TOKEN"]))
        await Check(running, doors, found, servers, given).run(report, client.operator)
    return report.end()


def main() -> None:
    """Run the checks. Exit with status 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m checks.hostile_endpoints", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=45.0, help="of each of the two loads (45)")
    parser.add_argument("--rate", type=float, default=100.0, help="events a second for the well ones together (100)")
    parser.add_argument("--hostile-rate", type=float, default=50.0, help="for the hostile ones together (50)")
    try:
        status = asyncio.run(_main(parser.parse_args()))
    except (StackError, CheckError, ClarionError) as error:
        print(f"checks.hostile_endpoints: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
