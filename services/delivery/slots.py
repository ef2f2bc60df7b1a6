"""Bounds what one far side may have under way, so that a hung one holds up nobody else."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

# How long a delivery waits for a slot, and how lately one must have come free for waiting to make sense, seconds.
PATIENCE_S = 1.0
ALIVE_S = 0.25


@dataclass(slots=True)
class _Slot:
    taken: int = 0
    freed_at: float = 0.0
    waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)


class Slots:
    """Up to limit attempts of one name at a time.

    Where all are taken but come free, whoever comes waits a moment for its turn: a busy far side is not a hung one,
    and putting a delivery off costs as much as delivering it. What the worker has in hand bounds how many wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots: dict[str, _Slot] = {}

    async def enter(self, name: str) -> bool:
        """Take a slot; False: there is none. Every True needs a leave()."""
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = _Slot(freed_at=time.monotonic())
        if slot.taken < self._limit:
            slot.taken += 1
            return True
        if time.monotonic() - slot.freed_at > ALIVE_S:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        slot.waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=PATIENCE_S)
        except asyncio.CancelledError:
            if turn.done():
                self.leave(name)
            else:
                slot.waiting.remove(turn)
            raise
        if turn.done():
            return True
        slot.waiting.remove(turn)
        return False

    def leave(self, name: str) -> None:
        """Give a slot to whoever waits longest, or free it."""
        slot = self._slots[name]
        slot.freed_at = time.monotonic()
        if slot.waiting:
            slot.waiting.popleft().set_result(None)
            return
        slot.taken -= 1
        if not slot.taken:
            del self._slots[name]
