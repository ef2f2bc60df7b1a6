"""SMTP connections, kept for reuse: at most so many, and none idle for long."""

import asyncio
import functools
import socket
import ssl
import time
from collections import deque
from contextlib import suppress

import aiosmtplib

from runtime.egress import EgressGuard
from services.senders.channels.email.smtp.classify import Phase
from services.senders.channels.email.smtp.dial import dial
from services.senders.channels.email.smtp.settings import SmtpSettings
from services.senders.turns import Turns

# Servers hang up on idle clients after 5 minutes (Postfix) or much less (relays).
IDLE_S = 20.0
# Some servers refuse more than a hundred messages on one connection.
_MAX_USES = 100
_GOODBYE_S = 1.0

FAILURES = (aiosmtplib.SMTPException, OSError)


class Connection:
    """One connection, and how often it was used."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.uses = 0
        self.idle_since = 0.0


class Progress:
    """How far an attempt got, for the one who has to explain its end."""

    def __init__(self) -> None:
        self.phase = Phase.CONNECT


class Pool:
    """The connections of one provider. Every take() is followed by one give_back(), and happens within a turn."""

    def __init__(self, settings: SmtpSettings, guard: EgressGuard, *, command_s: float) -> None:
        self._settings = settings
        self._guard = guard
        self._command_s = command_s
        self.turns = Turns(settings.max_connections)
        self._idle: deque[Connection] = deque()
        self._context: ssl.SSLContext | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def idle(self) -> int:
        """How many connections wait to be used again."""
        return len(self._idle)

    async def take(self, progress: Progress, *, fresh: bool = False) -> Connection:
        """Return a connection that is logged in; fresh: one that was not used before.

        Raises what aiosmtplib raises, OSError, ssl.SSLError.
        """
        while self._idle and not fresh:
            connection = self._idle.pop()  # the one used last: the others may grow old and be closed
            if connection.client.is_connected:
                return connection
        return await self._open(progress)

    def give_back(self, connection: Connection, *, reusable: bool) -> None:
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
        """Close what lies idle: one of them was found dead, so the others are suspect."""
        while self._idle:
            self._idle.pop().client.close()

    async def close(self) -> None:
        """Say goodbye on idle connections; those in use are closed when given back."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        goodbyes = [_goodbye(connection.client) for connection in self._idle]
        self._idle.clear()
        await asyncio.gather(*goodbyes)

    async def _open(self, progress: Progress) -> Connection:
        settings = self._settings
        progress.phase = Phase.CONNECT
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
                progress.phase = Phase.TLS
                await client.starttls()
                await client.ehlo()
            if settings.username:
                progress.phase = Phase.LOGIN
                await client.login(settings.username, settings.password.reveal())
        except BaseException:
            client.close()
            raise
        return Connection(client)

    async def _tls_context(self) -> ssl.SSLContext | None:
        if self._settings.tls == "none":
            return None
        if self._context is None:
            self._context = await asyncio.to_thread(_make_context, self._settings.ca_certificate)
        return self._context

    def _close_idle(self) -> None:
        """Close what has been idle for too long; oldest first."""
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
