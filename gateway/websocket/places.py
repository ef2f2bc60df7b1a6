"""Who may have how many connections: users, addresses, and those that have not authenticated.

A connection waits until the hub has accepted its token. Those that wait have places of their own, so they take none of
the others'. Where these are full, the one that has been silent for longest gives its place to the newcomer: a page
that connects sends its token at once.
"""

import asyncio
import collections
import time
from collections import OrderedDict
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from gateway.websocket.bucket import Now
from gateway.websocket.endings import CONNECTION_LIMIT, FULL, Ending
from gateway.websocket.users import User, Users

# How long a connection may be silent before a newcomer may take its place, seconds.
SILENCE_S = 1.0

_connected = Gauge("clarion_websockets", "Browsers connected.")
_waiting = Gauge("clarion_websockets_waiting", "WebSockets that have not authenticated yet.")
refusals = Counter("clarion_websocket_refusals_total", "What was refused to browsers, by reason.", ["reason"])


@dataclass(frozen=True, slots=True)
class Limits:
    """Connections at a time."""

    connected: int
    per_address: int
    per_user: int
    waiting: int
    waiting_per_address: int

    @classmethod
    def of(cls, *, connected: int, per_address: int, per_user: int) -> "Limits":
        """Return limits that leave room for others: an address never has more than half, unless per_address is 0.

        Those that wait have a tenth besides, an address an eighth of that.
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
    """No place is left. status: for the HTTP answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Place:
    """One connection's. ended: set where the gateway ends it."""

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


class Places:
    """Gives places."""

    def __init__(self, limits: Limits, *, now: Now = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        self._users = Users(now=now)
        self._connected = 0
        self._connected_of: collections.Counter[str] = collections.Counter()
        self._waiting: set[Place] = set()
        self._waiting_of: collections.Counter[str] = collections.Counter()
        # Those that have sent nothing yet, the longest silent first; a part of the waiting.
        self._silent: OrderedDict[Place, None] = OrderedDict()

    def enter(self, address: str) -> Place:
        """Return a place among those that wait. Raises FullError."""
        if self._connected >= self._limits.connected:
            raise _full(503, "connections")
        if self._connected_of[address] >= self._limits.per_address:
            raise _full(429, "address")
        if self._waiting_of[address] >= self._limits.waiting_per_address and not self._make_room(address):
            raise _full(429, "waiting_address")
        if len(self._waiting) >= self._limits.waiting and not self._make_room():
            raise _full(503, "waiting")
        place = Place(address, self._now())
        self._waiting.add(place)
        self._waiting_of[address] += 1
        _waiting.set(len(self._waiting))
        return place

    def listen(self, place: Place) -> None:
        """Take in that the browser's turn has come to send its token."""
        place.silent_since = self._now()
        self._silent[place] = None

    def heard(self, place: Place) -> None:
        """Take in that it has sent one: it keeps its place until the hub has answered."""
        self._silent.pop(place, None)

    def admit(self, place: Place, principal: str) -> Ending | None:
        """Give an authenticated connection its place; return how it ends where there is none."""
        reason, ending = self._objection(place, principal)
        if ending is not None:
            refusals.labels(reason).inc()
            return ending
        self._stop_waiting(place)
        place.principal, place.user = principal, self._users.join(principal)
        self._connected += 1
        self._connected_of[place.address] += 1
        _connected.set(self._connected)
        return None

    def leave(self, place: Place) -> None:
        """Take the place back."""
        if place.principal is None:
            self._stop_waiting(place)
            return
        self._users.leave(place.principal)
        self._connected -= 1
        _take_one(self._connected_of, place.address)
        _connected.set(self._connected)

    def _objection(self, place: Place, principal: str) -> tuple[str, Ending | None]:
        if self._users.connections(principal) >= self._limits.per_user:
            return "user", CONNECTION_LIMIT
        if self._connected >= self._limits.connected:
            return "connections", FULL
        if self._connected_of[place.address] >= self._limits.per_address:
            return "address", FULL
        return "", None

    def _make_room(self, address: str | None = None) -> bool:
        """End the connection that has been silent for longest, of this address where one is given."""
        latest = self._now() - SILENCE_S
        for place in self._silent:
            if place.silent_since > latest:
                return False
            if address in (None, place.address):
                refusals.labels("silent").inc()
                self._stop_waiting(place)
                place.end(FULL)
                return True
        return False

    def _stop_waiting(self, place: Place) -> None:
        self._silent.pop(place, None)
        if place in self._waiting:
            self._waiting.discard(place)
            _take_one(self._waiting_of, place.address)
            _waiting.set(len(self._waiting))


def _take_one(counts: collections.Counter[str], key: str) -> None:
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]


def _full(status: int, reason: str) -> FullError:
    refusals.labels(reason).inc()
    if status == 429:
        return FullError(status, "Too many connections from this address; close some, or connect again shortly.")
    return FullError(status, "No further connection can be taken; connect again shortly.")
