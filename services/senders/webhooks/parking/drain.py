"""Leases endpoints that are to be looked at, and sends what waits for them, as one of several processes."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial

from prometheus_client import Gauge

from runtime import logs
from runtime.errors import ClarionError
from services.domain import endpoints
from services.senders.webhooks.parking.breaker import Observation, Seen
from services.senders.webhooks.parking.places import Shares
from services.senders.webhooks.parking.ports import EndpointKey
from services.senders.webhooks.parking.row_work import Desk
from services.senders.webhooks.parking.turn import YIELD_S, Turn

# Endpoints that a process works on at a time, in all and of one tenant.
MOST_TURNS, MOST_OF_TENANT = 256, 64
# The longest pause while nothing is due, seconds. The process that parks a delivery knows when it is due; others, which
# take over if that one ends, find it by looking.
_IDLE_S = 2.0
# The pause after a failure, seconds.
_FAILED_S = 1.0
# Between two looks, seconds: many endpoints may fail at a time.
_PACE_S = 0.05
# How often rows that rest for too long are looked for, seconds, and in how many steps at the most.
_AGED_S, _AGED_STEPS = 3_600.0, 100

_TURNS = Gauge("clarion_endpoint_turns", "Endpoints whose rows this process sends.")

log = logs.get(__name__)


class Drain:
    """Works until drain(). The desk's states lease the endpoints."""

    def __init__(
        self, desk: Desk, *, most: int = MOST_TURNS, most_of_tenant: int = MOST_OF_TENANT, yield_s: float = YIELD_S
    ) -> None:
        self._desk = desk
        self._shares = Shares(most, most_of_tenant)
        self._yield_s = yield_s
        self._turns: dict[EndpointKey, Turn] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def on_parked(self, keys: set[EndpointKey]) -> None:
        """Look for what was just parked for these endpoints."""
        for key in keys:
            if (turn := self._turns.get(key)) is not None:
                turn.wake()
        self._wake.set()

    def on_resting(self, key: EndpointKey, reason: str) -> None:
        """Look at an endpoint for which something was just parked that rests, if it must not rest any more.

        The endpoint may have changed between the decision and the row: nothing waited then that could be woken.
        """
        if self._desk.directory.resting(key) != reason:
            self.on_changed(key)

    def on_enabled(self, key: EndpointKey) -> None:
        """Send what waits for an endpoint that was disabled, at a bounded rate unless it is sent in order."""
        endpoint = self._desk.directory.endpoint(key)
        is_ordered = endpoint is not None and endpoint.mode != endpoints.PUSH
        self._call(partial(self._observe, key, Observation(Seen.ENABLED, is_ordered=is_ordered)))

    def on_changed(self, key: EndpointKey) -> None:
        """Look at an endpoint that was changed, such as its URL, or deleted."""
        self._call(partial(self._look_at, key))

    async def run(self) -> None:
        """Work until drain()."""
        self._call(self._look_at_resting)
        looking = asyncio.create_task(self._look_for_aged())
        while not self._desk.stopping.is_set():
            self._wake.clear()
            looked = time.monotonic()
            pause = await self._lease_or_idle()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            await asyncio.sleep(looked + _PACE_S - time.monotonic())
        looking.cancel()
        while self._tasks or self._calls:
            await asyncio.wait(self._tasks | self._calls)

    async def drain(self) -> None:
        """Begin nothing more; run() returns when what is under way is stored, and the leases are given back."""
        self._desk.stopping.set()
        self._desk.until_accepted.stop()
        self._wake.set()

    async def _lease_or_idle(self) -> float:
        """Begin turns of endpoints that are to be looked at; return how long there will be none, seconds."""
        shares = self._shares
        if shares.free <= 0:
            return _IDLE_S  # the end of a turn wakes
        try:
            leased = await self._desk.states.lease(
                shares.free, per_tenant=shares.at_once, without=shares.full(), in_turn=self._turns
            )
            for state in leased:
                is_short = partial(shares.is_full, state.key.tenant_id)
                self._begin(Turn(self._desk, state, is_short, self._yield_s), state.key)
            if leased:
                return 0.0
            until = await self._desk.states.until_next()
        except ClarionError as error:
            log.warning("parked_wait", error=error.detail)
            return _FAILED_S * _varied()
        idle = _IDLE_S * _varied()
        return idle if until is None else min(idle, until)

    def _begin(self, turn: Turn, key: EndpointKey) -> None:
        self._turns[key] = turn
        self._shares.add(key.tenant_id)
        _TURNS.set(len(self._turns))
        task = asyncio.create_task(turn.run())
        self._tasks.add(task)

        def ended(_: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            self._shares.remove(key.tenant_id)
            if self._turns.get(key) is turn:
                del self._turns[key]
            _TURNS.set(len(self._turns))
            self._wake.set()

        task.add_done_callback(ended)

    async def _observe(self, key: EndpointKey, observation: Observation) -> None:
        await self._desk.states.observe(key, observation)
        self.on_parked({key})

    async def _look_at(self, key: EndpointKey) -> None:
        endpoint = self._desk.directory.endpoint(key)
        if endpoint is None:
            await self._desk.states.forget([key], are_gone=True)  # only if nothing waits for it
        else:
            if endpoint.mode != endpoints.PUSH:
                await self._desk.states.observe(key, Observation(Seen.NOT_PUSHED))
            if endpoint.active:
                await self._desk.states.observe(key, Observation(Seen.PROBE_WANTED))
        await self._desk.states.wake(key)
        self.on_parked({key})

    async def _look_at_resting(self) -> None:
        await self._desk.states.wake_resting()
        self._wake.set()

    async def _look_for_aged(self) -> None:
        while True:
            await asyncio.sleep(_AGED_S * _varied())
            with contextlib.suppress(ClarionError):  # the next time will do
                await self.look_for_aged()

    async def look_for_aged(self) -> None:
        """Look at the endpoints that have rows which rest for too long. Raises UNAVAILABLE."""
        before_us = self._desk.now() - int(self._desk.limits.keep_s * 1_000_000)
        for _ in range(_AGED_STEPS):
            if not await self._desk.states.wake_aged(before_us):
                return
            self._wake.set()

    def _call(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do this beside, again and again until the database answers."""
        task = asyncio.get_running_loop().create_task(self._until_stored(work))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _until_stored(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._desk.until_accepted(work)
        except ClarionError as error:  # the process ends; the next one looks at all that rest
            log.warning("endpoint_not_woken", error=error.detail)


def _varied() -> float:
    return random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
