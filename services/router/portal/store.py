"""Links to the portal and its sessions in PostgreSQL, by their hashes."""

import hashlib
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg

from clarion.router.v1 import portal_pb2
from runtime import postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code

# Links and sessions of one application that have not ended.
MAX_OPEN = 1000

# Of random bytes.
_TOKEN_BYTES = 32
# What has ended is deleted by the calls that create links: each deletes more than it adds.
_DELETED_AT_ONCE = 100
_ACQUIRE_S = 5.0

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class PortalStore:
    """Reads and writes router.portal_access. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create_link(self, tenant_id: str, application_id: str, role: int, lasts_s: int) -> tuple[str, int]:
        """Return the code of a new link, and when it ends, Unix microseconds. Raises NOT_FOUND or CONFLICT."""
        code = secrets.token_urlsafe(_TOKEN_BYTES)
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
                await connection.execute(_SQL.delete_ended, _DELETED_AT_ONCE)
                if await connection.fetchval(_SQL.application_for_update, tenant_id, application_id) is None:
                    raise ClarionError(Code.NOT_FOUND, "The tenant has no such application.")
                if await connection.fetchval(_SQL.count, tenant_id, application_id) >= MAX_OPEN:
                    raise ClarionError(
                        Code.CONFLICT, f"The application has {MAX_OPEN} links and sessions that have not ended."
                    )
                lasts = timedelta(seconds=lasts_s)
                expires_at: datetime = await connection.fetchval(
                    _SQL.insert_link, _digest(code), tenant_id, application_id, role, lasts
                )
        return code, micros_of(expires_at)

    async def open(self, code: str) -> tuple[str, portal_pb2.PortalSession] | None:
        """Return the token and the session that a link opens. None: it is unknown, was used, or has ended."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.open, _digest(code), _digest(token))
        return (token, _session(row)) if row else None

    async def session(self, token: str) -> portal_pb2.PortalSession | None:
        """Return the session of a token. None: it is unknown, or has ended."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.session, _digest(token))
        return _session(row) if row else None

    async def end(self, token: str) -> None:
        """End a session."""
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.end_session, _digest(token))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _session(row: Any) -> portal_pb2.PortalSession:
    return portal_pb2.PortalSession(
        tenant_id=str(row["tenant_id"]),
        application_id=str(row["application_id"]),
        role=row["role"],
        expires_at_us=micros_of(row["expires_at"]),
    )
