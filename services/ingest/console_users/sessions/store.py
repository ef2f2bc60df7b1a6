"""Sessions of console users in PostgreSQL, by the hashes of their tokens, and how often sign-ins failed."""

import hashlib
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from clarion.ingest.v1 import console_users_pb2
from runtime import postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.console_users.person import Client, email_key

# A session ends when it was not used for so long, and however much it is used.
IDLE = timedelta(hours=24)
LONGEST = timedelta(days=14)
# Its use is noted so often.
NOTED = timedelta(minutes=1)
# Of one user. The one that was not used for the longest time ends.
MAX_SESSIONS = 50

# Failed sign-ins with one e-mail address: from one network address, and from all those that the person has not used.
WINDOW = timedelta(minutes=15)
MAX_FAILURES_OF_PAIR = 10
MAX_FAILURES = 50

# Of random bytes.
TOKEN_BYTES = 32
# What has ended is deleted by sign-ins: each deletes more than it adds.
_DELETED_AT_ONCE = 100

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Attempt(NamedTuple):
    """A counted attempt to sign in."""

    email: bytes
    pair: bytes


class SessionStore:
    """Reads and writes sessions and failures."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, user_id: str, client: Client, *, password: str | None = None) -> str:
        """Return the token of a new session. Raises UNAUTHENTICATED if the user is disabled or gone.

        password: the hash that was compared; UNAUTHENTICATED too if the user has another one by now.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            return await self.begin_within(connection, user_id, client, password=password)

    async def begin_within(self, connection: Any, user_id: str, client: Client, *, password: str | None = None) -> str:
        """Do as begin() in a transaction."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        made = await connection.fetchval(
            _SQL.insert, new_id(), digest_of(token), user_id, client.user_agent, client.address, LONGEST, password
        )
        if made is None:
            raise no_session()
        await connection.execute(_SQL.note_sign_in, user_id)
        await connection.execute(_SQL.delete_ended_of_user, user_id, IDLE, MAX_SESSIONS)
        await connection.execute(_SQL.delete_ended, _DELETED_AT_ONCE)
        await connection.execute(_SQL.delete_old_failures, _DELETED_AT_ONCE, WINDOW)
        return token

    async def find(self, token: str, *, is_use: bool = True) -> console_users_pb2.ConsoleSession:
        """Return the session of a token, and note that it is used if this is a use. Raises UNAUTHENTICATED."""
        row = await self._pool.fetchrow(_SQL.session, digest_of(token), IDLE, NOTED)
        if row is None:
            raise no_session()
        if is_use and row["is_stale"]:
            await self._pool.execute(_SQL.touch, row["id"], NOTED)
        return _session(row)

    async def end(self, token: str) -> None:
        """End the session of a token."""
        await self._pool.execute(_SQL.end, digest_of(token))

    async def list(self, user_id: str) -> list[console_users_pb2.ConsoleSession]:
        """Return a user's sessions, the last used first."""
        return [_session(row) for row in await self._pool.fetch(_SQL.of_user, user_id, IDLE, MAX_SESSIONS)]

    async def revoke(self, user_id: str, session_id: str | None) -> None:
        """End one session of a user, or all. Raises NOT_FOUND for one that they do not have."""
        ended = await self._pool.fetch(_SQL.revoke, user_id, session_id)
        if session_id is not None and not ended:
            raise ClarionError(Code.NOT_FOUND, "There is no such session, or it has ended.")

    async def revoke_within(self, connection: Any, user_id: str) -> None:
        """End all sessions of a user, in a transaction."""
        await connection.execute(_SQL.revoke, user_id, None)

    async def revoke_others(self, user_id: str, session_id: str) -> None:
        """End all sessions of a user but one."""
        await self._pool.execute(_SQL.revoke_others, user_id, session_id)

    async def count_attempt(self, email: str, address: str, user_id: str | None) -> Attempt:
        """Count an attempt to sign in, before it is made. Raises LIMITED.

        user_id: whose e-mail address it is, if anybody's. Failures elsewhere do not lock a person out where they signed
        in before.
        """
        key = email_key(email)
        attempt = Attempt(digest_of(key), digest_of(f"{key}\n{address}"))
        rows = await self._pool.fetch(_SQL.count_attempt, list(attempt), WINDOW)
        await self._pool.execute(_SQL.delete_old_failures, _DELETED_AT_ONCE, WINDOW)
        counted = {bytes(row["digest"]): row for row in rows}
        of_all, of_pair = counted[attempt.email], counted[attempt.pair]
        if of_pair["failures"] > MAX_FAILURES_OF_PAIR:
            raise _limited(of_pair["wait_s"])
        if of_all["failures"] > MAX_FAILURES and not await self._is_known(user_id, address):
            raise _limited(of_all["wait_s"])
        return attempt

    async def forget(self, attempt: Attempt) -> None:
        """Note that an attempt has succeeded."""
        await self._pool.execute(_SQL.forget_failures, attempt.pair)
        await self._pool.execute(_SQL.forgive, attempt.email)

    async def forget_email(self, connection: Any, email: str) -> None:
        """Note that a person has set a new password."""
        await connection.execute(_SQL.forget_failures, digest_of(email_key(email)))

    async def _is_known(self, user_id: str | None, address: str) -> bool:
        return user_id is not None and bool(await self._pool.fetchval(_SQL.is_known_address, user_id, address))


def digest_of(text: str) -> bytes:
    """Return the SHA-256 of a text: tokens and codes have 256 random bits and need no salt."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def no_session() -> ClarionError:
    """Return the error for a session that does not exist or has ended."""
    return ClarionError(Code.UNAUTHENTICATED, "You are not signed in, or your session has ended. Sign in again.")


def _limited(wait_s: int) -> ClarionError:
    minutes = max(1, -(-wait_s // 60))
    return ClarionError(
        Code.LIMITED,
        f"Too many sign-ins with this e-mail address failed. Try again in {minutes} minutes.",
        retry_after=max(1, wait_s),
    )


def _session(row: Any) -> console_users_pb2.ConsoleSession:
    return console_users_pb2.ConsoleSession(
        id=str(row["id"]),
        user_id=str(row["user_id"]),
        created_at_us=micros_of(row["created_at"]),
        last_seen_at_us=micros_of(row["last_seen_at"]),
        expires_at_us=micros_of(row["expires_at"]),
        ends_at_us=micros_of(row["ends_at"]),
        user_agent=row["user_agent"],
        address=row["address"],
    )
