"""Shares calls: callers with the same key share one call, which starts after the last of them has come.

Calls for one key start at least SPACING_S apart, and callers that come meanwhile share the next one. So an answer such
as "there is none" is never older than the caller, and a flood of equal calls costs the other service only a few.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

# Seconds between the starts of two calls for one key, and about the longest time that a caller waits for a start.
SPACING_S = 0.05
_MAX_REMEMBERED = 10_000

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """The calls of one kind."""

    def __init__(self, *, spacing_s: float = SPACING_S) -> None:
        self._spacing_s = spacing_s
        self._planned: dict[str, asyncio.Task[T]] = {}
        self._begun: dict[str, float] = {}

    async def run(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of a call that starts after this one. Raises what the call raises."""
        task = self._planned.get(key)
        if task is None:
            task = self._planned[key] = asyncio.create_task(self._start(key, call))
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)  # a caller that is cancelled must not cancel the others' call

    async def _start(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        try:
            await asyncio.sleep(self._begun.get(key, 0.0) + self._spacing_s - time.monotonic())
        finally:
            del self._planned[key]  # callers that come from now on need another call
        if len(self._begun) >= _MAX_REMEMBERED:
            self._begun.clear()
        self._begun[key] = time.monotonic()
        return await call()


def _retrieve(task: "asyncio.Task[T]") -> None:
    """Retrieve the exception, in case all callers were cancelled."""
    if not task.cancelled():
        task.exception()
