"""SMTP connections that are reused: a bounded number, none idle for long."""

import asyncio
import functools
import socket
import ssl
import time
from collections import deque
from contextlib import suppress

import aiosmtplib

from runtime.egress import EgressGuard
from services.senders.channels.email.smtp.classify import SmtpPhase
from services.senders.channels.email.smtp.dial import dial
from services.senders.channels.email.smtp.settings import SmtpSettings
from services.senders.fair_semaphore import FairSemaphore

# Servers hang up on idle clients after 5 minutes (Postfix) or much less (relays).
IDLE_S = 20.0
# Some servers refuse more than a hundred messages on one connection.
_MAX_USES = 100
_GOODBYE_S = 1.0

FAILURES = (aiosmtplib.SMTPException, OSError)


class SmtpConnection:
    """One connection and the number of its uses."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.uses = 0
        self.idle_since = 0.0


class SmtpProgress:
    """How far an attempt got; classify() needs it if the attempt fails."""

    def __init__(self) -> None:
        self.phase = SmtpPhase.CONNECT


class SmtpPool:
    """The connections of one provider. Call take() and then give_back() while holding the semaphore connections."""

    def __init__(self, settings: SmtpSettings, guard: EgressGuard, *, command_s: float) -> None:
        self._settings = settings
        self._guard = guard
        self._command_s = command_s
        self.connections = FairSemaphore(settings.max_connections)
        self._idle: deque[SmtpConnection] = deque()
        self._context: ssl.SSLContext | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def idle(self) -> int:
        """Return the number of idle connections."""
        return len(self._idle)

    async def take(self, progress: SmtpProgress, *, fresh: bool = False) -> SmtpConnection:
        """Return a connection that is logged in. fresh: open a new one.

        Raises what aiosmtplib raises, OSError, ssl.SSLError.
        """
        while self._idle and not fresh:
            connection = self._idle.pop()  # the one used last, so that the others become idle and are closed
            if connection.client.is_connected:
                return connection
        return await self._open(progress)

    def give_back(self, connection: SmtpConnection, *, reusable: bool) -> None:
        """Return a connection for others to use, or close it."""
        connection.uses += 1
        if not reusable or self._closed or connection.uses >= _MAX_USES or not connection.client.is_connected:
            connection.client.close()
            return
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(IDLE_S, self._close_idle)

    def drop_idle(self) -> None:
        """Close all idle connections, because one of them was found closed by the server."""
        while self._idle:
            self._idle.pop().client.close()

    async def close(self) -> None:
        """Send QUIT on idle connections. Those in use are closed when they are given back."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        goodbyes = [_goodbye(connection.client) for connection in self._idle]
        self._idle.clear()
        await asyncio.gather(*goodbyes)

    async def _open(self, progress: SmtpProgress) -> SmtpConnection:
        settings = self._settings
        progress.phase = SmtpPhase.CONNECT
        client = await dial(
            self._guard,
            settings,
            context=await self._tls_context(),
            command_s=self._command_s,
            own_name=settings.ehlo or _own_name(),
        )
        try:
            await client.ehlo()
            if settings.tls == "starttls":
                progress.phase = SmtpPhase.TLS
                await client.starttls()
                await client.ehlo()
            if settings.username:
                progress.phase = SmtpPhase.LOGIN
                await client.login(settings.username, settings.password.reveal())
        except BaseException:
            client.close()
            raise
        return SmtpConnection(client)

    async def _tls_context(self) -> ssl.SSLContext | None:
        if self._settings.tls == "none":
            return None
        if self._context is None:
            self._context = await asyncio.to_thread(_make_context, self._settings.ca_certificate)
        return self._context

    def _close_idle(self) -> None:
        """Close connections that have been idle for too long."""
        oldest = time.monotonic() - IDLE_S
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.popleft().client.close()
        self._sweep = None
        if self._idle:
            wait = self._idle[0].idle_since - oldest
            self._sweep = asyncio.get_running_loop().call_later(wait, self._close_idle)


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    with suppress(*FAILURES):
        await client.quit(timeout=_GOODBYE_S)
    client.close()


@functools.lru_cache(maxsize=256)
def _make_context(ca_certificate: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=ca_certificate or None)


@functools.cache
def _own_name() -> str:
    name = socket.gethostname()
    return name if name.isascii() and all(c.isalnum() or c in ".-" for c in name) else "localhost"
