"""Who uses the portal: the session in a cookie, the token against forged requests, and what a role allows."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from aiohttp import web

from clarion.ingest.v1 import tenants_pb2
from clarion.router.v1 import portal_pb2
from gateway.addresses import FailedAttempts
from gateway.browser_sessions import MAX_TOKEN, PublicAddress, SessionCookie, csrf_token, is_equal
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from runtime.errors import ClarionError, Code

# A browser takes the first name over https only, and from no other host of the domain.
SECURE_COOKIE, COOKIE = "__Host-clarion_portal", "clarion_portal"
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
        return csrf_token("portal form", self.token)

    @property
    def actor(self) -> str:
        """The name in the audit log."""
        return f"portal:{self.application_id}"


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, clients: Clients, address: PublicAddress, attempts: FailedAttempts) -> None:
        self._clients = clients
        self._cookie = SessionCookie(address, COOKIE, path="/portal")
        self._attempts = attempts
        self._guesses = asyncio.Semaphore(MAX_GUESSES)

    async def open(self, request: web.Request, code: str) -> Session:
        """Make a session of a link's code, once. Raises UNAUTHENTICATED."""
        try:
            if not 0 < len(code) <= MAX_TOKEN:
                raise ClarionError(Code.UNAUTHENTICATED, "The link is not complete.")
            wire = portal_pb2.OpenPortalSessionRequest(code=code)
            async with self._turn(request):
                answer = await self._clients.call(self._clients.portal.OpenPortalSession, wire)
        except ClarionError as error:
            raise self._attempts.refusal(request, error) from None
        return await self._checked(request, answer.token, answer.session)

    async def find(self, request: web.Request) -> Session:
        """Return the session of the request's cookie. Raises UNAUTHENTICATED."""
        token = self._cookie.token(request)
        if not token:
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
        self._cookie.keep(request, response, session.token, session.expires_at_us)

    def drop(self, request: web.Request, response: web.Response) -> None:
        """Let the browser forget the session's cookie."""
        self._cookie.drop(request, response)

    def check_origin(self, request: web.Request) -> None:
        """Raise FORBIDDEN if a page of another site sent the form."""
        self._cookie.check_origin(request)

    @staticmethod
    def check_form(session: Session, shown: str) -> None:
        """Raise FORBIDDEN if the form is not one of this session. shown: what it carries."""
        if not is_equal(session.csrf, shown):
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
