"""Lets large runs step aside while events to few people are about.

An event that comes after a page of a large run waits for all of it, here and wherever the page's deliveries go. So
while there are such events, a page goes on in small parts with pauses. While there are none, it goes on at full speed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import NamedTuple, TypeVar

T = TypeVar("T")

# How long the others count after they were last seen, seconds.
_ABOUT_S = 5.0
# People who are planned, deliveries that are sent, and workflow runs that go on between two pauses. Few: senders and
# rendering wait a moment after 8 deliveries that come together, so that the next ones come together as well, and others
# would wait with them.
_PLANNED, _SENT, _RUNS = 1, 3, 6
# A pause is so many times as long as the part before it, and at most so long, seconds. Parts of workflow runs mostly
# wait for PostgreSQL and the broker themselves.
_REST, _RUNS_REST, _LONGEST_REST_S = 4.0, 1.0, 0.1
# How long pauses may hold up the planning of a page, and everything else that is leased: less than those deadlines.
_PLAN_S, _SEND_S = 2.0, 10.0
# People who are planned before others may work, while nobody else is about.
_PLANNED_ALONE = 50


class _Rest(NamedTuple):
    """How long the pauses are, times a part; and what is held during a part and its pause."""

    times: float
    turn: AbstractAsyncContextManager[object]


class Pace:
    """Of one process. ticks: seconds that only grow."""

    def __init__(self, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._others_until = 0.0
        # Large runs share the time that the pauses leave.
        self._turn = asyncio.Lock()

    def saw_others(self) -> None:
        """Note that an event to few people was worked on."""
        self._others_until = self._ticks() + _ABOUT_S

    async def plan(self, people: Sequence[T], plan: Callable[[Sequence[T]], None]) -> None:
        """Plan some people after the other, leaving room for other work."""

        async def some(part: Sequence[T]) -> None:
            plan(part)

        await self._go(people, some, _PLANNED, _PLANNED_ALONE, _PLAN_S, _Rest(_REST, nullcontext()))

    async def send(self, items: Sequence[T], send: Callable[[Sequence[T]], Awaitable[object]]) -> None:
        """Send deliveries of a large run: all at once, or some after the other."""
        await self._go(items, send, _SENT, len(items), _SEND_S, _Rest(_REST, self._turn))

    async def go_on(self, runs: Sequence[T], go_on: Callable[[Sequence[T]], Awaitable[object]]) -> None:
        """Let large workflow runs go on: all at once, or some after the other."""
        await self._go(runs, go_on, _RUNS, len(runs), _SEND_S, _Rest(_RUNS_REST, self._turn))

    async def _go(
        self,
        items: Sequence[T],
        work: Callable[[Sequence[T]], Awaitable[object]],
        few: int,
        many: int,
        patience_s: float,
        rest: _Rest,
    ) -> None:
        until = self._ticks() + patience_s
        done = 0
        while done < len(items):
            if self._ticks() < min(until, self._others_until):
                part = items[done : done + few]
                async with rest.turn:
                    await self._slowly(part, work, rest.times)
            else:
                part = items[done : done + many]
                await work(part)
                await asyncio.sleep(0)
            done += len(part)

    async def _slowly(self, part: Sequence[T], work: Callable[[Sequence[T]], Awaitable[object]], rest: float) -> None:
        began = self._ticks()
        await work(part)
        await asyncio.sleep(min(rest * (self._ticks() - began), _LONGEST_REST_S))
