"""A semaphore that is fair to callers: a limit for each of them, and one for all together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from runtime.errors import ClarionError, Code


@dataclass(slots=True)
class _Caller:
    turn: asyncio.Semaphore
    present: int = field(default=0)


class Gate:
    """Limits how many calls run at once: per_caller of each caller, total of all; waiting more of each may queue."""

    def __init__(self, *, per_caller: int, total: int, waiting: int = 0) -> None:
        self._per_caller = per_caller
        self._allowed = per_caller + waiting
        self._total = asyncio.Semaphore(total)
        self._callers: dict[str, _Caller] = {}

    @asynccontextmanager
    async def enter(self, caller: str) -> AsyncIterator[None]:
        """Wait for a place and hold it during the block. Raises OVERLOADED if too many of this caller are waiting."""
        mine = self._callers.setdefault(caller, _Caller(asyncio.Semaphore(self._per_caller)))
        if mine.present >= self._allowed:
            raise ClarionError(
                Code.OVERLOADED, f"At most {self._allowed} such calls of one caller at a time.", retry_after=1
            )
        mine.present += 1
        try:
            async with mine.turn, self._total:
                yield
        finally:
            mine.present -= 1
            if not mine.present:
                del self._callers[caller]
