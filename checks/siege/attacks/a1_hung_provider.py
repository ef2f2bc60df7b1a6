"""Two tenants whose mail servers accept connections and never answer, with events of 200 KB; then kill -9 of NATS."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from checks.catcher import EGRESS_TO_LOOPBACK
from checks.client import Tenant
from checks.siege import neighbour
from checks.siege.scene import MIB, Scene, mib
from checks.siege.siege import Attack
from checks.waiting import until

EVENTS = 9_700
_BODY_BYTES = 200_000
_SENDERS = 8
_LOOK_S = 1.0
# Of silence after the last event: 20 s, and up to the 200 s for which the version before refused everybody.
_LEAST_SILENCE_S, _MORE_SILENCE_S = 20.0, 180.0
_SENDING_S = 420.0
_BACK_S = 120.0
# Timers refer to a body: they may take this share of what was accepted, and so much more for what they are.
_TIMERS_SHARE, _TIMERS_FLOOR = 0.1, 16 * MIB


async def _attack(scene: Scene) -> None:
    async with _silent_server() as port:
        smtp = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "us@tenant.example"}
        tenants = [
            await neighbour.create(scene.client.operator, f"Hung {number}", email=("smtp", smtp)) for number in (1, 2)
        ]
        flood = Flood(scene, tenants)
        looking = asyncio.create_task(flood.look())
        try:
            await flood.send(scene.count(EVENTS, 100))
            await asyncio.sleep(_LEAST_SILENCE_S + _MORE_SILENCE_S * min(1.0, scene.choices.scale))
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        flood.judge()
        await _kill_nats(scene)


class Flood:
    """Sends the events and watches the broker's store."""

    def __init__(self, scene: Scene, tenants: list[Tenant]) -> None:
        self._scene = scene
        self._tenants = tenants
        self._answers: Counter[str] = Counter()
        self._timers = self._store = self._limit = 0

    async def send(self, events: int) -> None:
        """Send each event once. Refused events are not repeated."""
        numbers = iter(range(events))
        until_s = time.monotonic() + _SENDING_S

        async def sender() -> None:
            for number in numbers:
                if time.monotonic() > until_s:
                    return
                await self._one(number)

        await asyncio.gather(*(sender() for _ in range(_SENDERS)))

    async def look(self) -> None:
        """Measure the largest sizes of TIMERS and the store until cancelled."""
        while True:
            try:
                broker = await self._scene.broker()
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                broker = None
            if broker is not None:
                self._timers = max(self._timers, broker.streams.get("TIMERS", 0))
                self._store = max(self._store, broker.store)
                self._limit = broker.store_limit
            await asyncio.sleep(_LOOK_S)

    def judge(self) -> None:
        """Compare the size of the store with the accepted events."""
        accepted = self._answers["200"] * _BODY_BYTES
        told = ", ".join(f"{number} x {status}" for status, number in self._answers.most_common())
        self._scene.check(self._answers["200"], f"events of {_BODY_BYTES:,} bytes: {told}; accepted {mib(accepted)}")
        self._scene.check(
            self._timers <= _TIMERS_SHARE * accepted + _TIMERS_FLOOR, f"TIMERS held {mib(self._timers)} at most"
        )
        share = self._store / max(1, self._limit)
        self._scene.check(share < 0.8, f"the store held {mib(self._store)} of {mib(self._limit)} at most")

    async def _one(self, number: int) -> None:
        tenant = self._tenants[number % len(self._tenants)]
        event = neighbour.event(f"hung-{number}", ["EMAIL"])
        event["variables"]["filling"] = "x" * _BODY_BYTES
        try:
            answer = await tenant.trigger(event)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._answers[type(error).__name__] += 1
        else:
            self._answers[str(answer.status)] += 1


async def _kill_nats(scene: Scene) -> None:
    """Kill the broker with its full store. Measure its memory and the time until an event is accepted."""
    before = scene.taken("nats")
    scene.watch.restart_peaks("nats")
    began = time.time()
    starts = scene.kill_nats()
    tenant, numbers = scene.client.tenant, itertools.count()

    async def accepts() -> bool:
        try:
            return (await tenant.trigger(neighbour.event(f"after-{next(numbers)}", ["SMS"]))).status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    try:
        await scene.running.wait_restarted("nats", starts, deadline=_BACK_S)
        await until(accepts, "an accepted event after kill -9 of NATS", deadline=_BACK_S, every=0.1)
        accepted = f"accepted again after {time.time() - began:.1f} s"
    finally:
        over = time.time() + 1.0
        scene.excused.append((began - 15.0, over))
    await asyncio.sleep(5.0)
    scene.check(
        scene.watch.peaks["nats"] <= (scene.watch.limit("nats") or 2**63),
        f"kill -9 of NATS: {accepted}; its memory was {mib(before)}, at most {mib(scene.watch.peaks['nats'])} after",
    )


@asynccontextmanager
async def _silent_server() -> AsyncIterator[int]:
    """Accept connections and never answer."""
    open_ended = asyncio.Event()

    async def stay_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await open_ended.wait()
        finally:
            writer.close()

    server = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        open_ended.set()


ATTACK = Attack(
    "a1",
    "hung mail servers of two tenants, events of 200 KB; then kill -9 of NATS",
    _attack,
    environment=EGRESS_TO_LOOPBACK,
)
