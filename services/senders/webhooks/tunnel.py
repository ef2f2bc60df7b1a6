"""Opens connections: to the address that the guard has checked, or through the operator's proxy."""

import asyncio
import base64
import socket
import ssl
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from runtime.egress import EgressGuard
from runtime.egress.lookup import LookupShares
from runtime.egress.urls import WebAddress
from services.domain.reasons import Reason
from services.senders.webhooks.ports import NoAnswer
from services.senders.webhooks.wire import Connection

# Bytes of a proxy's answer to CONNECT.
_MAX_PROXY_ANSWER = 16 * 1024
# Bytes of an answer that the kernel keeps until they are read; it would let a fast sender have megabytes.
_KERNEL_BYTES = 32 * 1024
_NO_TUNNEL = "The egress proxy does not connect to the endpoint."

P = TypeVar("P", bound=asyncio.BaseProtocol)


class ProxyRefused(OSError):
    """The proxy does not answer, or opens no tunnel. The text is a sentence."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """The operator's proxy. authorization: the value of Proxy-Authorization; empty: none."""

    is_secure: bool
    host: str
    port: int
    authorization: str = ""

    @property
    def lines(self) -> str:
        """The lines of a head that the proxy needs."""
        return f"proxy-authorization: {self.authorization}\r\n" if self.authorization else ""


def read_proxy(url: str) -> Proxy | None:
    """Return the proxy of "http://user:password@proxy:3128"; None: the URL is empty. It was checked before."""
    if not url:
        return None
    parts = urllib.parse.urlsplit(url)
    account, _, _ = parts.netloc.rpartition("@")
    user = urllib.parse.unquote(account).encode()
    is_secure = parts.scheme == "https"
    return Proxy(
        is_secure,
        parts.hostname or "",
        parts.port or (443 if is_secure else 80),
        f"Basic {base64.b64encode(user).decode()}" if account else "",
    )


class Opener:
    """Opens connections for WebhookClient."""

    def __init__(self, guard: EgressGuard, proxy: Proxy | None, context: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._proxy = proxy
        self._context = context
        self._lookups = LookupShares(guard.lookup)

    async def open(self, address: WebAddress, tenant_id: str) -> Connection:
        """Return a connection over which the address is called. Raises NoAnswer, AddressNotAllowed, OSError."""
        self._guard.check_host(address.host, address.port)  # what is clear without a lookup needs none
        if self._proxy is None:
            lookup = self._lookups.of(tenant_id)
            return await self._over(await self._guard.connect(address.host, address.port, lookup=lookup), address)
        return await self._through(self._proxy, address)

    async def _over(self, connected: socket.socket, address: WebAddress) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BYTES)
            if not address.is_secure:
                _, connection = await loop.create_connection(lambda: Connection(loop), sock=connected)
                return connection
            with _handshake():
                _, connection = await loop.create_connection(
                    lambda: Connection(loop), sock=connected, ssl=self._tls(), server_hostname=_tls_name(address.host)
                )
            return connection
        except BaseException:
            connected.close()
            raise

    async def _through(self, proxy: Proxy, address: WebAddress) -> Connection:
        loop = asyncio.get_running_loop()
        if not address.is_secure:  # the proxy itself receives such a call
            return (await self._to_proxy(loop, proxy, lambda: Connection(loop)))[1]
        transport, tunnel = await self._to_proxy(loop, proxy, lambda: _Tunnel(loop))
        try:
            await tunnel.connect(transport, proxy, address)
            connection = Connection(loop)
            with _handshake():
                secured = await loop.start_tls(
                    transport, connection, self._tls(), server_hostname=_tls_name(address.host)
                )
            if secured is None:
                raise ConnectionResetError
            connection.connection_made(secured)
            return connection
        except BaseException:
            transport.abort()
            raise

    async def _to_proxy(
        self, loop: asyncio.AbstractEventLoop, proxy: Proxy, make: Callable[[], P]
    ) -> tuple[asyncio.Transport, P]:
        context = self._tls() if proxy.is_secure else None
        try:
            return await loop.create_connection(make, proxy.host, proxy.port, ssl=context)
        except TimeoutError:
            raise
        except OSError as error:
            raise ProxyRefused("The egress proxy does not answer.") from error

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:  # only processes with such an endpoint load the authorities
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context


class _handshake:  # noqa: N801 - reads as a function
    """Turns whatever ends a handshake into ENDPOINT_TLS."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, ssl.SSLCertVerificationError):
            raise NoAnswer(Reason.ENDPOINT_TLS, f"The certificate is not valid: {error.verify_message}.") from error
        if isinstance(error, ssl.SSLError):
            said = (error.reason or "an error of the handshake").replace("_", " ").lower()
            raise NoAnswer(Reason.ENDPOINT_TLS, f"No secure connection: {said}.") from error
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            detail = "No secure connection: the endpoint ended the connection during the handshake."
            raise NoAnswer(Reason.ENDPOINT_TLS, detail) from error


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._answered: asyncio.Future[bytes] = loop.create_future()
        self._answer = b""

    async def connect(self, transport: asyncio.Transport, proxy: Proxy, address: WebAddress) -> None:
        """Return once the tunnel leads to the address. Raises OSError."""
        host = f"[{address.host}]" if ":" in address.host else address.host
        place = f"{host}:{address.port}"
        transport.write(f"CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n{proxy.lines}\r\n".encode())
        head = await self._answered
        words = head.split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or words[1] != b"200":
            raise ProxyRefused(_NO_TUNNEL)

    def data_received(self, data: bytes) -> None:
        """Collect the answer's head."""
        self._answer += data
        if self._answered.done():
            return
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if (end and rest) or len(self._answer) > _MAX_PROXY_ANSWER:
            self._answered.set_exception(ProxyRefused(_NO_TUNNEL))
        elif end:
            self._answered.set_result(head)

    def connection_lost(self, _: Exception | None) -> None:
        """End the wait."""
        if not self._answered.done():
            self._answered.set_exception(ProxyRefused(_NO_TUNNEL))


def _tls_name(host: str) -> str:
    """Return the name for the certificate: without the dot at the end that DNS allows."""
    return host.removesuffix(".")
