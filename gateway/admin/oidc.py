"""The two steps of signing in by an identity provider: to it, and back."""

import asyncio
import base64
import binascii
from urllib.parse import urlencode

from aiohttp import web

from clarion.ingest.v1 import console_users_pb2
from gateway.access.oidc import Attempt, OidcClient
from gateway.access.roles import BY_WORD
from gateway.access.sessions import ConsoleSessions
from gateway.addresses import FailedAttempts
from gateway.admin.session import SessionRoutes, client_of
from gateway.browser_sessions import PublicAddress, is_equal
from gateway.clients import Clients
from runtime.errors import ClarionError, Code

CALLBACK = "/api/v1/admin/session/oidc/callback"
COOKIE = "clarion_oidc"
_CONSOLE = "/console"
# A person may take so long at the provider, seconds.
_LASTS_S = 600
_MAX_NEXT = 1024
_MAX_AT_ONCE = 16

# What the page to sign in is told; it has the words.
_FAILURES = {
    Code.FORBIDDEN: "not-invited",
    Code.UNAUTHENTICATED: "failed",
    Code.INVALID: "failed",
    Code.LIMITED: "limited",
}


class OidcRoutes:
    """Handlers that send browsers to the provider, and sign in who comes back."""

    def __init__(
        self,
        clients: Clients,
        client: OidcClient | None,
        sessions: ConsoleSessions,
        session_routes: SessionRoutes,
        sign_ins: FailedAttempts,
    ) -> None:
        self._clients = clients
        self._client = client
        self._sessions = sessions
        self._session_routes = session_routes
        self._sign_ins = sign_ins
        self._turns = asyncio.Semaphore(_MAX_AT_ONCE)

    async def begin(self, request: web.Request) -> web.Response:
        """Send the browser to the provider."""
        client = self._configured()
        attempt, following = Attempt.new(), request.query.get("next", "")[:_MAX_NEXT]
        response = _see(await client.authorization_url(attempt, self._redirect_uri(request)))
        address = self._address
        response.set_cookie(
            self._cookie(request),
            ".".join((*attempt, base64.urlsafe_b64encode(following.encode()).decode())),
            max_age=_LASTS_S,
            path="/" if address.is_secure(request) else CALLBACK,
            secure=address.is_secure(request),
            httponly=True,
            samesite="Lax",  # the provider's page sends the browser back
        )
        return response

    async def end(self, request: web.Request) -> web.Response:
        """Sign in who comes back from the provider."""
        client = self._configured()
        attempt, following = _kept(request.cookies.get(self._cookie(request), ""))
        try:
            response = await self._signed_in(request, client, attempt, following)
        except ClarionError as error:
            counted = self._sign_ins.refusal(request, error)
            failure = _FAILURES.get(counted.code, "unavailable")
            response = _see(f"{_CONSOLE}/sign-in?{urlencode({'failure': failure})}")
        is_secure = self._address.is_secure(request)
        response.del_cookie(
            self._cookie(request),
            path="/" if is_secure else CALLBACK,
            # Browsers do not take a cookie of this name without it, not even to delete it.
            secure=is_secure,
            httponly=True,
            samesite="Lax",
        )
        return response

    async def _signed_in(
        self, request: web.Request, client: OidcClient, attempt: Attempt, following: str
    ) -> web.Response:
        self._session_routes.refuse_too_many(request)
        query = request.query
        if not attempt.state or not is_equal(attempt.state, query.get("state", "")):
            # Not counted as a failure of this address: any page can send a browser here.
            raise ClarionError(Code.INVALID, "The response belongs to no attempt of this browser.")
        if "error" in query or not query.get("code"):
            raise ClarionError(Code.UNAUTHENTICATED, "The identity provider has not signed you in.")
        async with self._turns:
            found = await client.identify(
                attempt, query["code"], self._redirect_uri(request), issuer=query.get("iss", "")
            )
            role = BY_WORD.get(client.default_role)
            wire = console_users_pb2.SignInByProviderRequest(
                issuer=found.issuer,
                subject=found.subject,
                email=found.email,
                name=found.name,
                client=client_of(request),
                default_role=console_users_pb2.ConsoleRole.ValueType(role or 0),
            )
            answer = await self._clients.call(self._clients.console_users.SignInByProvider, wire)
        begun = await self._session_routes.begun(request, answer.token)
        response = _see(_CONSOLE + (following if _is_path(following) else "/messages"))
        for name, cookie in begun.cookies.items():
            response.cookies[name] = cookie
        return response

    @property
    def _address(self) -> PublicAddress:
        return self._sessions.cookie.address

    def _configured(self) -> OidcClient:
        if self._client is None:
            raise ClarionError(
                Code.NOT_FOUND, "This installation has no identity provider: CLARION_OIDC_ISSUER is not set."
            )
        return self._client

    def _redirect_uri(self, request: web.Request) -> str:
        return self._address.url(request) + CALLBACK

    def _cookie(self, request: web.Request) -> str:
        return f"__Host-{COOKIE}" if self._address.is_secure(request) else COOKIE


def _is_path(text: str) -> bool:
    """Return whether this is a path below /console, and not another site."""
    return text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and text.isascii()


def _kept(cookie: str) -> tuple[Attempt, str]:
    parts = cookie.split(".")
    if len(parts) != 4:
        return Attempt("", "", ""), ""
    try:
        following = base64.urlsafe_b64decode(parts[3]).decode()
    except (ValueError, binascii.Error):
        following = ""
    return Attempt(*parts[:3]), following


def _see(url: str) -> web.Response:
    return web.Response(status=303, headers={"Location": url})
