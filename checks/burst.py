"""Many concurrent clients. Each retries its event with the same key until it is accepted."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence

import aiohttp

from checks.client import Tenant, order

# Each client's wait before it tries again, seconds.
_PAUSE_S = (0.05, 0.2)


class Burst:
    """Sends orders "<prefix>-<number>". An event counts as accepted once a 200 was received.

    accepted: the event's id by order. refused: how often each other answer came.
    """

    def __init__(self, tenant: Tenant, prefix: str, user_id: str, channels: Sequence[str]) -> None:
        self._tenant = tenant
        self._prefix = prefix
        self._user_id = user_id
        self._channels = channels
        self._numbers = itertools.count()
        self._over = False
        self._done = asyncio.Event()
        self.accepted: dict[str, str] = {}
        self.refused: Counter[str] = Counter()

    @property
    def is_over(self) -> bool:
        """Whether all events were sent and accepted."""
        return self._over

    def enough(self) -> None:
        """Stop sending after the minimum."""
        self._done.set()

    async def run(self, least: int, most: int, *, clients: int) -> None:
        """Send `least` events, then more until enough() or `most`."""
        await asyncio.gather(*(self._client(least, most) for _ in range(clients)))
        self._over = True

    async def _client(self, least: int, most: int) -> None:
        for number in self._numbers:
            if number >= (least if self._done.is_set() else most):
                return
            await self._accept(f"{self._prefix}-{number}")

    async def _accept(self, order_id: str) -> None:
        event = order(order_id, self._user_id, self._channels)
        headers = {"X-Idempotency-Key": order_id}
        while True:
            try:
                answer = await self._tenant.trigger(event, headers=headers)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.refused[type(error).__name__] += 1
            else:
                if answer.status == 200:
                    self.accepted[order_id] = answer.event_id
                    return
                self.refused[str(answer.status)] += 1
            await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - jitter, not a secret
