"""Limits of connections and of bytes in unfinished requests, in total and per address."""

import asyncio
import collections
import time

from aiohttp import web
from prometheus_client import Counter, Gauge

from gateway.addresses import Proxies
from runtime import logs

MAX_CONNECTIONS = 16_384
MAX_CONNECTIONS_PER_ADDRESS = 1024
# The bytes of incomplete heads and bodies over all connections. One address may hold a quarter.
MAX_HEAD_BYTES = 16 * 1024 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024

_WARN_EVERY_S = 60.0

_open = Gauge("clarion_connections", "Open HTTP and WebSocket connections.")
_refused = Counter(
    "clarion_connections_refused_total",
    "Connections and requests refused or ended to protect the gateway, by reason.",
    ["reason"],
)

log = logs.get(__name__)


def count_refusal(reason: str) -> None:
    """Count a connection that was refused or ended before its request was handled."""
    _refused.labels(reason).inc()


class ByteBudget:
    """Limits the bytes of incomplete requests: in total, and for one address to a quarter of it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._by_address: collections.Counter[str] = collections.Counter()

    @property
    def held(self) -> int:
        """The number of bytes held now."""
        return self._held

    def take(self, address: str, size: int) -> bool:
        """Take size bytes if they are free, and return whether they were. address "": check only the total."""
        if self._held + size > self._limit or (address and self._by_address[address] + size > self._limit // 4):
            return False
        self._held += size
        if address:
            self._by_address[address] += size
        return True

    def give_back(self, address: str, size: int) -> None:
        """Release bytes that take() took."""
        self._held -= size
        if address:
            self._by_address[address] -= size
            if self._by_address[address] <= 0:
                del self._by_address[address]


class Connections:
    """Counts the open connections of one server. per_address 0: no limit per address."""

    def __init__(
        self,
        proxies: Proxies | None = None,
        *,
        limit: int = MAX_CONNECTIONS,
        per_address: int = MAX_CONNECTIONS_PER_ADDRESS,
    ) -> None:
        self._proxies = proxies or Proxies()
        self._limit = limit
        self._per_address = per_address
        self._count = 0
        self._by_address: collections.Counter[str] = collections.Counter()
        self._none = asyncio.Event()
        self._none.set()
        self._warn_from = 0.0
        self.heads = ByteBudget(MAX_HEAD_BYTES)
        self.bodies = ByteBudget(MAX_BODY_BYTES)

    def enter(self, peer: str) -> str | None:
        """Count a connection and return its address, or None if there are too many.

        The address is "" for a trusted proxy: it has many clients, so that only the total is limited.
        """
        address = self._proxies.address_of(peer)
        if self._count >= self._limit:
            self._report("connections", address)
            return None
        if address and self._per_address and self._by_address[address] >= self._per_address:
            self._report("connections_of_address", address)
            return None
        self._count += 1
        if address:
            self._by_address[address] += 1
        self._none.clear()
        _open.inc()
        return address

    def leave(self, address: str) -> None:
        """Stop counting a connection."""
        self._count -= 1
        if address:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
        if not self._count:
            self._none.set()
        _open.dec()

    async def none(self) -> None:
        """Wait until no connection is open."""
        await self._none.wait()

    def caller(self, request: web.Request) -> str:
        """Return the client address of a request."""
        return self._proxies.client_of(request)

    def _report(self, reason: str, address: str) -> None:
        count_refusal(reason)
        now = time.monotonic()
        if now >= self._warn_from:  # a flood of connections must not become a flood of log lines
            self._warn_from = now + _WARN_EVERY_S
            log.warning("connections_refused", reason=reason, address=address, open=self._count)


CONNECTIONS = web.AppKey("connections", Connections)
