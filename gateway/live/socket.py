"""The WebSocket of one page: commands in, changes out, until its session or its time ends."""

import asyncio
import collections
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from prometheus_client import Counter, Gauge

from gateway.access.asker import ASKER, Asker
from gateway.access.roles import Role
from gateway.access.sessions import ConsoleSessions
from gateway.life import Life
from gateway.live.hub import LiveHub
from gateway.live.page import Page
from gateway.live.watches import Command, Watch, fault_of, read_command
from runtime import logs
from runtime.errors import ClarionError, Code

# Seconds: how long a socket stays open; how often the session is looked at; how long a page may take to read a message.
LIFE_S = 600.0
CHECK_S = 5.0
SEND_S = 10.0
_HEARTBEAT_S = 25.0
# Open sockets of a gateway, and of one person or token.
MAX_PAGES = 512
MAX_PAGES_OF_ONE = 64
# Of a command; and how many of them in ten seconds.
_MAX_COMMAND_BYTES = 4 * 1024
_MAX_COMMANDS, _COMMANDS_S = 100, 10.0

# Why the gateway ends a socket. After RENEW the page opens another one at once. SESSION_ENDED: somebody has to sign in,
# or may see other tenants now.
RENEW, SESSION_ENDED, TOO_SLOW, BAD_COMMAND = 4001, 4002, 4003, 4004

_open = Gauge("clarion_live_pages", "Open pages that watch events.")
_ended = Counter("clarion_live_pages_ended_total", "Pages that the gateway stopped telling, by reason.", ["reason"])

log = logs.get(__name__)


class LiveSockets:
    """Serves GET /live."""

    def __init__(
        self, hub: LiveHub, sessions: ConsoleSessions, life: Life, *, life_s: float = LIFE_S, check_s: float = CHECK_S
    ) -> None:
        self._hub = hub
        self._sessions = sessions
        self._life = life
        self._life_s = life_s
        self._check_s = check_s
        self._sockets: set[web.WebSocketResponse] = set()
        self._of_one: collections.Counter[str] = collections.Counter()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send changes until the socket ends. Raises ClarionError before it is open."""
        asker = request[ASKER]
        if asker.is_person:  # a browser sends the cookie for a page of any site
            self._sessions.cookie.check_origin(request)
        if not web.WebSocketResponse().can_prepare(request):
            raise ClarionError(Code.INVALID, "This path speaks WebSocket only.")
        if not self._life.serving:
            raise ClarionError(Code.UNAVAILABLE, "The gateway is shutting down. Connect again.", retry_after=1)
        if len(self._sockets) >= MAX_PAGES or self._of_one[asker.actor] >= MAX_PAGES_OF_ONE:
            raise ClarionError(Code.OVERLOADED, "Too many open pages. Close some, or wait.", retry_after=5)
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_MAX_COMMAND_BYTES, compress=False)
        await socket.prepare(request)
        self._sockets.add(socket)
        self._of_one[asker.actor] += 1
        _open.inc()
        try:
            await self._talk(socket, asker)
        finally:
            _open.dec()
            self._sockets.discard(socket)
            self._of_one[asker.actor] -= 1
            if not self._of_one[asker.actor]:
                del self._of_one[asker.actor]
        return socket

    async def close_all(self, _app: web.Application) -> None:
        """Ask every page to connect again."""
        closing = (socket.close(code=WSCloseCode.GOING_AWAY, message=b"restarting") for socket in list(self._sockets))
        await asyncio.gather(*closing, return_exceptions=True)
        await self._hub.close()

    async def _talk(self, socket: web.WebSocketResponse, asker: Asker) -> None:
        page = Page()
        self._hub.join(page)
        parts: tuple[Callable[[], Awaitable[tuple[int, str]]], ...] = (
            lambda: self._read(socket, page, asker),
            lambda: _send(socket, page),
            lambda: self._watch_session(asker),
            self._grow_old,
        )
        tasks = [asyncio.ensure_future(part()) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            code, reason = next(iter(done)).result()
        finally:
            self._hub.leave(page)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if code:
            _ended.labels(reason).inc()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await socket.close(code=code, message=reason.encode())

    async def _read(self, socket: web.WebSocketResponse, page: Page, asker: Asker) -> tuple[int, str]:
        """Follow the page's commands. Return why the socket is to be closed; 0: the page has closed it."""
        times: collections.deque[float] = collections.deque(maxlen=_MAX_COMMANDS)
        async for message in socket:
            now = time.monotonic()
            if len(times) == _MAX_COMMANDS and now - times[0] < _COMMANDS_S:
                return BAD_COMMAND, "too many commands"
            times.append(now)
            if message.type is not WSMsgType.TEXT:
                return BAD_COMMAND, "not a command"
            try:
                command = read_command(message.data)
            except (msgspec.DecodeError, ValueError, RecursionError):
                return BAD_COMMAND, "not a command"
            self._do(command, page, asker)
        return 0, ""

    def _do(self, command: Command, page: Page, asker: Asker) -> None:
        if command.type == "unwatch":
            page.unwatch(command.id)
            return
        if fault := fault_of(command):
            page.refuse(command.id, fault)
            return
        tenants = _tenants(asker, command.tenant_id)
        if tenants is not None and not tenants:
            page.refuse(command.id, "There is no such tenant, or you may not see it.")
        elif not page.watch(Watch(command.id, tenants, command)):
            page.refuse(command.id, "The page watches as much as it may.")
        self._hub.watches_changed()

    async def _watch_session(self, asker: Asker) -> tuple[int, str]:
        """Return when the session has ended, or the person may see other tenants than at the beginning."""
        if not asker.is_person:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(self._check_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
            try:
                now = await self._sessions.of_token(asker.token, is_use=False)
            except ClarionError as error:
                if error.code is Code.UNAUTHENTICATED:
                    return SESSION_ENDED, "the session has ended"
                continue  # nobody knows: ingest is away
            if _tenants(now, "") != _tenants(asker, ""):
                return SESSION_ENDED, "the roles have changed"

    async def _grow_old(self) -> tuple[int, str]:
        await asyncio.sleep(self._life_s * random.uniform(0.8, 1.0))  # noqa: S311 - jitter, not a secret
        return RENEW, "renew"


async def _send(socket: web.WebSocketResponse, page: Page) -> tuple[int, str]:
    """Send what the page is to get. Return when it does not read."""
    while True:
        message = await page.next()
        try:
            async with asyncio.timeout(SEND_S):
                await socket.send_str(message)
        except (ConnectionError, RuntimeError):
            return 0, ""
        except TimeoutError:
            return TOO_SLOW, "too slow"


def _tenants(asker: Asker, tenant_id: str) -> frozenset[str] | None:
    """Return whose events somebody sees, of one tenant or of all; None: of all there are; empty: none."""
    if tenant_id:
        return frozenset({tenant_id}) if asker.in_tenant(tenant_id) >= Role.VIEWER else frozenset()
    tenants = asker.tenants_with(Role.VIEWER)
    return None if tenants is None else frozenset(tenants)
