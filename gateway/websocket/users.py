"""The connections and subscribe rates of each user. Rates survive reconnections."""

import time
from collections import OrderedDict

from gateway.websocket.token_bucket import Now, TokenBucket

# Subscriptions of one user over all connections: enough for 32 pages with 128 channels each.
SUBSCRIBES_BURST = 4096
SUBSCRIBES_PER_SECOND = 64.0
# Subscriptions to channels that the token does not list: tokens of an earlier version list none.
UNLISTED_BURST = 128
UNLISTED_PER_SECOND = 0.1
# The number of disconnected users whose rates are remembered. Past it the oldest is forgotten.
MAX_GONE = 10_000


class User:
    """The state of one user."""

    __slots__ = ("connections", "subscribes", "unlisted")

    def __init__(self, now: Now = time.monotonic) -> None:
        self.connections = 0
        self.subscribes = TokenBucket(SUBSCRIBES_BURST, SUBSCRIBES_PER_SECOND, now=now)
        self.unlisted = TokenBucket(UNLISTED_BURST, UNLISTED_PER_SECOND, now=now)


class Users:
    """All connected users, and recently disconnected ones."""

    def __init__(self, *, max_gone: int = MAX_GONE, now: Now = time.monotonic) -> None:
        self._max_gone = max_gone
        self._now = now
        self._here: dict[str, User] = {}
        self._gone: OrderedDict[str, User] = OrderedDict()

    def connections(self, principal: str) -> int:
        """Return the number of the user's connections."""
        user = self._here.get(principal)
        return user.connections if user is not None else 0

    def join(self, principal: str) -> User:
        """Count a new connection of the user."""
        user = self._here.get(principal)
        if user is None:
            user = self._gone.pop(principal) if principal in self._gone else User(self._now)
            self._here[principal] = user
        user.connections += 1
        return user

    def leave(self, principal: str) -> None:
        """Count a closed connection of the user."""
        user = self._here[principal]
        user.connections -= 1
        if user.connections:
            return
        del self._here[principal]
        if user.subscribes.is_full and user.unlisted.is_full:
            return
        self._gone[principal] = user
        if len(self._gone) > self._max_gone:
            self._gone.popitem(last=False)
