"""Limits of WebSockets per user and address, and of those that have not authenticated.

A connection counts as waiting until the hub has accepted its token. Waiting connections have slots of their own. If
these are full, the connection that has been silent for the longest time is closed, because a real page sends its token
at once.
"""

import asyncio
import collections
import time
from collections import OrderedDict
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from gateway.websocket.endings import CONNECTION_LIMIT, FULL, Ending
from gateway.websocket.token_bucket import Now
from gateway.websocket.users import User, Users

# A connection that has been silent this long can lose its slot to a new one, in seconds.
SILENCE_S = 1.0

_connected = Gauge("clarion_websockets", "Browsers connected.")
_waiting = Gauge("clarion_websockets_waiting", "WebSockets that have not authenticated yet.")
refusals = Counter("clarion_websocket_refusals_total", "What was refused to browsers, by reason.", ["reason"])


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """The largest numbers of connections at a time."""

    connected: int
    per_address: int
    per_user: int
    waiting: int
    waiting_per_address: int

    @classmethod
    def of(cls, *, connected: int, per_address: int, per_user: int) -> "SlotLimits":
        """Return the limits. One address never gets more than half of the slots, unless per_address is 0.

        Waiting connections get a tenth in addition, one address an eighth of that.
        """
        waiting = max(16, connected // 10)
        return cls(
            connected=connected,
            per_address=min(per_address, max(1, connected // 2)) if per_address else connected,
            per_user=per_user,
            waiting=waiting,
            waiting_per_address=max(4, waiting // 8),
        )


class FullError(Exception):
    """There is no free slot. status: of the HTTP response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ConnectionSlot:
    """The slot of one connection. ended: set when the gateway ends it."""

    def __init__(self, address: str, now: float) -> None:
        self.address = address
        self.silent_since = now
        self.principal: str | None = None
        self.user: User | None = None
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def end(self, ending: Ending) -> None:
        """End the connection."""
        if not self.ended.done():
            self.ended.set_result(ending)


class ConnectionSlots:
    """Assigns slots to connections."""

    def __init__(self, limits: SlotLimits, *, now: Now = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        self._users = Users(now=now)
        self._connected = 0
        self._connected_of: collections.Counter[str] = collections.Counter()
        self._waiting: set[ConnectionSlot] = set()
        self._waiting_of: collections.Counter[str] = collections.Counter()
        # Waiting connections that have sent nothing yet, the oldest first.
        self._silent: OrderedDict[ConnectionSlot, None] = OrderedDict()

    def enter(self, address: str) -> ConnectionSlot:
        """Return a slot for a new, waiting connection. Raises FullError."""
        if self._connected >= self._limits.connected:
            raise _full(503, "connections")
        if self._connected_of[address] >= self._limits.per_address:
            raise _full(429, "address")
        if self._waiting_of[address] >= self._limits.waiting_per_address and not self._make_room(address):
            raise _full(429, "waiting_address")
        if len(self._waiting) >= self._limits.waiting and not self._make_room():
            raise _full(503, "waiting")
        slot = ConnectionSlot(address, self._now())
        self._waiting.add(slot)
        self._waiting_of[address] += 1
        _waiting.set(len(self._waiting))
        return slot

    def listen(self, slot: ConnectionSlot) -> None:
        """Start to wait for the browser's token."""
        slot.silent_since = self._now()
        self._silent[slot] = None

    def heard(self, slot: ConnectionSlot) -> None:
        """Note that the browser sent its token: it keeps its slot until the hub has answered."""
        self._silent.pop(slot, None)

    def admit(self, slot: ConnectionSlot, principal: str) -> Ending | None:
        """Move an authenticated connection out of the waiting ones. Return its ending if there are too many."""
        reason, ending = self._objection(slot, principal)
        if ending is not None:
            refusals.labels(reason).inc()
            return ending
        self._stop_waiting(slot)
        slot.principal, slot.user = principal, self._users.join(principal)
        self._connected += 1
        self._connected_of[slot.address] += 1
        _connected.set(self._connected)
        return None

    def leave(self, slot: ConnectionSlot) -> None:
        """Release the slot."""
        if slot.principal is None:
            self._stop_waiting(slot)
            return
        self._users.leave(slot.principal)
        self._connected -= 1
        _take_one(self._connected_of, slot.address)
        _connected.set(self._connected)

    def _objection(self, slot: ConnectionSlot, principal: str) -> tuple[str, Ending | None]:
        if self._users.connections(principal) >= self._limits.per_user:
            return "user", CONNECTION_LIMIT
        if self._connected >= self._limits.connected:
            return "connections", FULL
        if self._connected_of[slot.address] >= self._limits.per_address:
            return "address", FULL
        return "", None

    def _make_room(self, address: str | None = None) -> bool:
        """End the connection that has been silent for the longest time, of this address if one is given."""
        latest = self._now() - SILENCE_S
        for slot in self._silent:
            if slot.silent_since > latest:
                return False
            if address in (None, slot.address):
                refusals.labels("silent").inc()
                self._stop_waiting(slot)
                slot.end(FULL)
                return True
        return False

    def _stop_waiting(self, slot: ConnectionSlot) -> None:
        self._silent.pop(slot, None)
        if slot in self._waiting:
            self._waiting.discard(slot)
            _take_one(self._waiting_of, slot.address)
            _waiting.set(len(self._waiting))


def _take_one(counts: collections.Counter[str], key: str) -> None:
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]


def _full(status: int, reason: str) -> FullError:
    refusals.labels(reason).inc()
    if status == 429:
        return FullError(status, "Too many connections from this address; close some, or connect again shortly.")
    return FullError(status, "Too many connections; connect again shortly.")
