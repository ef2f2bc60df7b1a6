"""Questions to an owner: at most so many a second about the same thing, and never an answer from before the question.

Whoever comes while a question is waiting for its turn shares its answer. So "there is none" is as new as the event
that asks, and a flood of events about what is not there costs the owner no more than a trickle.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

# Between two questions about the same thing, seconds; an event waits for its answer about that long at most.
SPACING_S = 0.05
_MAX_REMEMBERED = 10_000

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """The questions of one kind."""

    def __init__(self, *, spacing_s: float = SPACING_S) -> None:
        self._spacing_s = spacing_s
        self._planned: dict[str, asyncio.Task[T]] = {}
        self._begun: dict[str, float] = {}

    async def run(self, key: str, question: Callable[[], Awaitable[T]]) -> T:
        """Return an answer to a question that was put after this call. Raises what the question raises."""
        task = self._planned.get(key)
        if task is None:
            task = self._planned[key] = asyncio.create_task(self._put(key, question))
            task.add_done_callback(_look)
        return await asyncio.shield(task)  # one that gives up must not take the answer from the others

    async def _put(self, key: str, question: Callable[[], Awaitable[T]]) -> T:
        try:
            await asyncio.sleep(self._begun.get(key, 0.0) + self._spacing_s - time.monotonic())
        finally:
            del self._planned[key]  # who comes from now on needs an answer of its own
        if len(self._begun) >= _MAX_REMEMBERED:
            self._begun.clear()
        self._begun[key] = time.monotonic()
        return await question()


def _look(task: "asyncio.Task[T]") -> None:
    """Take note of a fault: all who asked may have given up, and then nobody else does."""
    if not task.cancelled():
        task.exception()
