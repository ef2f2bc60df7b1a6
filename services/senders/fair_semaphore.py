"""A semaphore with a bounded wait: waiters are served in the order in which they came."""

import asyncio

# How long a message waits for a connection to a provider. That time is not part of the attempt's deadline.
WAIT_S = 5.0


class FairSemaphore:
    """At most limit holders at a time. Every successful acquire() needs one release()."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)

    async def acquire(self, wait_s: float) -> bool:
        """Return whether it was acquired within wait_s seconds."""
        if not self._free.locked():  # as nearly always: this does not wait, and needs no timer
            return await self._free.acquire()
        try:
            async with asyncio.timeout(wait_s):
                return await self._free.acquire()
        except TimeoutError:
            return False

    def release(self) -> None:
        """Let the next waiter in."""
        self._free.release()
