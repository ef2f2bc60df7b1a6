"""A bound on connections: who finds none free waits for a turn, first come first served, but not for long."""

import asyncio

# To wait for a turn is no attempt, and no fault of the provider's: it has its own time, seconds.
WAIT_S = 5.0


class FairSemaphore:
    """At most limit at a time. Every enter() that was granted is followed by one leave()."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)

    async def enter(self, wait_s: float) -> bool:
        """Take a turn; False: none came free within wait_s seconds."""
        if not self._free.locked():  # as nearly always: this does not wait, and needs no timer
            return await self._free.acquire()
        try:
            async with asyncio.timeout(wait_s):
                return await self._free.acquire()
        except TimeoutError:
            return False

    def leave(self) -> None:
        """Give the turn to whoever waits longest."""
        self._free.release()
