"""The HTTP client of webhooks: guarded connections that are kept, and one deadline for all of a call.

docs/egress.md says what is connected to, the README of this folder how the client was chosen.
"""

import asyncio
import os
import socket

from prometheus_client import Counter, Gauge

from runtime import tracing
from runtime.egress import AddressNotAllowed, EgressGuard
from services.domain.reasons import Reason
from services.senders.webhooks.bounds import Limits
from services.senders.webhooks.calls import Calls
from services.senders.webhooks.pool import ConnectionPool, Place, PoolLimits
from services.senders.webhooks.ports import Answer, Call, NoAnswer
from services.senders.webhooks.tunnel import Opener, ProxyRefused, read_proxy
from services.senders.webhooks.wire import Connection, ConnectionEnded

# From the lookup of the name to the last byte of the answer, seconds.
TIMEOUT_S = 10.0

_OPENED = Counter("clarion_webhook_connections_total", "Connections to endpoints that were opened.")
_UNDER_WAY = Gauge("clarion_webhook_calls_under_way", "Calls of endpoints that are under way.")


class WebhookClient:
    """See ports.WebhookTransport. It follows no redirects, keeps no cookies and decompresses nothing.

    proxy: as in services.senders.http.HttpClient. timeout_s: for all of a call.
    """

    def __init__(
        self,
        guard: EgressGuard,
        *,
        proxy: str = "",
        timeout_s: float = TIMEOUT_S,
        limits: Limits | None = None,
        pool_limits: PoolLimits | None = None,
        opener: Opener | None = None,
    ) -> None:
        self._proxy = read_proxy(proxy)
        self._opener = opener or Opener(guard, self._proxy)
        self._timeout_s = timeout_s
        self._calls = Calls(limits or Limits())
        self._pool = ConnectionPool(pool_limits)

    @property
    def under_way(self) -> int:
        """The number of calls that are under way."""
        return self._calls.under_way

    @property
    def idle(self) -> int:
        """The number of connections that wait for a call."""
        return self._pool.idle

    async def post(self, call: Call) -> Answer:
        """See ports.WebhookTransport."""
        if not await self._calls.enter(call.tenant_id, call.endpoint_id):
            raise NoAnswer(Reason.ENDPOINT_BUSY, "As many calls are under way as may be.")
        _UNDER_WAY.set(self._calls.under_way)
        try:
            if not tracing.is_on():
                return await self._post(call)
            with tracing.web_client("POST", call.address.host, call.address.port) as span:
                answer = await self._post(call)
                span.status(answer.status)
                return answer
        finally:
            self._calls.leave(call.tenant_id, call.endpoint_id)
            _UNDER_WAY.set(self._calls.under_way)

    async def close(self) -> None:
        """Close the connections that wait for a call."""
        self._pool.close()

    async def _post(self, call: Call) -> Answer:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        address = call.address
        place: Place = (call.tenant_id, address.scheme, address.host, address.port)
        connection = await self._pool.acquire(place)
        try:
            if connection is not None:
                try:
                    return await connection.exchange(self._head(call), call.body, deadline)
                except ConnectionEnded:  # the server had closed it: nothing was read, another connection is tried
                    connection = None
            connection = await self._open(call, deadline)
            try:
                return await connection.exchange(self._head(call), call.body, deadline)
            except ConnectionEnded:
                detail = "The endpoint ended the connection without an answer."
                raise NoAnswer(Reason.ENDPOINT_UNREACHABLE, detail) from None
        finally:
            self._pool.release(place, connection)

    async def _open(self, call: Call, deadline: float) -> Connection:
        try:
            async with asyncio.timeout_at(deadline):
                connection = await self._opener.open(call.address, call.tenant_id)
        except TimeoutError as error:
            raise NoAnswer(Reason.ENDPOINT_TIMEOUT, "No connection to the endpoint was possible in time.") from error
        except AddressNotAllowed as error:
            raise NoAnswer(Reason.ADDRESS_NOT_ALLOWED, str(error)) from error
        except OSError as error:
            raise NoAnswer(Reason.ENDPOINT_UNREACHABLE, _why(error)) from error
        _OPENED.inc()
        return connection

    def _head(self, call: Call) -> bytes:
        if self._proxy is None or call.address.is_secure:
            return call.head
        # The request line of a call that a proxy receives names the whole address.
        first = call.head.replace(b"POST ", f"POST http://{call.address.place}".encode(), 1)
        return first + self._proxy.lines.encode()


def _why(error: OSError) -> str:
    """Return why there is no connection, without the address that a name led to."""
    if isinstance(error, socket.gaierror):
        return "The name of the endpoint's host has no address."
    if isinstance(error, ProxyRefused):
        return str(error)
    if error.errno:
        return f"No connection to the endpoint: {os.strerror(error.errno)}."
    return "No connection to the endpoint was possible."
