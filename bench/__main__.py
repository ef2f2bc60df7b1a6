"""`python -m bench`: measures, prints a report, stores it as JSON in bench/results. Status 1 if an id is missing."""

import asyncio
import os
import platform
import signal
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import asyncpg

from bench import baselines, ground, options, output, report, search, usage
from bench.figures import Load, Machine, Memory, Run
from bench.helper import HelperError
from bench.loads import Loader, loader
from bench.options import Options
from bench.output import Progress
from bench.tenant import TenantError
from stack.client import Running
from stack.faults import StackError

# Open loops need a connection for each request under way.
_OPEN_CONNECTIONS = 256
_WARM_RATE, _WARM_S = 200.0, 2.0


class Bench:
    """One run on a stack that is up."""

    def __init__(self, stack: Running, chosen: Options, progress: Progress, load_before: float) -> None:
        self._stack = stack
        self._chosen = chosen
        self._progress = progress
        self._load_before = load_before

    async def run(self) -> Run:
        """Measure the chosen parts: memory at rest first, the baselines last, because they fill the broker's memory."""
        chosen = self._chosen
        at = output.now()
        run = Run(at=at, quick=chosen.quick, machine=await self._machine())
        self._progress("waiting until the stack is at rest")
        await usage.quiet(usage.processes(self._stack))
        at_rest = usage.memory(usage.processes(self._stack))
        async with loader(self._stack) as loads:
            if chosen.parts & {"accepts", "latency", "throughput"}:
                self._progress("warming up")
                await self._load(loads, _WARM_RATE, _WARM_S)
                await self._loads(loads, run)
        after_load = usage.memory(usage.processes(self._stack))
        if "memory" in chosen.parts:
            run.memory = Memory(at_rest, after_load)
        if "baselines" in chosen.parts:
            self._progress("baselines: aiohttp, JetStream, disk")
            run.baselines = await baselines.measure(
                self._stack,
                seconds=chosen.baseline_s,
                connections=chosen.connections,
                latency_rate=chosen.latency_rate,
            )
        return run

    async def _loads(self, loads: Loader, run: Run) -> None:
        chosen = self._chosen
        if "latency" in chosen.parts:
            self._progress(f"latency at {chosen.latency_rate:,.0f}/s for {chosen.latency_s:.0f} s")
            run.latency = await self._load(loads, chosen.latency_rate, chosen.latency_s)
        if "throughput" in chosen.parts:
            self._progress(f"{chosen.rate:,.0f}/s for {chosen.throughput_s:.0f} s")
            run.throughput = await self._load(loads, chosen.rate, chosen.throughput_s)
            run.search = await self._search(loads, run.throughput)
        if "accepts" in chosen.parts:
            self._progress(f"as many as it takes for {chosen.accepts_s:.0f} s")
            run.accepts = await loads.run(rate=0, seconds=chosen.accepts_s, connections=chosen.connections)

    async def _search(self, loads: Loader, first: Load) -> list[Load]:
        tried = [(first.offered, first.held)]
        found: list[Load] = []
        while len(found) < self._chosen.probes and (rate := search.next_rate(tried)) is not None:
            self._progress(f"looking for the highest rate: {rate:,.0f}/s for {self._chosen.probe_s:.0f} s")
            found.append(await self._load(loads, rate, self._chosen.probe_s))
            tried.append((rate, found[-1].held))
        return found

    async def _load(self, loads: Loader, rate: float, seconds: float) -> Load:
        return await loads.run(rate=rate, seconds=seconds, connections=_OPEN_CONNECTIONS)

    async def _machine(self) -> Machine:
        variables = self._stack.variables
        sql = await asyncpg.connect(variables["CLARION_POSTGRES_URL"])
        version = str(await sql.fetchval("SHOW server_version")).split()[0]
        await sql.close()
        monitor = variables["CLARION_NATS_MONITOR_URL"]
        async with aiohttp.ClientSession() as session, session.get(f"{monitor}/varz") as page:
            nats_version = str((await page.json())["version"])
        return Machine(
            cores=len(os.sched_getaffinity(0)),
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            load_before=self._load_before,
            python=platform.python_version(),
            postgres=version,
            nats=nats_version,
        )


async def _measure(stack: Running, chosen: Options, progress: Progress, load_before: float) -> Run:
    task = asyncio.current_task()
    if task is not None:
        # As Ctrl-C: what is under way ends, the stack stops, the folder goes.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await Bench(stack, chosen, progress, load_before).run()


def _bench(chosen: Options) -> int:
    progress = Progress()
    load_before = os.getloadavg()[0]
    with ground.stack(progress) as stack:
        run = asyncio.run(_measure(stack, chosen, progress, load_before))
        path = output.keep(run, run.at)
    print(report.render(run))
    with suppress(ValueError):
        path = path.relative_to(Path.cwd())
    print(f"\nAll figures: {path}")
    missing = sum(one.count.missing for one in run.loads())
    if missing:
        print(f"FAILED: {missing} accepted events were never recorded.")
    return 1 if missing else 0


def main() -> None:
    """Measure. If that is impossible, print why and exit with 1; exit with 130 after Ctrl-C."""
    chosen = options.parse(sys.argv[1:])
    if sys.platform != "linux":
        raise SystemExit("make bench: needs Linux, where the kernel tells memory and processor time of each process.")
    try:
        status = _bench(chosen)
    except (StackError, HelperError, TenantError) as error:
        print(f"make bench: {error}", file=sys.stderr)
        status = 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("make bench: stopped", file=sys.stderr)
        status = 130
    raise SystemExit(status)


if __name__ == "__main__":
    main()
