"""Who is who at the hub, today: epochs remembered for a while, dropped when one is raised."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from runtime.batching import Batcher
from services import topology
from services.realtime.principal import Epoch, Principals

Find = Callable[[Sequence[tuple[str, str]]], Awaitable[list[Epoch]]]

# A raised epoch is announced; should the announcement be late, an old one is used for at most this long, seconds.
MAX_AGE_S = 60.0
MAX_REMEMBERED = 50_000


class EpochDirectory:
    """Implements services.realtime.ports.Directory. find: looks up many epochs at once."""

    def __init__(
        self,
        principals: Principals,
        find: Find,
        *,
        size: int = MAX_REMEMBERED,
        max_age_s: float = MAX_AGE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._principals = principals
        self._find = find
        self._size = size
        self._max_age_s = max_age_s
        self._now = now
        self._known: OrderedDict[str, tuple[Epoch, float]] = OrderedDict()
        self._forgotten = 0
        self._batcher: Batcher[tuple[str, str], Epoch] = Batcher(self._flush, max_items=500, max_waiting=20_000)

    async def principal(self, tenant_id: str, user_id: str) -> str:
        """Return the user's name of today. Raises UNAVAILABLE."""
        return self._principals.of(tenant_id, user_id, await self._epoch(tenant_id, user_id))

    def forget(self, key: str) -> None:
        """Take in that the epoch under this configuration key was raised."""
        self._forgotten += 1
        self._known.pop(key, None)
        if key.count(".") == 1:  # a whole tenant's
            for user_key in [known for known in self._known if known.startswith(f"{key}.")]:
                del self._known[user_key]

    async def _epoch(self, tenant_id: str, user_id: str) -> Epoch:
        key = topology.epochs_key(tenant_id, user_id)
        known = self._known.get(key)
        if known is not None and self._now() - known[1] < self._max_age_s:
            self._known.move_to_end(key)
            return known[0]
        forgotten, asked_at = self._forgotten, self._now()
        epoch = await self._batcher.enqueue((tenant_id, user_id))
        if forgotten == self._forgotten:  # else what was found may be older than what was announced since
            self._remember(key, epoch, asked_at)
        return epoch

    def _remember(self, key: str, epoch: Epoch, asked_at: float) -> None:
        self._known[key] = (epoch, asked_at)
        self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    async def _flush(self, users: list[tuple[str, str]]) -> list[Epoch]:
        return await self._find(users)
