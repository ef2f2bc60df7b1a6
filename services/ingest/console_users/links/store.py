"""One-time links of console users in PostgreSQL, by the hashes of their codes."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from clarion.ingest.v1 import console_users_pb2
from runtime import postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from services.ingest.console_users.sessions.store import TOKEN_BYTES, digest_of

Kind: TypeAlias = console_users_pb2.ConsoleLinkKind.ValueType

# How long a link can be used.
LASTS: dict[Kind, timedelta] = {
    console_users_pb2.CONSOLE_LINK_KIND_FIRST_OWNER: timedelta(days=1),
    console_users_pb2.CONSOLE_LINK_KIND_INVITATION: timedelta(days=7),
    console_users_pb2.CONSOLE_LINK_KIND_PASSWORD_RESET: timedelta(hours=4),
}
_DELETED_AT_ONCE = 100

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class NewLink(NamedTuple):
    """A new link. expires_at_us: Unix microseconds."""

    code: str
    expires_at_us: int


class Link(NamedTuple):
    """What a link is for. user_id, email, name: empty for the first owner. expires_at_us: Unix microseconds."""

    kind: Kind
    user_id: str
    email: str
    name: str
    expires_at_us: int


class LinkStore:
    """Reads and writes links."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, kind: Kind, user_id: str | None) -> NewLink:
        """Return a new link; earlier ones for the same person end. user_id None: the first owner's."""
        code = secrets.token_urlsafe(TOKEN_BYTES)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL.delete_ended, _DELETED_AT_ONCE)
            await connection.execute(_SQL.delete_earlier, user_id)
            expires_at = await connection.fetchval(_SQL.insert, digest_of(code), kind, user_id, LASTS[kind])
        return NewLink(code, micros_of(expires_at))

    async def find(self, code: str) -> Link:
        """Return what a link is for. Raises UNAUTHENTICATED."""
        row = await self._pool.fetchrow(_SQL.link, digest_of(code))
        if row is None:
            raise no_link()
        user_id = str(row["user_id"] or "")
        return Link(row["kind"], user_id, row["email"] or "", row["name"] or "", micros_of(row["expires_at"]))

    async def use(self, connection: Any, code: str) -> None:
        """Use a link, in a transaction. Raises UNAUTHENTICATED if another call was faster."""
        if await connection.fetchrow(_SQL.use, digest_of(code)) is None:
            raise no_link()

    async def end_of(self, user_id: str) -> None:
        """End the links of a user."""
        await self._pool.execute(_SQL.delete_earlier, user_id)

    async def end_within(self, connection: Any, user_id: str) -> None:
        """End the links of a user, in a transaction."""
        await connection.execute(_SQL.delete_earlier, user_id)


def no_link() -> ClarionError:
    """Return the error for a link that does not exist, was used, or has ended."""
    return ClarionError(
        Code.UNAUTHENTICATED, "This link was used, or has ended. Ask for a new one: each can be used once."
    )
