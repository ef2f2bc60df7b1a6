"""Who uses the portal: the session in a cookie, the token against forged requests, and what a role allows."""

import asyncio
import contextlib
import hashlib
import hmac
import time
from dataclasses import dataclass, field

from aiohttp import web

from clarion.ingest.v1 import tenants_pb2
from clarion.router.v1 import portal_pb2
from gateway.addresses import FailedAttempts
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.portal.links import PublicAddress
from runtime.errors import ClarionError, Code

# A browser takes the first name over https only, and from no other host of the domain.
SECURE_COOKIE, COOKIE = "__Host-clarion_portal", "clarion_portal"
_MAX_TOKEN = 256
# Questions to the router at a time for addresses with too many failures; a valid session is accepted all the same.
MAX_GUESSES = 16


@dataclass(frozen=True, slots=True)
class Session:
    """An open portal: one application of one tenant. token: of the cookie."""

    tenant_id: str
    application_id: str
    may_write: bool
    expires_at_us: int
    token: str = field(repr=False)

    @property
    def csrf(self) -> str:
        """What each form of this session carries. It does not reveal the token."""
        return hashlib.sha256(b"portal form " + self.token.encode()).hexdigest()

    @property
    def actor(self) -> str:
        """The name in the audit log."""
        return f"portal:{self.application_id}"


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, clients: Clients, address: PublicAddress, attempts: FailedAttempts) -> None:
        self._clients = clients
        self._address = address
        self._attempts = attempts
        self._guesses = asyncio.Semaphore(MAX_GUESSES)

    async def open(self, request: web.Request, code: str) -> Session:
        """Make a session of a link's code, once. Raises UNAUTHENTICATED."""
        try:
            if not 0 < len(code) <= _MAX_TOKEN:
                raise ClarionError(Code.UNAUTHENTICATED, "The link is not complete.")
            wire = portal_pb2.OpenPortalSessionRequest(code=code)
            async with self._turn(request):
                answer = await self._clients.call(self._clients.portal.OpenPortalSession, wire)
        except ClarionError as error:
            raise self._attempts.refusal(request, error) from None
        return await self._checked(request, answer.token, answer.session)

    async def find(self, request: web.Request) -> Session:
        """Return the session of the request's cookie. Raises UNAUTHENTICATED."""
        token = request.cookies.get(self._cookie(request), "")
        if not 0 < len(token) <= _MAX_TOKEN or not token.isascii():
            raise ClarionError(Code.UNAUTHENTICATED, "There is no session.")
        try:
            wire = portal_pb2.GetPortalSessionRequest(token=token)
            async with self._turn(request):
                answer = await self._clients.call(self._clients.portal.GetPortalSession, wire)
        except ClarionError as error:
            raise self._attempts.refusal(request, error) from None
        return await self._checked(request, token, answer.session)

    async def end(self, session: Session) -> None:
        """End a session."""
        wire = portal_pb2.EndPortalSessionRequest(token=session.token)
        await self._clients.call(self._clients.portal.EndPortalSession, wire)

    def keep(self, request: web.Request, response: web.Response, session: Session) -> None:
        """Give the browser the session's cookie."""
        is_secure = self._address.is_secure(request)
        response.set_cookie(
            self._cookie(request),
            session.token,
            max_age=max(0, int(session.expires_at_us / 1_000_000 - time.time())),
            path="/" if is_secure else "/portal",
            secure=is_secure,
            httponly=True,
            samesite="Strict",
        )

    def drop(self, request: web.Request, response: web.Response) -> None:
        """Let the browser forget the session's cookie."""
        is_secure = self._address.is_secure(request)
        response.del_cookie(
            self._cookie(request),
            path="/" if is_secure else "/portal",
            secure=is_secure,
            httponly=True,
            samesite="Strict",
        )

    def check_origin(self, request: web.Request) -> None:
        """Raise FORBIDDEN if a page of another site sent the form."""
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = request.headers.get("Origin", "")
        known = (self._address.origin(request), f"{request.scheme}://{request.host}")
        if site != "same-origin" or (origin and origin not in known):
            raise ClarionError(Code.FORBIDDEN, "This form was sent by another site.")

    @staticmethod
    def check_form(session: Session, shown: str) -> None:
        """Raise FORBIDDEN if the form is not one of this session. shown: what it carries."""
        if not hmac.compare_digest(session.csrf.encode(), shown.encode()):
            raise ClarionError(Code.FORBIDDEN, "The form is out of date. Load the page again.")

    def _turn(self, request: web.Request) -> "contextlib.AbstractAsyncContextManager[None]":
        """Return what waits for its turn if the address failed too often, so that guesses do not occupy the router."""
        return self._guesses if self._attempts.is_spent(request) else contextlib.nullcontext()

    async def _checked(self, request: web.Request, token: str, found: portal_pb2.PortalSession) -> Session:
        """Return the session. Raises UNAUTHENTICATED if its tenant is not active."""
        request[TENANT_ID] = found.tenant_id
        wire = tenants_pb2.GetTenantRequest(tenant_id=found.tenant_id)
        tenant = (await self._clients.call(self._clients.tenants.GetTenant, wire)).tenant
        if not tenant.active:
            raise ClarionError(Code.UNAUTHENTICATED, "The session has ended.")
        may_write = found.role == portal_pb2.PORTAL_ROLE_EDITOR
        return Session(found.tenant_id, found.application_id, may_write, found.expires_at_us, token)

    def _cookie(self, request: web.Request) -> str:
        return SECURE_COOKIE if self._address.is_secure(request) else COOKIE
