"""Connections to endpoints that are kept for the next call.

They are shared by the endpoints of one tenant at one host and port, never by two tenants. Where many are in use at a
place that answers, a call waits a moment for one of them: connecting costs more than a call.
"""

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from services.senders.webhooks.wire import Connection

# Tenant, scheme, host, port.
Place: TypeAlias = tuple[str, str, str, int]

Uniform: TypeAlias = Callable[[float, float], float]

_SWEEP_S = 1.0
_JITTER = 0.2
# A server that says when it closes an idle connection is not used in its last second.
_MARGIN_S = 1.0


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """total, of_place: connections that wait for a call. idle_s: how long one waits, up to a fifth less.

    shared: from so many calls under way on a call waits for a connection, for wait_s seconds, if one became free within
    the last wait_s seconds.
    """

    total: int = 512
    of_place: int = 64
    idle_s: float = 15.0
    shared: int = 32
    wait_s: float = 0.1


@dataclass(slots=True)
class _Connections:
    idle: list[Connection] = field(default_factory=list)
    waiting: "deque[asyncio.Future[Connection | None]]" = field(default_factory=deque)
    in_use: int = 0
    freed_at: float = float("-inf")


class ConnectionPool:
    """The kept connections of the process. Every acquire() needs one release()."""

    def __init__(self, limits: PoolLimits | None = None, *, uniform: Uniform = random.uniform) -> None:
        self._limits = limits or PoolLimits()
        self._uniform = uniform
        self._places: dict[Place, _Connections] = {}
        # Those that wait for a call, the longest first.
        self._idle: OrderedDict[Connection, Place] = OrderedDict()
        self._sweeping: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> int:
        """The number of connections that wait for a call."""
        return len(self._idle)

    async def acquire(self, place: Place) -> Connection | None:
        """Return a connection for one call; None: the caller opens one."""
        found = self._places.get(place)
        if found is None:
            found = self._places[place] = _Connections()
        connection = self._pop(found)
        loop = asyncio.get_running_loop()
        if (
            connection is None
            and found.in_use >= self._limits.shared
            and loop.time() - found.freed_at < self._limits.wait_s
        ):
            found.in_use += 1
            return await self._wait(loop, place, found)
        found.in_use += 1
        return connection

    def release(self, place: Place, connection: Connection | None) -> None:
        """End a call. connection: the one that it used; None: it has none any more."""
        found = self._places[place]
        loop = asyncio.get_running_loop()
        now = loop.time()
        found.in_use -= 1
        if connection is not None and not connection.is_reusable:
            connection.close()
            connection = None
        if connection is not None:
            found.freed_at = now
        while found.waiting:
            waiter = found.waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is not None:
            self._keep(place, found, connection, now)
        if not found.in_use and not found.idle:
            del self._places[place]

    def close(self) -> None:
        """Close all connections that wait for a call."""
        for connection in list(self._idle):
            self._drop(connection)
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    async def _wait(self, loop: asyncio.AbstractEventLoop, place: Place, found: _Connections) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        found.waiting.append(waiter)
        timer = loop.call_later(self._limits.wait_s, _give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            self.release(place, waiter.result() if waiter.done() and not waiter.cancelled() else None)
            raise
        finally:
            timer.cancel()

    def _keep(self, place: Place, found: _Connections, connection: Connection, now: float) -> None:
        idle_s = self._limits.idle_s
        if connection.keep_s:
            idle_s = min(idle_s, connection.keep_s - _MARGIN_S)
        if idle_s <= 0 or len(found.idle) >= self._limits.of_place:
            connection.close()
            return
        connection.expires_at = now + idle_s * (1 - self._uniform(0, _JITTER))
        found.idle.append(connection)
        self._idle[connection] = place
        if len(self._idle) > self._limits.total:
            self._drop(next(iter(self._idle)))
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    def _pop(self, found: _Connections) -> Connection | None:
        """Return the connection that was used last: the others may become too old."""
        now = asyncio.get_running_loop().time() if found.idle else 0.0
        while found.idle:
            connection = found.idle.pop()
            del self._idle[connection]
            if connection.is_open and connection.expires_at > now:
                return connection
            connection.close()
        return None

    def _sweep(self) -> None:
        self._sweeping = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._idle):
            if not connection.is_open or connection.expires_at <= now:
                self._drop(connection)
        if self._idle:
            self._sweeping = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    def _drop(self, connection: Connection) -> None:
        place = self._idle.pop(connection)
        found = self._places[place]
        found.idle.remove(connection)
        connection.close()
        if not found.in_use and not found.idle:
            del self._places[place]


def _give_up(waiter: "asyncio.Future[Connection | None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
