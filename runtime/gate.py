"""Bounds how much is done at a time, for each caller and in all."""

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
    """Lets each caller do so many things at a time, all callers together so many; some more may wait, in order."""

    def __init__(self, *, per_caller: int, total: int, waiting: int = 0) -> None:
        self._per_caller = per_caller
        self._allowed = per_caller + waiting
        self._total = asyncio.Semaphore(total)
        self._callers: dict[str, _Caller] = {}

    @asynccontextmanager
    async def enter(self, caller: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises OVERLOADED where this caller has too much under way already."""
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
