"""The calls under way, and those that wait a moment until another one has ended.

An event for a thousand endpoints that answer at once is sent in less time than it takes to put a part of it into rows.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from services.senders.webhooks.bounds import Bounds, Limits

# How long a call waits, and how recently another one must have ended for it to wait at all, seconds: calls that hang
# are not waited for.
PATIENCE_S = 0.25
ALIVE_S = 0.25
# How many calls wait in this process. A tenant's may take as many places as are free.
MOST_WAITING = 1_536
# How many endpoints of a tenant, and how many tenants, are looked at when a call has ended. The next time others are.
_LOOK_AT = 16

_Turn: TypeAlias = "asyncio.Future[None]"


@dataclass(slots=True)
class _Line:
    """The calls of a tenant that wait. turns: by endpoint, the one that was looked at last at the end."""

    waiting: int = 0
    turns: OrderedDict[str, dict[_Turn, None]] = field(default_factory=OrderedDict)


class Calls:
    """Lets calls begin. most_waiting: of all tenants together."""

    def __init__(self, limits: Limits, *, most_waiting: int = MOST_WAITING) -> None:
        self._bounds = Bounds(limits)
        self._most_waiting = most_waiting
        self._waiting = 0
        # By tenant, the one that was looked at last at the end.
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        # Of endpoints and tenants that have calls: when one last ended, or the first of those under way began.
        self._endpoint_moved: dict[str, float] = {}
        self._tenant_moved: dict[str, float] = {}
        # When a call of anybody last ended.
        self._moved = float("-inf")

    @property
    def under_way(self) -> int:
        """The number of calls that are under way."""
        return self._bounds.under_way

    async def enter(self, tenant_id: str, endpoint_id: str) -> bool:
        """Return whether a call may begin now. If so, call leave() at its end."""
        loop = asyncio.get_running_loop()
        if self._begin(tenant_id, endpoint_id, loop.time()):
            return True
        line = self._lines.get(tenant_id) or _Line()
        if not self._is_alive(tenant_id, endpoint_id) or line.waiting >= self._most_waiting - self._waiting:
            return False
        turn: _Turn = loop.create_future()
        self._lines.setdefault(tenant_id, line).turns.setdefault(endpoint_id, {})[turn] = None
        line.waiting += 1
        self._waiting += 1
        try:
            await asyncio.wait([turn], timeout=PATIENCE_S)
        except asyncio.CancelledError:
            if turn.done():
                self.leave(tenant_id, endpoint_id)
            else:
                self._remove(tenant_id, endpoint_id, turn)
            raise
        if turn.done():
            return True
        self._remove(tenant_id, endpoint_id, turn)
        return False

    def leave(self, tenant_id: str, endpoint_id: str) -> None:
        """End a call, and let one begin that waits: of the same endpoint, of its tenant, or of another one."""
        now = self._moved = asyncio.get_running_loop().time()
        self._bounds.leave(tenant_id, endpoint_id)
        _note(self._endpoint_moved, endpoint_id, now, has_calls=self._bounds.has_calls_to(endpoint_id))
        _note(self._tenant_moved, tenant_id, now, has_calls=self._bounds.has_calls_of(tenant_id))
        if (line := self._lines.get(tenant_id)) is not None:
            if endpoint_id in line.turns and self._begin_first(tenant_id, endpoint_id):
                return
            self._lines.move_to_end(tenant_id, last=False)
        for one in list(islice(self._lines, _LOOK_AT)):
            self._lines.move_to_end(one)
            if self._begin_of(one):
                return

    def _begin(self, tenant_id: str, endpoint_id: str, now: float) -> bool:
        if not self._bounds.enter(tenant_id, endpoint_id):
            return False
        self._endpoint_moved.setdefault(endpoint_id, now)
        self._tenant_moved.setdefault(tenant_id, now)
        return True

    def _is_alive(self, tenant_id: str, endpoint_id: str) -> bool:
        """Return whether calls end: those to the endpoint, else those of its tenant, else any."""
        of_tenant = self._tenant_moved.get(tenant_id, self._moved)
        moved = self._endpoint_moved.get(endpoint_id, of_tenant)
        return asyncio.get_running_loop().time() - moved <= ALIVE_S

    def _begin_of(self, tenant_id: str) -> bool:
        turns = self._lines[tenant_id].turns
        for endpoint_id in list(islice(turns, _LOOK_AT)):
            turns.move_to_end(endpoint_id)
            if self._begin_first(tenant_id, endpoint_id):
                return True
        return False

    def _begin_first(self, tenant_id: str, endpoint_id: str) -> bool:
        """Let the call begin that has waited longest for an endpoint; return whether it may."""
        if not self._begin(tenant_id, endpoint_id, self._moved):
            return False
        turn = next(iter(self._lines[tenant_id].turns[endpoint_id]))
        self._remove(tenant_id, endpoint_id, turn)
        turn.set_result(None)
        return True

    def _remove(self, tenant_id: str, endpoint_id: str, turn: _Turn) -> None:
        line = self._lines[tenant_id]
        del line.turns[endpoint_id][turn]
        line.waiting -= 1
        self._waiting -= 1
        if not line.turns[endpoint_id]:
            del line.turns[endpoint_id]
        if not line.turns:
            del self._lines[tenant_id]


def _note(moved: dict[str, float], name: str, now: float, *, has_calls: bool) -> None:
    if has_calls:
        moved[name] = now
    else:
        moved.pop(name, None)
