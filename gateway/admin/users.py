"""Console users, and the links by which they join."""

from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType, field

from clarion.ingest.v1 import console_users_pb2
from gateway.access.asker import ASKER
from gateway.access.enforce import accounts
from gateway.access.roles import BY_WORD, Role
from gateway.access.sessions import ConsoleSessions
from gateway.addresses import FailedAttempts
from gateway.admin import forms
from gateway.admin.session import PASSWORD_DEADLINE_S, Email, Password, SessionRoutes, client_of, shown_session
from gateway.browser_sessions import MAX_TOKEN
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code

JOIN_PATH = "/console/join#"

RoleWord = Literal["viewer", "developer", "operator", "owner"]
Name = Annotated[str, Meta(max_length=100, description="a text of at most 100 characters")]
LinkCode = Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN, description="the code of a link")]

_KINDS: "dict[console_users_pb2.ConsoleLinkKind.ValueType, str]" = {
    console_users_pb2.CONSOLE_LINK_KIND_FIRST_OWNER: "first_owner",
    console_users_pb2.CONSOLE_LINK_KIND_INVITATION: "invitation",
    console_users_pb2.CONSOLE_LINK_KIND_PASSWORD_RESET: "password_reset",
}


class NewMembershipBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A role in one tenant, in all tenants of an account, or, without both, in the whole installation."""

    role: RoleWord
    account_id: forms.Id | None = None
    tenant_id: forms.Id | None = None


Memberships = Annotated[list[NewMembershipBody], Meta(max_length=100)]


class NewUserBody(forms.Body):
    """The body of POST /users."""

    email: Email
    name: Name = ""
    memberships: Memberships = field(default_factory=list)


class UserChangeBody(forms.Body):
    """The body of PATCH /users/{id}. Absent fields stay as they are. memberships: replaces all of them."""

    email: Email | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    memberships: Memberships | UnsetType = UNSET


class LinkBody(forms.Body):
    """The body of POST /invitations/open."""

    code: LinkCode


class AcceptBody(forms.Body):
    """The body of POST /invitations/accept. email: the first owner's; of others it is known."""

    code: LinkCode
    password: Password
    email: Annotated[str, Meta(max_length=320)] = ""
    name: Name = ""


