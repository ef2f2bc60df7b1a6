"""Bounds what is under way of rows, in this process: for each tenant, and in all.

A tenant may have as many as are free, as in services.senders.webhooks.bounds: so a few tenants do not take everything.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# The part of what a tenant may have that it is given at once.
_PART = 4


class Shares:
    """Counts the endpoints that a process works on, by tenant: most in all, and at most per_tenant of one. Pure."""

    def __init__(self, most: int, per_tenant: int) -> None:
        self.most = most
        self.per_tenant = per_tenant
        self._counts: Counter[str] = Counter()

    @property
    def free(self) -> int:
        """Return how many more there may be in all."""
        return self.most - self._counts.total()

    @property
    def at_once(self) -> int:
        """Return how many more a tenant may have now, if it is not full."""
        return max(1, self._limit // _PART)

    def full(self) -> list[str]:
        """Return the tenants that have what they may."""
        return [tenant_id for tenant_id in self._counts if self.is_full(tenant_id)]

    def is_full(self, tenant_id: str) -> bool:
        """Return whether a tenant has what it may."""
        return self._counts[tenant_id] + self.at_once > self._limit

    def add(self, tenant_id: str) -> None:
        """Count one more."""
        self._counts[tenant_id] += 1

    def remove(self, tenant_id: str) -> None:
        """Count one less."""
        _lower(self._counts, tenant_id)

    @property
    def _limit(self) -> int:
        return min(self.per_tenant, self.free)


class Places:
    """Places of attempts: at most most in all and per_tenant of a tenant, in the order in which those came."""

    def __init__(self, most: int, per_tenant: int) -> None:
        self._free = most
        self._per_tenant = per_tenant
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, tenant_id: str) -> AsyncIterator[None]:
        """Hold a place for the length of a block."""
        await self._enter(tenant_id)
        try:
            yield
        finally:
            self._leave(tenant_id)

    async def _enter(self, tenant_id: str) -> None:
        if tenant_id not in self._waiting and self._has_room(tenant_id):
            self._take(tenant_id)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was given to one that does not want it any more
                self._leave(tenant_id)
            raise

    def _leave(self, tenant_id: str) -> None:
        self._free += 1
        _lower(self._held, tenant_id)
        while ready := [one for one in self._waiting if self._has_room(one)]:
            self._give(min(ready, key=self._held.__getitem__))

    def _give(self, tenant_id: str) -> None:
        """Give a place to the first one of a tenant that waits."""
        waiting = self._waiting[tenant_id]
        place = waiting.popleft()
        if not waiting:
            del self._waiting[tenant_id]
        if not place.done():  # else it was canceled
            self._take(tenant_id)
            place.set_result(None)

    def _take(self, tenant_id: str) -> None:
        self._free -= 1
        self._held[tenant_id] += 1

    def _has_room(self, tenant_id: str) -> bool:
        return self._held[tenant_id] < min(self._per_tenant, self._free)


def _lower(counts: Counter[str], tenant_id: str) -> None:
    counts[tenant_id] -= 1
    if counts[tenant_id] <= 0:
        del counts[tenant_id]
