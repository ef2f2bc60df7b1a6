"""A steady load of small events for some minutes: memory, disk and latency each minute, and every id at the end."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from bench import ground, helper, load
from bench import tenant as bench_tenant
from bench.figures import percentile
from checks.siege.ids import Batch, Ids, Total
from checks.siege.scene import MIB, Scene, bytes_below
from checks.waiting import CheckError, until

_PATH = "/api/v1/events/trigger"
_CONNECTIONS = 256
_GRACE_S = 60.0
# The burst by which the highest rate is guessed.
_BURST_S = 8.0
_BURST_CONNECTIONS = 64
_PURGED_STREAMS = ("EVENTS", "DELIVERIES", "TRACE")
_LEFT = 1000
# Without the load, to see what others write, seconds.
_IDLE_S = 10.0
PROCESSES = ("nats", "postgres", "ingest", "router", "render", "senders", "realtime", "gateway", "hub")


@dataclass(frozen=True)
class Minute:
    """One minute. Latencies in milliseconds; memory by process and the broker's disk in bytes at its end."""

    batch: Batch
    accept_ms: tuple[float, float]
    refused: Counter[str]
    memory: Mapping[str, int]
    disk: int
    # time.monotonic() at its end.
    at: float


class Sustained:
    """One tenant's load on a scene's stack."""

    def __init__(self, scene: Scene, tenant: bench_tenant.Tenant, ids: Ids) -> None:
        self._scene = scene
        self._tenant = tenant
        self._ids = ids
        self._batches: list[Batch] = []
        self.minutes: list[Minute] = []
        self.disk_before = 0
        self._others_per_s = self._began = 0.0

    async def held_rate(self) -> float:
        """Return the approximate throughput in events/s: a burst divided by the time until all is recorded."""
        began = time.monotonic()
        await self._load(0, _BURST_S, _BURST_CONNECTIONS)
        recorded = await self._ids.recorded(sum(self._batches[-1].accepted))
        return recorded / (time.monotonic() - began)

    async def run(self, rate: float, minutes: float, say: Callable[[str], None], *, every_s: float = 60.0) -> None:
        """Offer rate events/s, minute by minute (every_s), and print a line for each."""
        before = await asyncio.to_thread(bytes_below, self._store)
        await asyncio.sleep(_IDLE_S)
        self.disk_before = await asyncio.to_thread(bytes_below, self._store)
        self._others_per_s = (self.disk_before - before) / _IDLE_S
        self._began = time.monotonic()
        say(head())
        for number in range(1, max(1, round(minutes * 60 / every_s)) + 1):
            answer = await self._load(rate, every_s, _CONNECTIONS)
            self.minutes.append(await self._minute(answer))
            say(line(number, self.minutes[-1], self.disk_before))

    async def total(self) -> Total:
        """Wait until everything is recorded, and count every id, including those of the first burst."""
        return await self._ids.total(self._batches)

    def bytes_per_event(self) -> float:
        """Return the bytes per event on the broker's disk in the first minute, before anything was purged.

        What others (the neighbour) write is measured beforehand and left out.
        """
        first = self.minutes[0]
        others = self._others_per_s * (first.at - self._began)
        return (first.disk - self.disk_before - others) / max(1, sum(first.batch.accepted))

    async def purged(self, deadline: float) -> tuple[float, int]:
        """Wait until the broker has purged finished events. Return the seconds and the bytes on its disk."""
        began = time.monotonic()

        async def is_purged() -> bool:
            messages = (await self._scene.broker()).messages
            left = {name: messages.get(name, 0) for name in _PURGED_STREAMS}
            if sum(left.values()) > _LEFT:
                raise CheckError(f"messages left: {left}")
            return True

        await until(is_purged, "the purge", deadline=deadline, every=2.0)
        return time.monotonic() - began, await asyncio.to_thread(bytes_below, self._store)

    async def _load(self, rate: float, seconds: float, connections: int) -> load.Answer:
        address = urlsplit(self._scene.running.url)
        order = load.Order(
            host=address.hostname or "127.0.0.1",
            port=address.port or 80,
            path=_PATH,
            headers={"x-api-key": self._tenant.api_key},
            body=bench_tenant.event_body(),
            run=ground.new_run(),
            rate=rate,
            seconds=seconds,
            connections=connections,
        )
        answer = await helper.ask("bench.load", order, load.Answer, deadline=seconds + order.patience + _GRACE_S)
        self._batches.append(Batch.of(order.run, answer))
        return answer

    async def _minute(self, answer: load.Answer) -> Minute:
        rows = zip(answer.due, answer.answered, answer.status, strict=True)
        took = sorted(answered - due for due, answered, status in rows if status == 200)
        return Minute(
            self._batches[-1],
            (percentile(took, 0.5) * 1000, percentile(took, 0.95) * 1000),
            Counter(str(status) for status in answer.status if status != 200),
            dict(self._scene.watch.now),
            await asyncio.to_thread(bytes_below, self._store),
            time.monotonic(),
        )

    @property
    def _store(self) -> Path:
        return self._scene.running.data / "nats" / "store"


@asynccontextmanager
async def sustained(scene: Scene) -> AsyncIterator[Sustained]:
    """Create the tenant of the load, and read its records for the length of a block."""
    tenant = await bench_tenant.create(scene.running)
    sql = await asyncpg.connect(scene.running.variables["CLARION_POSTGRES_URL"])
    try:
        yield Sustained(scene, tenant, Ids(sql, tenant.id))
    finally:
        await sql.close()


def head() -> str:
    """Return the first lines of the table, in Markdown."""
    names = " | ".join(PROCESSES)
    return f"| minute | accept p50 / p95 ms | refused | {names} | disk MiB |\n|{'---|' * (len(PROCESSES) + 4)}"


def line(number: int, minute: Minute, disk_before: int) -> str:
    """Return a minute's row. Memory in MiB; the disk is the broker's."""
    memory = " | ".join(f"{minute.memory.get(name, 0) / MIB:.0f}" for name in PROCESSES)
    refused = " ".join(f"{number}x{status}" for status, number in minute.refused.items()) or "0"
    accept = f"{minute.accept_ms[0]:.0f} / {minute.accept_ms[1]:.0f}"
    return f"| {number} | {accept} | {refused} | {memory} | {(minute.disk - disk_before) / MIB:.0f} |"
