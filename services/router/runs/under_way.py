"""Tasks that are under way, and waiting until there is room for more."""

import asyncio
import contextlib
from collections.abc import Iterable


class UnderWay:
    """Holds tasks until they have ended. room: so many may be under way when the next ones start."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_room = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of tasks that have not ended."""
        return len(self._tasks)

    def add(self, tasks: Iterable["asyncio.Task[None]"]) -> None:
        """Hold tasks."""
        for task in tasks:
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def room(self, patience: float) -> None:
        """Wait until there is room, at most patience seconds: a few slow ones must not hold up the rest."""
        self._has_room.clear()
        if len(self._tasks) > self._room:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._has_room.wait()

    async def end(self) -> None:
        """Wait until all have ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if len(self._tasks) <= self._room:
            self._has_room.set()
