"""Signing in: by a password, or by the word of an identity provider.

An unknown address, a wrong password and a disabled user give the same answer after about the same work.
"""

from clarion.ingest.v1 import console_users_pb2
from runtime import logs
from runtime.errors import ClarionError, Code
from services.domain.checks import invalid
from services.ingest.console_users.passwords import Passwords, Verdict
from services.ingest.console_users.person import Client, Place
from services.ingest.console_users.sessions.store import SessionStore
from services.ingest.console_users.store import ConsoleUserStore, Credentials

# Longer texts are no addresses: they are neither looked for nor counted.
_MAX_EMAIL = 320

log = logs.get(__name__)


class SigningIn:
    """Compares what somebody shows with what is stored, and begins sessions."""

    def __init__(self, users: ConsoleUserStore, sessions: SessionStore, hashing: Passwords) -> None:
        self._users = users
        self._sessions = sessions
        self._passwords = hashing

    async def by_password(self, email: str, password: str, client: Client) -> str:
        """Return the token of a new session. Raises UNAUTHENTICATED, or LIMITED after too many failures."""
        if not 0 < len(email) <= _MAX_EMAIL or "\0" in email or not password:
            raise _refused()
        found = await self._users.credentials(email)
        verdict = await self._verdict(email, found, password, client)
        if found is None or found.disabled or not verdict.is_right:
            log.info("console_sign_in_refused", address=client.address)
            raise _refused()
        token = await self._sessions.begin(found.user_id, client, password=found.password)
        if verdict.renewed and found.password:
            await self._users.renew_hash(found.user_id, found.password, verdict.renewed)
        log.info("console_signed_in", console_user_id=found.user_id, address=client.address)
        return token

    async def check_current(self, user: console_users_pb2.ConsoleUser, password: str, client: Client) -> None:
        """Raise INVALID if this is not the user's password, or LIMITED after too many failures."""
        found = await self._users.credentials(user.email)
        if not (await self._verdict(user.email, found, password, client)).is_right:
            raise invalid("current", "is not your password")

    async def by_provider(
        self, issuer: str, subject: str, email: str, name: str, client: Client, *, default_role: int
    ) -> str:
        """Return the token of a new session. default_role: of somebody unknown; 0: they are refused.

        Raises FORBIDDEN. email: verified by the provider.
        """
        known = await self._users.of_subject(issuer, subject)
        if known is None:
            user_id = await self._bound(issuer, subject, email, name, default_role)
        elif known.disabled:
            raise _not_welcome()
        else:
            user_id = known.user_id
        token = await self._sessions.begin(user_id, client)
        log.info("console_signed_in_by_provider", console_user_id=user_id, address=client.address)
        return token

    async def _bound(self, issuer: str, subject: str, email: str, name: str, default_role: int) -> str:
        """Return the user with this address, bound to the provider's subject from now on. Raises FORBIDDEN."""
        found = await self._users.credentials(email)
        if found is None and default_role:
            found = await self._created(email, name, default_role)
        if found is None or found.disabled:
            raise _not_welcome()
        user_id = found.user_id
        if not await self._users.bind_subject(user_id, issuer, subject, name):
            raise _not_welcome()
        return user_id

    async def _created(self, email: str, name: str, role: int) -> Credentials | None:
        """Return a new user. The same person may sign in twice at once: then both find the one that was created first.

        Raises CONFLICT if there are too many users.
        """
        try:
            await self._users.create(email, name, [Place(None, None, role)])
        except ClarionError as error:
            found = await self._users.credentials(email)
            if found is None or error.code is not Code.CONFLICT:
                raise
            return found
        return await self._users.credentials(email)

    async def _verdict(self, email: str, found: Credentials | None, password: str, client: Client) -> Verdict:
        """Compare a password, and count the attempt if it fails. Raises LIMITED before that."""
        attempt = await self._sessions.count_attempt(email, client.address, found.user_id if found else None)
        verdict = await self._passwords.verify(password, found.password if found else None)
        if verdict.is_right and found is not None and not found.disabled:
            await self._sessions.forget(attempt)
        return verdict


def _refused() -> ClarionError:
    return ClarionError(
        Code.UNAUTHENTICATED,
        "The e-mail address or the password is wrong. If you have no password yet, use the link of your invitation.",
    )


def _not_welcome() -> ClarionError:
    return ClarionError(
        Code.FORBIDDEN,
        "Your identity provider knows you, but you are no user of this console, or another account of the provider"
        " is bound to your e-mail address. Ask an owner to invite you.",
    )
