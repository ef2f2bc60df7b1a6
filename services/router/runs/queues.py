"""Works off rows whose time has come, from two queues: those of few recipients, and large ones. See runner.py.

Each row goes on in a task of its own. The next batch is claimed while the one before is under way.
"""

import asyncio
import contextlib
import random
from typing import Protocol

import asyncpg

from runtime import logs, postgres
from runtime.errors import ClarionError
from services.router.runs.under_way import UnderWay

# The longest pause while nothing is due, seconds. The router that stores a row knows when it is due; others, which take
# over if that one ends, find it by looking.
_IDLE_S = 2.0
# The pause after a failure, and while others have what is due, seconds.
_FAILED_S = 1.0
_BUSY_S = 0.05
# How long a batch waits for slow rows of those before, and for room among them, seconds; and how many of these may be
# under way, in batches.
_TOGETHER_S, _ROOM_S = 0.25, 5.0
_MOST_UNDER_WAY = 3
# Of a batch: while no more is under way, new rows go on at once. Lanes have nothing to divide then.
_SHARE = 4

STORE_ERRORS = (ClarionError, *postgres.CONNECTION_ERRORS, asyncpg.PostgresError)

log = logs.get(__name__)


class Work(Protocol):
    """What the rows are, and what is done with them."""

    async def claim(self, *, large: bool) -> "set[asyncio.Task[None]]":
        """Claim rows that are due, and let each go on in a task. Raises UNAVAILABLE."""

    async def until_next(self, *, large: bool) -> float | None:
        """Return the seconds until a row must be looked at; None: there is none. Raises UNAVAILABLE."""


class Queues:
    """Works until stop(). few, large: how many rows of each queue are claimed together."""

    def __init__(self, work: Work, *, few: int, large: int) -> None:
        self._work = work
        self._batches = {False: few, True: large}
        self._wakes = {False: asyncio.Event(), True: asyncio.Event()}
        self._under_way = {queue: UnderWay(batch) for queue, batch in self._batches.items()}
        self._working = self._stopping = False

    def wake(self, *, large: bool | None = None) -> None:
        """Look for due rows now. large: of this queue; None: of both."""
        for queue, wake in self._wakes.items():
            if large in (None, queue):
                wake.set()

    @property
    def room(self) -> int:
        """How many small rows may go on at once without being claimed; 0 while there is much to do."""
        if self._stopping or not self._working:
            return 0
        return max(0, self._batches[False] // _SHARE - len(self._under_way[False]))

    def add(self, tasks: "set[asyncio.Task[None]]") -> None:
        """Count small rows that go on without being claimed, and wait for them at the end."""
        self._under_way[False].add(tasks)

    async def run(self) -> None:
        """Work; return when what is in hand after stop() has ended."""
        self._working = True
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._loop(large=False))
            loops.create_task(self._loop(large=True))

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping = True
        self.wake()

    async def _loop(self, *, large: bool) -> None:
        """Start batch after batch; each as soon as no more than the one before it is under way."""
        wake, batch, under_way = self._wakes[large], self._batches[large], self._under_way[large]
        while not self._stopping:
            wake.clear()
            pause = await self._start_or_idle(under_way, large=large)
            if pause > 0 and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await wake.wait()
            await under_way.room(_TOGETHER_S)
            while len(under_way) > _MOST_UNDER_WAY * batch:
                await under_way.room(_ROOM_S)
        await under_way.end()

    async def _start_or_idle(self, under_way: UnderWay, *, large: bool) -> float:
        """Start what is due; return how long nothing will be, seconds."""
        try:
            if started := await self._work.claim(large=large):
                under_way.add(started)
                return 0.0
            return await self._idle_s(large=large)
        except STORE_ERRORS as error:
            log.warning("runs_wait", error=repr(error))
        except Exception:  # our own fault: what was claimed is claimed again when its lease ends
            log.exception("runs_crashed")
        return _FAILED_S * varied()

    async def _idle_s(self, *, large: bool) -> float:
        """Return how long nothing will be due, as far as this process knows, seconds."""
        until = await self._work.until_next(large=large)
        idle = _IDLE_S * varied()
        return idle if until is None else min(idle, max(until, _BUSY_S))


def varied() -> float:
    """Return a factor near 1, by which processes do not do the same at the same time."""
    return random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
