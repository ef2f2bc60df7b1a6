"""Sessions of console users: found by the cookie at ingest, and remembered for two seconds."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from clarion.ingest.v1 import console_users_pb2
from gateway.access.asker import Asker, Membership
from gateway.access.roles import Role
from gateway.browser_sessions import PublicAddress, SessionCookie, csrf_token, is_equal
from gateway.clients import Clients
from runtime.errors import ClarionError, Code

COOKIE = "clarion_session"
CSRF_HEADER = "X-CSRF-Token"
# With "true": the page asks by itself, as nobody has touched it for a while. Then the session may become idle.
UNATTENDED_HEADER = "X-Clarion-Unattended"
# How long an answer is believed, seconds: a session that was revoked, and a role that was taken away, end within it.
TTL_S = 2.0
MAX_REMEMBERED = 10_000
# Sessions that ingest is asked for at a time.
_MAX_ASKED = 64

# Beside the digest of a token.
_UNATTENDED = b" unattended"
_READING = frozenset({"GET", "HEAD"})


class ConsoleSessions:
    """Finds who asks by the session's cookie."""

    def __init__(self, clients: Clients, address: PublicAddress, *, now: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._now = now
        self._known: OrderedDict[bytes, tuple[float, Asker]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Asker]] = {}
        self._turns = asyncio.Semaphore(_MAX_ASKED)
        self.cookie = SessionCookie(address, COOKIE)

    async def find(self, request: web.Request, *, is_use: bool = True) -> Asker | None:
        """Return who asks; None: the request has no cookie. Raises UNAUTHENTICATED, or FORBIDDEN for a forgery.

        is_use: as of_token() takes it, if the request does not say that it is unattended.
        """
        token = self.cookie.token(request)
        if not token:
            return None
        asker = await self.of_token(token, is_use=is_use and request.headers.get(UNATTENDED_HEADER) != "true")
        if request.method not in _READING:
            self.cookie.check_origin(request)
            if not is_equal(csrf_of(token), request.headers.get(CSRF_HEADER, "")):
                raise ClarionError(
                    Code.FORBIDDEN,
                    f"Send the header {CSRF_HEADER} with the csrf_token of GET /api/v1/admin/session. If this is the"
                    " console: load the page again.",
                )
        return asker

    async def of_token(self, token: str, *, is_use: bool = True) -> Asker:
        """Return whose session a token is. Raises UNAUTHENTICATED.

        is_use: the person does something; else the session is not kept from becoming idle.
        """
        digest = hashlib.sha256(token.encode()).digest()
        # What was found without a use is no answer to one, which is to be noted.
        place = digest if is_use else digest + _UNATTENDED
        for known in (self._known.get(digest), self._known.get(place)):
            if known is not None and self._now() < known[0]:
                return known[1]
        task = self._asking.get(place)
        if task is None:
            task = self._asking[place] = asyncio.create_task(self._fetch(place, token, is_use=is_use))
            task.add_done_callback(lambda _: self._asking.pop(place, None))
        # Shielded: if one caller is cancelled, the others still get the answer.
        return await asyncio.shield(task)

    def forget_all(self) -> None:
        """Ask for each session again: this gateway has changed what they may do."""
        self._known.clear()
        self._asking.clear()

    async def _fetch(self, place: bytes, token: str, *, is_use: bool) -> Asker:
        self._known.pop(place, None)
        asked_at = self._now()
        wire = console_users_pb2.GetConsoleSessionRequest(token=token, unattended=not is_use)
        async with self._turns:
            answer = await self._clients.call(self._clients.console_users.GetConsoleSession, wire)
        asker = _asker(answer, token)
        if self._asking.get(place) is asyncio.current_task():  # not forgotten meanwhile
            self._known[place] = (asked_at + TTL_S, asker)
            while len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return asker


def csrf_of(token: str) -> str:
    """Return what the changing calls of a session carry beside its cookie."""
    return csrf_token("console call", token)


def _asker(answer: console_users_pb2.GetConsoleSessionResponse, token: str) -> Asker:
    user, session = answer.user, answer.session
    return Asker(
        name=user.name or user.email,
        memberships=tuple(
            Membership(one.account_id or None, one.tenant_id or None, Role(one.role)) for one in user.memberships
        ),
        user_id=user.id,
        session_id=session.id,
        email=user.email,
        tenants={one.tenant_id: Role(one.role) for one in answer.tenants},
        expires_at_us=session.expires_at_us,
        ends_at_us=session.ends_at_us,
        token=token,
    )
