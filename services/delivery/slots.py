"""Bounds the attempts under way at one provider, so that a provider that hangs delays no other deliveries."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

# How long a delivery waits for a slot, and how recently one must have been freed for it to wait at all, seconds.
PATIENCE_S = 1.0
ALIVE_S = 0.25


# Bytes of event bodies that the attempts of one slot, and those of all slots, may hold at a time.
SLOT_BYTES = 8 * 1024 * 1024
ALL_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class _Slot:
    taken: int = 0
    bytes: int = 0
    freed_at: float = 0.0
    waiting: "deque[tuple[asyncio.Future[None], int]]" = field(default_factory=deque)


class Slots:
    """At most limit attempts of one name at a time, with event bodies of at most slot_bytes.

    Where all slots are taken but some were freed recently, the next delivery waits a moment: a busy provider does not
    hang, and deferring a delivery costs as much as delivering it. What the worker has in hand bounds how many wait.
    """

    def __init__(self, limit: int, *, slot_bytes: int = SLOT_BYTES, all_bytes: int = ALL_BYTES) -> None:
        self._limit = limit
        self._slot_bytes = slot_bytes
        self._all_bytes = all_bytes
        self._bytes = 0
        self._slots: dict[str, _Slot] = {}

    async def enter(self, name: str, size: int = 0) -> bool:
        """Return whether a slot for a body of size bytes was free. If so, call leave() with the same size later."""
        slot = self._slots.get(name)
        if slot is None:
            slot = self._slots[name] = _Slot(freed_at=time.monotonic())
        if self._fits(slot, size):
            self._take(slot, size)
            return True
        if time.monotonic() - slot.freed_at > ALIVE_S:
            self._forget(name, slot)
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        slot.waiting.append((turn, size))
        try:
            await asyncio.wait([turn], timeout=PATIENCE_S)
        except asyncio.CancelledError:
            if turn.done():
                self.leave(name, size)
            else:
                slot.waiting.remove((turn, size))
            raise
        if turn.done():
            return True
        slot.waiting.remove((turn, size))
        self._forget(name, slot)
        return False

    def leave(self, name: str, size: int = 0) -> None:
        """Free a slot, and give free slots to those that have waited longest."""
        slot = self._slots[name]
        slot.freed_at = time.monotonic()
        slot.taken -= 1
        slot.bytes -= size
        self._bytes -= size
        while slot.waiting and self._fits(slot, slot.waiting[0][1]):
            turn, wanted = slot.waiting.popleft()
            self._take(slot, wanted)
            turn.set_result(None)
        self._forget(name, slot)

    def _forget(self, name: str, slot: _Slot) -> None:
        if not slot.taken and not slot.waiting:
            self._slots.pop(name, None)

    def _take(self, slot: _Slot, size: int) -> None:
        slot.taken += 1
        slot.bytes += size
        self._bytes += size

    def _fits(self, slot: _Slot, size: int) -> bool:
        """Return whether it fits. A name that holds no body may always take one, whatever other names hold."""
        if slot.taken >= self._limit:
            return False
        if not size or not slot.bytes:
            return True
        return slot.bytes + size <= self._slot_bytes and self._bytes + size <= self._all_bytes
