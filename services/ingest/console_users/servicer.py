"""ConsoleUserService: wire to stores."""

from collections.abc import Sequence
from typing import Any

from clarion.ingest.v1 import console_users_pb2, console_users_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from services.domain.checks import check_id, invalid
from services.domain.paging import page_limit
from services.ingest.console_users import passwords, person
from services.ingest.console_users.links.store import LinkStore, NewLink, no_link
from services.ingest.console_users.passwords import Passwords
from services.ingest.console_users.person import Faults, Place
from services.ingest.console_users.sessions.store import SessionStore
from services.ingest.console_users.signing_in import SigningIn
from services.ingest.console_users.store import Changes, ConsoleUserStore, Pool, Within, no_such_user, owner_exists
from services.ingest.database import database_errors

NAME = "clarion.ingest.v1.ConsoleUserService"

_MAX_SEARCH = 255
_FIRST_OWNER = console_users_pb2.CONSOLE_LINK_KIND_FIRST_OWNER
_INVITATION = console_users_pb2.CONSOLE_LINK_KIND_INVITATION
_PASSWORD_RESET = console_users_pb2.CONSOLE_LINK_KIND_PASSWORD_RESET

log = logs.get(__name__)


class ConsoleUserServicer(console_users_pb2_grpc.ConsoleUserServiceServicer):
    """See proto/clarion/ingest/v1/console_users.proto."""

    def __init__(self, pool: Pool, hashing: Passwords) -> None:
        self._pool = pool
        self._passwords = hashing
        self._users = ConsoleUserStore(pool)
        self._sessions = SessionStore(pool)
        self._links = LinkStore(pool)
        self._signing_in = SigningIn(self._users, self._sessions, hashing)

    @database_errors
    async def GetConsoleState(
        self, request: console_users_pb2.GetConsoleStateRequest, context: Any
    ) -> console_users_pb2.GetConsoleStateResponse:
        """Say whether there is an owner."""
        return console_users_pb2.GetConsoleStateResponse(owner_exists=await self._users.owner_exists())

    @database_errors
    async def SignIn(self, request: console_users_pb2.SignInRequest, context: Any) -> console_users_pb2.SignInResponse:
        """Begin a session with a password."""
        client = person.parsed_client(request.client)
        token = await self._signing_in.by_password(request.email.strip(), request.password, client)
        return console_users_pb2.SignInResponse(token=token)

    @database_errors
    async def SignInByProvider(
        self, request: console_users_pb2.SignInByProviderRequest, context: Any
    ) -> console_users_pb2.SignInByProviderResponse:
        """Begin a session of somebody whom an identity provider knows."""
        if not (request.issuer and request.subject and len(request.issuer + request.subject) <= 1024):
            raise invalid("subject", "and issuer are required, with at most 1,024 characters")
        if request.default_role not in console_users_pb2.ConsoleRole.values():
            raise invalid("default_role", "is not known")
        faults: Faults = []
        email = person.parsed_email(request.email, faults)
        person.refuse(faults)
        name = person.parsed_name(request.name, []) if request.name.strip().isprintable() else ""
        token = await self._signing_in.by_provider(
            request.issuer,
            request.subject,
            email,
            name[:100],
            person.parsed_client(request.client),
            default_role=request.default_role,
        )
        return console_users_pb2.SignInByProviderResponse(token=token)

    @database_errors
    async def GetConsoleSession(
        self, request: console_users_pb2.GetConsoleSessionRequest, context: Any
    ) -> console_users_pb2.GetConsoleSessionResponse:
        """Return a session, whose it is, and what they may see."""
        session = await self._sessions.find(request.token, is_use=not request.unattended)
        user = await self._users.get(session.user_id)
        tenants = []
        everywhere = max((one.role for one in user.memberships if not (one.account_id or one.tenant_id)), default=0)
        if any((one.account_id or one.tenant_id) and one.role > everywhere for one in user.memberships):
            tenants = await self._users.tenant_roles(user.id)
        return console_users_pb2.GetConsoleSessionResponse(user=user, session=session, tenants=tenants)

    @database_errors
    async def EndConsoleSession(
        self, request: console_users_pb2.EndConsoleSessionRequest, context: Any
    ) -> console_users_pb2.EndConsoleSessionResponse:
        """End a session."""
        await self._sessions.end(request.token)
        return console_users_pb2.EndConsoleSessionResponse()

    @database_errors
    async def ListConsoleSessions(
        self, request: console_users_pb2.ListConsoleSessionsRequest, context: Any
    ) -> console_users_pb2.ListConsoleSessionsResponse:
        """Return a user's sessions."""
        check_id("user_id", request.user_id)
        await self._users.managed(request.user_id, _within(request.account_ids))
        return console_users_pb2.ListConsoleSessionsResponse(sessions=await self._sessions.list(request.user_id))

    @database_errors
    async def RevokeConsoleSessions(
        self, request: console_users_pb2.RevokeConsoleSessionsRequest, context: Any
    ) -> console_users_pb2.RevokeConsoleSessionsResponse:
        """End one or all sessions of a user."""
        check_id("user_id", request.user_id)
        check_id("session_id", request.session_id, required=False)
        await self._users.managed(request.user_id, _within(request.account_ids))
        await self._sessions.revoke(request.user_id, request.session_id or None)
        log.info("console_sessions_revoked", console_user_id=request.user_id)
        return console_users_pb2.RevokeConsoleSessionsResponse()

    @database_errors
    async def ChangePassword(
        self, request: console_users_pb2.ChangePasswordRequest, context: Any
    ) -> console_users_pb2.ChangePasswordResponse:
        """Change the password of the session's user, and end their other sessions."""
        session = await self._sessions.find(request.token)
        user = await self._users.get(session.user_id)
        _check_password(request.password, user.email, user.name)
        await self._signing_in.check_current(user, request.current, person.parsed_client(request.client))
        await self._users.set_password(user.id, await self._passwords.hashed(request.password))
        await self._sessions.revoke_others(user.id, session.id)
        await self._links.end_of(user.id)
        log.info("console_password_changed", console_user_id=user.id)
        return console_users_pb2.ChangePasswordResponse()

    @database_errors
    async def CreateOwnerLink(
        self, request: console_users_pb2.CreateOwnerLinkRequest, context: Any
    ) -> console_users_pb2.CreateOwnerLinkResponse:
        """Make the first owner's link, or one by which a person resets their password."""
        if request.email:
            found = await self._users.credentials(request.email.strip())
            if found is None:
                raise ClarionError(Code.NOT_FOUND, "No console user has this e-mail address.")
            if found.disabled:
                raise ClarionError(Code.CONFLICT, "This console user is disabled. Enable them first.")
            link = await self._links.create(_PASSWORD_RESET, found.user_id)
        elif await self._users.owner_exists():
            raise owner_exists()
        else:
            link = await self._links.create(_FIRST_OWNER, None)
        log.info("console_owner_link_created", reset=bool(request.email))
        return console_users_pb2.CreateOwnerLinkResponse(code=link.code, expires_at_us=link.expires_at_us)

    @database_errors
    async def CreateConsoleLink(
        self, request: console_users_pb2.CreateConsoleLinkRequest, context: Any
    ) -> console_users_pb2.CreateConsoleLinkResponse:
        """Make an invitation or a reset link."""
        check_id("user_id", request.user_id)
        user = await self._users.managed(request.user_id, _within(request.account_ids))
        if user.disabled:
            raise ClarionError(Code.CONFLICT, "This console user is disabled. Enable them first.")
        kind = _PASSWORD_RESET if user.has_password else _INVITATION
        link = await self._links.create(kind, user.id)
        log.info("console_link_created", console_user_id=user.id, kind=kind)
        return console_users_pb2.CreateConsoleLinkResponse(code=link.code, kind=kind, expires_at_us=link.expires_at_us)

    @database_errors
    async def OpenConsoleLink(
        self, request: console_users_pb2.OpenConsoleLinkRequest, context: Any
    ) -> console_users_pb2.OpenConsoleLinkResponse:
        """Say what a link is for."""
        link = await self._links.find(request.code)
        if link.kind == _FIRST_OWNER and await self._users.owner_exists():
            raise no_link()
        return console_users_pb2.OpenConsoleLinkResponse(
            kind=link.kind, email=link.email, name=link.name, expires_at_us=link.expires_at_us
        )

    @database_errors
    async def AcceptConsoleLink(
        self, request: console_users_pb2.AcceptConsoleLinkRequest, context: Any
    ) -> console_users_pb2.AcceptConsoleLinkResponse:
        """Set a password by a link, and begin a session."""
        link = await self._links.find(request.code)
        is_first = link.kind == _FIRST_OWNER
        if is_first and await self._users.owner_exists():
            raise no_link()
        faults: Faults = []
        email = person.parsed_email(request.email, faults) if is_first else link.email
        name = person.parsed_name(request.name, faults)
        if fault := passwords.fault(request.password, email, name or link.name):
            faults.append(("password", fault))
        person.refuse(faults)
        hashed = await self._passwords.hashed(request.password)
        client = person.parsed_client(request.client)
        async with self._pool.acquire() as connection, connection.transaction():
            await self._links.use(connection, request.code)
            user_id = link.user_id
            if is_first:
                user_id = await self._users.make_first_owner(connection, email, name, hashed)
                # An owner of an account may have made one for somebody who is an owner now.
                await self._links.end_within(connection, user_id)
            elif not await self._users.accept_invitation(connection, user_id, hashed, name):
                raise no_link()
            await self._sessions.revoke_within(connection, user_id)
            await self._sessions.forget_email(connection, email)
            token = await self._sessions.begin_within(connection, user_id, client)
        log.info("console_link_accepted", console_user_id=user_id, kind=link.kind)
        return console_users_pb2.AcceptConsoleLinkResponse(token=token, user=await self._users.get(user_id))

    @database_errors
    async def CreateConsoleUser(
        self, request: console_users_pb2.CreateConsoleUserRequest, context: Any
    ) -> console_users_pb2.CreateConsoleUserResponse:
        """Create a user, and the link that invites them."""
        faults: Faults = []
        email = person.parsed_email(request.email, faults)
        name = person.parsed_name(request.name, faults)
        places = person.parsed_places(request.memberships, faults)
        person.refuse(faults)
        within = _within(request.account_ids)
        user_id = await self._users.create(email, name, places, within)
        link: NewLink = await self._links.create(_INVITATION, user_id)
        log.info("console_user_created", console_user_id=user_id)
        return console_users_pb2.CreateConsoleUserResponse(
            user=await self._users.get(user_id, within), code=link.code, expires_at_us=link.expires_at_us
        )

    @database_errors
    async def ListConsoleUsers(
        self, request: console_users_pb2.ListConsoleUsersRequest, context: Any
    ) -> console_users_pb2.ListConsoleUsersResponse:
        """Return a page of users."""
        limit = page_limit(request.limit)
        check_id("cursor", request.cursor, required=False)
        if len(request.search) > _MAX_SEARCH or "\0" in request.search:
            raise invalid("search", f"must be at most {_MAX_SEARCH} characters, none of them NUL")
        within = _within(request.account_ids)
        users = await self._users.page(request.search.strip(), request.cursor or None, limit, within)
        return console_users_pb2.ListConsoleUsersResponse(
            users=users, next_cursor=users[-1].id if len(users) == limit else ""
        )

    @database_errors
    async def GetConsoleUser(
        self, request: console_users_pb2.GetConsoleUserRequest, context: Any
    ) -> console_users_pb2.GetConsoleUserResponse:
        """Return a user."""
        user = await self._users.get(_known(request.user_id), _within(request.account_ids))
        return console_users_pb2.GetConsoleUserResponse(user=user)

    @database_errors
    async def UpdateConsoleUser(
        self, request: console_users_pb2.UpdateConsoleUserRequest, context: Any
    ) -> console_users_pb2.UpdateConsoleUserResponse:
        """Change the fields that are present."""
        user_id, faults = _known(request.user_id), Faults()
        name = person.parsed_name(request.name, faults) if request.HasField("name") else None
        email = person.parsed_email(request.email, faults) if request.HasField("email") else None
        places: list[Place] | None = None
        if request.HasField("memberships"):
            places = person.parsed_places(request.memberships.memberships, faults)
        person.refuse(faults)
        disabled = request.disabled if request.HasField("disabled") else None
        within = _within(request.account_ids)
        if name is None and email is None and disabled is None:
            await self._users.get(user_id, within)
        else:
            await self._users.managed(user_id, within)
        await self._users.update(user_id, Changes(name, email, disabled, places), within)
        if disabled:
            await self._sessions.revoke(user_id, None)
            await self._links.end_of(user_id)
        log.info("console_user_changed", console_user_id=user_id)
        return console_users_pb2.UpdateConsoleUserResponse(user=await self._after(user_id, within))

    @database_errors
    async def DeleteConsoleUser(
        self, request: console_users_pb2.DeleteConsoleUserRequest, context: Any
    ) -> console_users_pb2.DeleteConsoleUserResponse:
        """Delete a user."""
        await self._users.managed(_known(request.user_id), _within(request.account_ids))
        await self._users.delete(request.user_id)
        log.info("console_user_deleted", console_user_id=request.user_id)
        return console_users_pb2.DeleteConsoleUserResponse()

    async def _after(self, user_id: str, within: Within) -> console_users_pb2.ConsoleUser:
        """Return a user after a change. Whoever has lost their last role in an account is seen there once more."""
        try:
            return await self._users.get(user_id, within)
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND or within is None:
                raise
            user = await self._users.get(user_id)
            return console_users_pb2.ConsoleUser(
                id=user.id, email=user.email, name=user.name, disabled=user.disabled, created_at_us=user.created_at_us
            )


def _within(account_ids: Sequence[str]) -> Within:
    """Return the accounts whose owner asks; None: an owner of the installation. Raises INVALID."""
    if len(account_ids) > person.MAX_MEMBERSHIPS:
        raise invalid("account_ids", f"must be at most {person.MAX_MEMBERSHIPS}")
    for account_id in account_ids:
        check_id("account_ids", account_id)
    return list(account_ids) or None


def _known(user_id: str) -> str:
    """Return an id that a user may have. Raises NOT_FOUND."""
    try:
        check_id("user_id", user_id)
    except ClarionError:
        raise no_such_user() from None
    return user_id


def _check_password(password: str, *known: str) -> None:
    if fault := passwords.fault(password, *known):
        raise invalid("password", fault)
