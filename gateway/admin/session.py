"""Signing in to the console and out, and what console users see of themselves."""

import asyncio
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from clarion.ingest.v1 import console_users_pb2
from gateway.access.asker import ASKER, Asker
from gateway.access.sessions import ConsoleSessions, csrf_of
from gateway.addresses import PROXIES, FailedAttempts
from gateway.admin import forms
from gateway.audit import Auditor
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code

# Passwords that ingest is asked about at a time: each takes a processor for a while.
MAX_SIGN_INS = 8
# A hash waits for its turn.
PASSWORD_DEADLINE_S = 8.0
_MAX_USER_AGENT = 255

Password = Annotated[str, Meta(min_length=1, max_length=1024, description="a text of 1 to 1,024 characters")]
Email = Annotated[str, Meta(min_length=1, max_length=320, description="an e-mail address")]


class SignInBody(forms.Body):
    """The body of POST /session."""

    email: Email
    password: Password


class PasswordChangeBody(forms.Body):
    """The body of POST /session/password."""

    current: Password
    password: Password


class SessionRoutes:
    """Handlers of /session, which ask ingest's ConsoleUserService."""

    def __init__(
        self,
        clients: Clients,
        sessions: ConsoleSessions,
        auditor: Auditor,
        sign_ins: FailedAttempts,
        oidc_name: str | None,
    ) -> None:
        self._clients = clients
        self._sessions = sessions
        self._auditor = auditor
        self._sign_ins = sign_ins
        self._oidc_name = oidc_name
        self._turns = asyncio.Semaphore(MAX_SIGN_INS)

    async def get(self, request: web.Request) -> web.Response:
        """Return who asks, and what they may do where."""
        return json_reply(shown(request[ASKER]))

    async def options(self, _request: web.Request) -> web.Response:
        """Return the ways to sign in."""
        wire = console_users_pb2.GetConsoleStateRequest()
        state = await self._clients.call(self._clients.console_users.GetConsoleState, wire)
        return json_reply(
            {"owner_exists": state.owner_exists, "oidc": {"name": self._oidc_name} if self._oidc_name else None}
        )

    async def sign_in(self, request: web.Request) -> web.Response:
        """Begin a session."""
        self.refuse_too_many(request)
        body = await forms.read(request, SignInBody)
        wire = console_users_pb2.SignInRequest(email=body.email, password=body.password, client=client_of(request))
        try:
            async with self._turns:
                answer = await self._clients.call(
                    self._clients.console_users.SignIn, wire, deadline=PASSWORD_DEADLINE_S
                )
        except ClarionError as error:
            raise self._sign_ins.refusal(request, error) from None
        return await self.begun(request, answer.token)

    async def begun(self, request: web.Request, token: str) -> web.Response:
        """Return the response that begins a session, after it is in the audit log. token: of the session."""
        asker = await self._sessions.of_token(token)
        try:
            entry_id = await self._auditor.begin(request, asker.actor, email=asker.email)
        except ClarionError:
            await self._end(token)
            raise
        response = json_reply(shown(asker))
        self._sessions.cookie.keep(request, response, token, asker.ends_at_us)
        await self._auditor.finish(request, entry_id, response)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session."""
        await self._end(request[ASKER].token)
        response = web.Response(status=204)
        self._sessions.cookie.drop(request, response)
        return response

    async def change_password(self, request: web.Request) -> web.Response:
        """Set another password. All other sessions of the person end."""
        body = await forms.read(request, PasswordChangeBody)
        wire = console_users_pb2.ChangePasswordRequest(
            token=request[ASKER].token, current=body.current, password=body.password, client=client_of(request)
        )
        async with self._turns:
            await self._clients.call(self._clients.console_users.ChangePassword, wire, deadline=PASSWORD_DEADLINE_S)
        self._sessions.forget_all()
        return web.Response(status=204)

    async def list_own(self, request: web.Request) -> web.Response:
        """List the person's own sessions, the last used first."""
        asker = request[ASKER]
        wire = console_users_pb2.ListConsoleSessionsRequest(user_id=asker.user_id)
        answer = await self._clients.call(self._clients.console_users.ListConsoleSessions, wire)
        return json_reply(forms.page(request, [shown_session(one, asker) for one in answer.sessions], ""))

    async def revoke_own(self, request: web.Request) -> web.Response:
        """End one of the person's own sessions."""
        wire = console_users_pb2.RevokeConsoleSessionsRequest(
            user_id=request[ASKER].user_id, session_id=forms.path_uuid(request, "id")
        )
        await self._clients.call(self._clients.console_users.RevokeConsoleSessions, wire)
        self._sessions.forget_all()
        return web.Response(status=204)

    def refuse_too_many(self, request: web.Request) -> None:
        """Raise LIMITED if too many sign-ins from this address failed, before a password is looked at."""
        if wait_s := self._sign_ins.retry_after(request):
            detail = f"Too many sign-ins from this address failed. Try again in {wait_s} seconds."
            raise ClarionError(Code.LIMITED, detail, retry_after=wait_s)

    async def _end(self, token: str) -> None:
        wire = console_users_pb2.EndConsoleSessionRequest(token=token)
        await self._clients.call(self._clients.console_users.EndConsoleSession, wire)
        self._sessions.forget_all()


def client_of(request: web.Request) -> console_users_pb2.ConsoleClient:
    """Return where a session is opened, as it is shown to its owner."""
    agent = request.headers.get("User-Agent", "").encode("utf-8", "replace").decode()[:_MAX_USER_AGENT]
    return console_users_pb2.ConsoleClient(user_agent=agent, address=request.app[PROXIES].client_of(request))


def shown(asker: Asker) -> dict[str, Any]:
    """Return who asks as the API shows it."""
    return {
        "kind": "user" if asker.is_person else "token",
        "name": asker.name,
        "email": asker.email or None,
        "csrf_token": csrf_of(asker.token) if asker.is_person else None,
        "memberships": [
            {"account_id": one.account_id, "tenant_id": one.tenant_id, "role": one.role.word}
            for one in asker.memberships
        ],
        "expires_at": forms.iso(asker.expires_at_us),
    }


def shown_session(session: console_users_pb2.ConsoleSession, asker: Asker) -> dict[str, Any]:
    """Return a session as the API shows it. asker: who sees it."""
    return {
        "id": session.id,
        "current": session.id == asker.session_id,
        "user_agent": session.user_agent or None,
        "address": session.address or None,
        "created_at": forms.iso(session.created_at_us),
        "last_seen_at": forms.iso(session.last_seen_at_us),
        "expires_at": forms.iso(session.expires_at_us),
    }