class UserRoutes:
    """Handlers of /users and /invitations, which ask ingest's ConsoleUserService."""

    def __init__(
        self, clients: Clients, sessions: ConsoleSessions, session_routes: SessionRoutes, sign_ins: FailedAttempts
    ) -> None:
        self._clients = clients
        self._sessions = sessions
        self._session_routes = session_routes
        self._sign_ins = sign_ins

    async def create(self, request: web.Request) -> web.Response:
        """Create a user. Only this response contains the link that invites them."""
        body = await forms.read(request, NewUserBody)
        wire = console_users_pb2.CreateConsoleUserRequest(
            email=body.email,
            name=body.name,
            memberships=list(map(_membership, body.memberships)),
            account_ids=accounts(request),
        )
        answer = await self._clients.call(self._clients.console_users.CreateConsoleUser, wire)
        invitation = self._link(
            request, console_users_pb2.CONSOLE_LINK_KIND_INVITATION, answer.code, answer.expires_at_us
        )
        return json_reply({**_shown(answer.user), "invitation": invitation}, status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List users, newest first."""
        wire = console_users_pb2.ListConsoleUsersRequest(
            search=forms.text(request, "search"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
            account_ids=accounts(request),
        )
        answer = await self._clients.call(self._clients.console_users.ListConsoleUsers, wire)
        return json_reply(forms.page(request, list(map(_shown, answer.users)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one user."""
        wire = console_users_pb2.GetConsoleUserRequest(**_whom(request))
        answer = await self._clients.call(self._clients.console_users.GetConsoleUser, wire)
        return json_reply(_shown(answer.user))

    async def change(self, request: web.Request) -> web.Response:
        """Update the fields that the body contains."""
        body = await forms.read(request, UserChangeBody)
        wire = console_users_pb2.UpdateConsoleUserRequest(**_whom(request))
        for name in ("email", "name", "disabled"):
            if (value := getattr(body, name)) is not UNSET:
                setattr(wire, name, value)
        if body.memberships is not UNSET:
            places = list(map(_membership, body.memberships))
            wire.memberships.CopyFrom(console_users_pb2.MembershipList(memberships=places))
        answer = await self._clients.call(self._clients.console_users.UpdateConsoleUser, wire)
        self._sessions.forget_all()
        return json_reply(_shown(answer.user))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a user with their sessions and links."""
        wire = console_users_pb2.DeleteConsoleUserRequest(**_whom(request))
        await self._clients.call(self._clients.console_users.DeleteConsoleUser, wire)
        self._sessions.forget_all()
        return web.Response(status=204)

    async def invite(self, request: web.Request) -> web.Response:
        """Make a link: an invitation, or for who has a password a reset. Earlier ones end."""
        wire = console_users_pb2.CreateConsoleLinkRequest(**_whom(request))
        answer = await self._clients.call(self._clients.console_users.CreateConsoleLink, wire)
        return json_reply(self._link(request, answer.kind, answer.code, answer.expires_at_us), status=201)

    async def sessions(self, request: web.Request) -> web.Response:
        """List the sessions of a user."""
        wire = console_users_pb2.ListConsoleSessionsRequest(**_whom(request))
        answer = await self._clients.call(self._clients.console_users.ListConsoleSessions, wire)
        return json_reply(forms.page(request, [shown_session(one, request[ASKER]) for one in answer.sessions], ""))

    async def revoke_all(self, request: web.Request) -> web.Response:
        """End all sessions of a user."""
        return await self._revoke(request, "")

    async def revoke(self, request: web.Request) -> web.Response:
        """End one session of a user."""
        return await self._revoke(request, forms.path_uuid(request, "session_id"))

    async def _revoke(self, request: web.Request, session_id: str) -> web.Response:
        wire = console_users_pb2.RevokeConsoleSessionsRequest(**_whom(request), session_id=session_id)
        await self._clients.call(self._clients.console_users.RevokeConsoleSessions, wire)
        self._sessions.forget_all()
        return web.Response(status=204)

    async def open(self, request: web.Request) -> web.Response:
        """Say what a link is for. It stays usable: programs follow links in mail."""
        self._session_routes.refuse_too_many(request)
        body = await forms.read(request, LinkBody)
        wire = console_users_pb2.OpenConsoleLinkRequest(code=body.code)
        try:
            answer = await self._clients.call(self._clients.console_users.OpenConsoleLink, wire)
        except ClarionError as error:
            raise _spent(self._sign_ins.refusal(request, error)) from None
        return json_reply(
            {
                "kind": _KINDS[answer.kind],
                "email": answer.email or None,
                "name": answer.name or None,
                "expires_at": forms.iso(answer.expires_at_us),
            }
        )

    async def accept(self, request: web.Request) -> web.Response:
        """Set a password by a link, and begin a session."""
        self._session_routes.refuse_too_many(request)
        body = await forms.read(request, AcceptBody)
        wire = console_users_pb2.AcceptConsoleLinkRequest(
            code=body.code, password=body.password, email=body.email, name=body.name, client=client_of(request)
        )
        try:
            answer = await self._clients.call(
                self._clients.console_users.AcceptConsoleLink, wire, deadline=PASSWORD_DEADLINE_S
            )
        except ClarionError as error:
            raise _spent(self._sign_ins.refusal(request, error)) from None
        self._sessions.forget_all()
        return await self._session_routes.begun(request, answer.token)

    def _link(
        self, request: web.Request, kind: "console_users_pb2.ConsoleLinkKind.ValueType", code: str, expires_at_us: int
    ) -> dict[str, Any]:
        # The fragment of a URL reaches no server, so no log has the code.
        url = self._sessions.cookie.address.url(request) + JOIN_PATH + code
        return {"kind": _KINDS[kind], "url": url, "expires_at": forms.iso(expires_at_us)}


def _whom(request: web.Request) -> dict[str, Any]:
    """Return the fields of a wire message that name a user, and the accounts to whose people the request is limited."""
    return {"user_id": forms.path_uuid(request, "id"), "account_ids": accounts(request)}


def _spent(error: ClarionError) -> ClarionError:
    """Return the error for a link that cannot be used: nobody needs to sign in for it, so it is no 401."""
    return ClarionError(Code.NOT_FOUND, error.detail) if error.code is Code.UNAUTHENTICATED else error


def _membership(body: NewMembershipBody) -> console_users_pb2.Membership:
    return console_users_pb2.Membership(
        account_id=body.account_id or "",
        tenant_id=body.tenant_id or "",
        role=console_users_pb2.ConsoleRole.ValueType(BY_WORD[body.role]),
    )


def _shown(user: console_users_pb2.ConsoleUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "disabled": user.disabled,
        "account_id": user.account_id or None,
        "memberships": [
            {"account_id": one.account_id or None, "tenant_id": one.tenant_id or None, "role": Role(one.role).word}
            for one in user.memberships
        ],
        "has_password": user.has_password,
        "has_oidc": user.has_provider,
        "invitation_expires_at": forms.iso(user.link_expires_at_us),
        "created_at": forms.iso(user.created_at_us),
        "last_sign_in_at": forms.iso(user.last_sign_in_at_us),
    }
