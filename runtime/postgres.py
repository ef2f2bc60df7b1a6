"""PostgreSQL: pools and named queries."""

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg

from runtime.errors import ClarionError, Code

_NAME = re.compile(r"^-- name: ([a-z0-9_]+)$", re.MULTILINE)

Pool = asyncpg.Pool

# What means "the database is not there", as opposed to "it said no".
CONNECTION_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asked on a connection that is just being lost
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,  # it is shutting down or starting up
    asyncpg.exceptions.InsufficientResourcesError,  # too many connections, a full disk, no memory
    asyncpg.exceptions.PostgresSystemError,  # its disk fails
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # we are connected to a standby
    asyncpg.exceptions.TransactionRollbackError,  # it gave up a transaction for another one: the same may succeed now
)


class Queries:
    """The named queries of a .sql file as attributes: ``-- name: insert_tenant`` becomes ``.insert_tenant``."""

    def __init__(self, path: Path) -> None:
        parts = _NAME.split(path.read_text(encoding="utf-8"))
        self._by_name = {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}

    def __getattr__(self, name: str) -> str:
        try:
            return self._by_name[name]
        except KeyError:
            raise AttributeError(f"no query is named {name}") from None


async def connect(
    url: str, *, name: str, size: int, deadline: float = 5.0, durable: bool = True, bitmap_scans: bool = True
) -> "asyncpg.Pool[asyncpg.Record]":
    """Return a pool that connects when first used, so that a service starts without its database.

    size: most connections. deadline: seconds for each statement. durable=False: commits do not wait
    for the disk (synchronous_commit = off); only for what can be rebuilt. bitmap_scans=False: for queues. Where the
    server expects few due rows, it would otherwise read all of them and sort, instead of the first ones by the index.
    """
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        command_timeout=deadline,
        timeout=deadline,
        max_inactive_connection_lifetime=300,
        # An open transaction is rolled back without it, and nothing here leaves a lock, listener or setting
        # behind: the usual four statements for each use would outnumber our own.
        reset=_leave,
        server_settings={
            "application_name": name,
            "synchronous_commit": "on" if durable else "off",
            "statement_timeout": str(int(deadline * 1000)),
            "jit": "off",
            "enable_bitmapscan": "on" if bitmap_scans else "off",
        },
    )


async def _leave(_: object) -> None:
    """Leave a connection that returns to the pool as it is."""


class BackgroundTransaction:
    """A transaction whose statements have their own timeout; see background_transaction()."""

    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout

    async def execute(self, query: str, *arguments: Any) -> str:
        """Return the statement's status."""
        status: str = await self._connection.execute(query, *arguments, timeout=self._timeout)
        return status

    async def fetch(self, query: str, *arguments: Any) -> "list[asyncpg.Record]":
        """Return all rows."""
        rows: list[asyncpg.Record] = await self._connection.fetch(query, *arguments, timeout=self._timeout)
        return rows

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """Return the first row's first value, or None without rows."""
        return await self._connection.fetchval(query, *arguments, timeout=self._timeout)


@contextlib.asynccontextmanager
async def background_transaction(
    pool: "asyncpg.Pool[asyncpg.Record]", deadline: float = 30.0
) -> AsyncIterator[BackgroundTransaction]:
    """Run background work in a transaction with its own statement timeout, deadline seconds.

    The driver's timeout alone cannot be longer than the pool's, at which the server cancels. Raises QueryCanceledError
    after deadline.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL statement_timeout = {int(deadline * 1000)}")
        yield BackgroundTransaction(
            connection, deadline + 5.0
        )  # the server cancels first, so that the outcome is known


@contextlib.contextmanager
def unavailable_while_down(what: str = "The database") -> Iterator[None]:
    """Raise UNAVAILABLE ("… does not answer.") from the block while PostgreSQL does not answer."""
    try:
        yield
    except CONNECTION_ERRORS as error:
        raise ClarionError(Code.UNAVAILABLE, f"{what} does not answer.", retry_after=1) from error


async def is_alive(pool: "asyncpg.Pool[Any]") -> bool:
    """Return whether the database answers, and not with an error."""
    try:
        await pool.fetchval("SELECT 1", timeout=1.0)
    except (*CONNECTION_ERRORS, asyncpg.PostgresError):
        return False
    return True
