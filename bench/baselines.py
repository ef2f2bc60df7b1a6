"""Baselines: each part alone, measured in the same run with the same generator."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench import broker, chains, figures, helper, load, tenant, usage
from bench.figures import Bare, Baselines, Stored
from stack.client import Running

BATCH = 256
# Enough to keep the server busy; more does not raise its rate.
_SINGLES_WINDOW = 512
_BATCHES_WINDOW = 2
# About what an event weighs in EVENTS.
_PAYLOAD_BYTES = 400
_GRACE_S = 60.0
_DISK_BLOCK = bytes(4096)


async def measure(stack: Running, *, seconds: float, connections: int, latency_rate: float) -> Baselines:
    """Measure all baselines while the stack is idle."""
    url = stack.variables["CLARION_NATS_URL"]
    return Baselines(
        aiohttp=await _bare(seconds, connections, latency_rate),
        chain=await chains.measure(stack, seconds=seconds, connections=connections, latency_rate=latency_rate),
        in_turn=await _stored(url, 1, 1, seconds / 2),
        singles=await _stored(url, 1, _SINGLES_WINDOW, seconds),
        batches=await _stored(url, BATCH, _BATCHES_WINDOW, seconds),
        disk=await asyncio.to_thread(_disk, stack.data),
    )


async def _bare(seconds: float, connections: int, latency_rate: float) -> Bare:
    async with _echo() as (port, pid):
        pids = {"echo": pid}
        await _post(port, 0, min(1.0, seconds), connections)  # warm
        before = usage.cpu(pids)
        flood = await _post(port, 0, seconds, connections)
        used = usage.difference(usage.cpu(pids), before)
        gentle = await _post(port, latency_rate, seconds, connections)
        done = sum(status == 200 for status in flood.status)
        return Bare(
            rate=done / seconds,
            cpu_us=used["echo"] * 1e6 / max(1, done),
            latency_rate=latency_rate,
            latency=figures.latency([b - a for a, b in zip(gentle.due, gentle.answered, strict=True) if b]),
            pss=usage.memory(pids)["echo"],
        )


async def _post(port: int, rate: float, seconds: float, connections: int) -> load.Answer:
    order = tenant.bare_order(port, rate=rate, seconds=seconds, connections=connections)
    return await helper.ask("bench.load", order, load.Answer, deadline=seconds + _GRACE_S)


@asynccontextmanager
async def _echo() -> AsyncIterator[tuple[int, int]]:
    """Run bench.echo; yield its port and its process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.echo", stdout=asyncio.subprocess.PIPE, cwd=helper.ROOT, start_new_session=True
    )
    try:
        if process.stdout is None:
            raise RuntimeError("asked for a pipe")
        async with asyncio.timeout(_GRACE_S):
            line = await process.stdout.readline()
        if not line:
            raise helper.HelperError("bench.echo did not start.")
        yield int(line), process.pid
    finally:
        await helper.end(process)


async def _stored(url: str, batch: int, window: int, seconds: float) -> Stored:
    order = broker.Order(url=url, batch=batch, window=window, payload_bytes=_PAYLOAD_BYTES, seconds=seconds)
    answer = await helper.ask("bench.broker", order, broker.Answer, deadline=seconds + _GRACE_S)
    if answer.refused:
        raise helper.HelperError(f"JetStream refused {answer.refused} of the baseline's messages.")
    return Stored(
        rate=answer.stored / answer.seconds,
        batch=batch,
        window=window,
        client_cpu_us=answer.cpu_seconds * 1e6 / max(1, answer.stored),
    )


def _disk(folder: Path) -> float:
    """Return the number of small synced writes per second, by the median over a second."""
    path = folder / "disk-probe"
    took = []
    with path.open("wb") as file:
        until = time.perf_counter() + 1.0
        while (began := time.perf_counter()) < until:
            file.write(_DISK_BLOCK)
            file.flush()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return 1 / statistics.median(took)
