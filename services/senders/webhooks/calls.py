"""The calls under way, and those that wait a moment until another one has ended.

An event for a thousand endpoints that answer at once is sent in less time than it takes to put a part of it into rows.
"""

import asyncio
from collections import OrderedDict

from services.senders.webhooks.bounds import Bounds, Limits

# How long a call waits, and how recently one of its tenant must have ended for it to wait at all, seconds: calls that
# hang are not waited for.
PATIENCE_S = 0.25
ALIVE_S = 0.25
# How many calls wait in this process. A tenant's may take as many places as are free.
MOST_WAITING = 1_536
# How many tenants, and how many calls of each, are looked at when a call has ended.
_LOOK_AT = 16


class Calls:
    """Lets calls begin. most_waiting: of all tenants together."""

    def __init__(self, limits: Limits, *, most_waiting: int = MOST_WAITING) -> None:
        self._bounds = Bounds(limits)
        self._most_waiting = most_waiting
        self._waiting = 0
        # By tenant, the one that had its turn last at the end: calls that wait, with their endpoints, in their order.
        self._lines: OrderedDict[str, dict[asyncio.Future[None], str]] = OrderedDict()
        # By tenant that has calls: when one last ended, or the first of those under way began. And of all tenants.
        self._moved: dict[str, float] = {}
        self._last_moved = float("-inf")

    @property
    def under_way(self) -> int:
        """The number of calls that are under way."""
        return self._bounds.under_way

    async def enter(self, tenant_id: str, endpoint_id: str) -> bool:
        """Return whether a call may begin now. If so, call leave() at its end."""
        loop = asyncio.get_running_loop()
        # All places that fit a waiting call were given to it when they became free: nobody is overtaken.
        if self._bounds.enter(tenant_id, endpoint_id):
            self._moved.setdefault(tenant_id, loop.time())
            return True
        line = self._lines.get(tenant_id, {})
        is_alive = loop.time() - self._moved.get(tenant_id, self._last_moved) <= ALIVE_S
        if not is_alive or len(line) >= self._most_waiting - self._waiting:
            return False
        turn: asyncio.Future[None] = loop.create_future()
        self._lines.setdefault(tenant_id, line)[turn] = endpoint_id
        self._waiting += 1
        try:
            await asyncio.wait([turn], timeout=PATIENCE_S)
        except asyncio.CancelledError:
            if turn.done():
                self.leave(tenant_id, endpoint_id)
            else:
                self._remove(tenant_id, turn)
            raise
        if turn.done():
            return True
        self._remove(tenant_id, turn)
        return False

    def leave(self, tenant_id: str, endpoint_id: str) -> None:
        """End a call, and let one begin that waits."""
        self._bounds.leave(tenant_id, endpoint_id)
        self._last_moved = asyncio.get_running_loop().time()
        if self._bounds.has_calls(tenant_id):
            self._moved[tenant_id] = self._last_moved
        else:
            self._moved.pop(tenant_id, None)
        for _, waiting in zip(range(_LOOK_AT), list(self._lines), strict=False):
            if self._begin_one(waiting):
                return

    def _begin_one(self, tenant_id: str) -> bool:
        for _, (turn, endpoint_id) in zip(range(_LOOK_AT), self._lines[tenant_id].items(), strict=False):
            if self._bounds.enter(tenant_id, endpoint_id):
                self._moved.setdefault(tenant_id, self._last_moved)
                self._lines.move_to_end(tenant_id)
                self._remove(tenant_id, turn)
                turn.set_result(None)
                return True
        return False

    def _remove(self, tenant_id: str, turn: "asyncio.Future[None]") -> None:
        line = self._lines[tenant_id]
        del line[turn]
        self._waiting -= 1
        if not line:
            del self._lines[tenant_id]
