"""Finds the current principal of each user. Epochs are cached, and dropped when they are increased."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from runtime.batching import Batcher
from services.domain import topology
from services.domain.pseudonyms import Pseudonyms
from services.realtime.principal import Epoch, Principals

Find = Callable[[Sequence[tuple[str, str]]], Awaitable[list[Epoch]]]

# An increased epoch is announced to all processes. If the announcement is late, the old epoch is used for at most this
# many seconds.
MAX_AGE_S = 60.0
MAX_REMEMBERED = 50_000


class EpochDirectory:
    """Implements services.realtime.ports.PrincipalDirectory.

    find: reads many epochs at once, by (tenant id, keyed digest of the user). note_use: records that a token was
    issued.
    """

    def __init__(
        self,
        principals: Principals,
        find: Find,
        keyed: Pseudonyms,
        *,
        note_use: Callable[[str, str], None] | None = None,
        size: int = MAX_REMEMBERED,
        max_age_s: float = MAX_AGE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._principals = principals
        self._find = find
        self._keyed = keyed
        self._note_use = note_use
        self._size = size
        self._max_age_s = max_age_s
        self._now = now
        self._known: OrderedDict[str, tuple[Epoch, float]] = OrderedDict()
        self._forgotten = 0
        self._batcher: Batcher[tuple[str, str], Epoch] = Batcher(self._flush)

    async def principal(self, tenant_id: str, user_id: str) -> str:
        """Return the user's current principal. Raises UNAVAILABLE."""
        return self._principals.of(tenant_id, user_id, await self.epoch(tenant_id, user_id))

    async def principal_of_token(self, tenant_id: str, user_id: str) -> str:
        """Return the current principal for a new token, and keep its epoch for as long as the token can be valid.

        Raises UNAVAILABLE.
        """
        epoch = await self.epoch(tenant_id, user_id)
        if epoch.user and self._note_use is not None:
            self._note_use(tenant_id, self._keyed.revocation(tenant_id, user_id))
        return self._principals.of(tenant_id, user_id, epoch)

    async def epoch(self, tenant_id: str, user_id: str) -> Epoch:
        """Return the user's current epoch. Raises UNAVAILABLE."""
        recipient = self._keyed.revocation(tenant_id, user_id)
        key = topology.revocation_key(tenant_id, recipient)
        known = self._known.get(key)
        if known is not None and self._now() - known[1] < self._max_age_s:
            self._known.move_to_end(key)
            return known[0]
        forgotten, asked_at = self._forgotten, self._now()
        epoch = await self._batcher.enqueue((tenant_id, recipient))
        if forgotten == self._forgotten:  # otherwise the result may be older than a change announced meanwhile
            self._remember(key, epoch, asked_at)
        return epoch

    def forget(self, key: str) -> None:
        """Drop the cached epoch under this configuration key, because it was increased."""
        self._forgotten += 1
        self._known.pop(key, None)
        if key.count(".") == 1:  # the key of a whole tenant
            for user_key in [known for known in self._known if known.startswith(f"{key}.")]:
                del self._known[user_key]

    def _remember(self, key: str, epoch: Epoch, asked_at: float) -> None:
        self._known[key] = (epoch, asked_at)
        self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    async def _flush(self, users: list[tuple[str, str]]) -> list[Epoch]:
        return await self._find(users)
