"""One service's database schema: versioned migrations, applied once each, then its SQL functions.

A migration is applied once and never changed. A file of functions may be changed: it is applied again whenever its
text differs from what was applied last. functions/version.txt holds a number that rises with each change, so that the
`migrate` of an older version does not put its own functions back.

A migration whose first line is `-- concurrently` is no transaction: its statements, each CREATE INDEX CONCURRENTLY IF
NOT EXISTS, let others write the table while they read it.
"""

import hashlib
from functools import partial
from pathlib import Path

import asyncpg

from runtime.retrying import retry

MIGRATIONS = "migrations"
FUNCTIONS = "functions"
VERSION = "version.txt"
# The first line of a migration that is no transaction.
CONCURRENTLY = "-- concurrently"

# Any number will do, so long as every `migrate` uses the same one.
_LOCK = 0x434C4152
# Seconds. While a migration waits for a table, all who use the table wait behind it: so it waits briefly, pauses, and
# tries again.
_TABLE_LOCK_S = 2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _WITHIN_S = 1.0, 4.0, 120.0
# A statement that builds an index concurrently waits so long for each older transaction, and nobody waits behind it.
_OLDER_S = 60
# How long a process waits for another one that migrates, and how long indexes are tried to be built, seconds.
_OTHER_WITHIN_S = 3600.0

_INVALID = """
SELECT i.indexrelid::regclass::text AS name
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND NOT i.indisvalid
"""


class _OtherMigrates(Exception):
    """Another process holds the lock."""


class MigrationError(RuntimeError):
    """A file cannot be applied, or a migration was changed after it was applied; the text names it."""


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each .sql file in the folder by its name, in order; empty where there is no folder."""
    return {path.name: hashlib.sha256(_text(path).encode()).hexdigest() for path in sorted(folder.glob("*.sql"))}


def version(folder: Path) -> int:
    """Return the number of a folder of functions; 0 without the file."""
    path = folder / VERSION
    return int(_text(path).split()[0]) if path.exists() else 0


async def migrate(url: str, schema: str, service: Path) -> list[str]:
    """Bring a schema up to this version: migrations/*.sql and functions/*.sql of the service's folder.

    Returns the names of the applied files, such as "0001_pre_ingest.sql" and "functions/admit.sql". Each migration is a
    transaction of its own, tried again for two minutes while others hold its tables; all changed functions are one. A
    second process waits for the first, at most an hour. Raises MigrationError.
    """
    connection = await asyncpg.connect(url)
    try:
        await _lock(connection)
        await connection.execute(
            f"CREATE SCHEMA IF NOT EXISTS {schema};"
            f"CREATE TABLE IF NOT EXISTS {schema}.migrations ("
            " name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());"
            f"CREATE TABLE IF NOT EXISTS {schema}.functions ("
            " name text PRIMARY KEY, digest text NOT NULL, version integer NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = await _apply_migrations(connection, schema, service / MIGRATIONS)
        return applied + await _apply_functions(connection, schema, service)
    finally:
        await connection.close()


async def _apply_migrations(connection: "asyncpg.Connection[asyncpg.Record]", schema: str, folder: Path) -> list[str]:
    known = await _recorded(connection, f"{schema}.migrations")
    applied = []
    for name, digest in digests(folder).items():
        if name not in known:
            is_concurrent = _text(folder / name).startswith(CONCURRENTLY)
            way = _apply_concurrently if is_concurrent else _apply_migration
            apply = partial(way, connection, schema, folder / name, digest)
            try:
                await retry(
                    apply,
                    (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError),
                    first_s=_FIRST_PAUSE_S,
                    longest_s=_LONGEST_PAUSE_S,
                    within_s=_OTHER_WITHIN_S if is_concurrent else _WITHIN_S,
                )
            except asyncpg.PostgresError as error:
                raise _unapplied(schema, folder / name, error) from error
            applied.append(name)
        elif known[name] != digest:
            raise MigrationError(f"migration {schema}/{name} was changed after it was applied: write another one")
    return applied


async def _apply_migration(
    connection: "asyncpg.Connection[asyncpg.Record]", schema: str, path: Path, digest: str
) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{_TABLE_LOCK_S}s'")
        await connection.execute(_text(path))
        await connection.execute(f"INSERT INTO {schema}.migrations (name, digest) VALUES ($1, $2)", path.name, digest)


async def _apply_concurrently(
    connection: "asyncpg.Connection[asyncpg.Record]", schema: str, path: Path, digest: str
) -> None:
    await connection.execute(f"SET lock_timeout = '{_OLDER_S}s'")
    try:
        # An attempt that failed has left them: they cost writes, and "IF NOT EXISTS" would take them for built.
        for row in await connection.fetch(_INVALID, schema):
            await connection.execute(f"DROP INDEX CONCURRENTLY {row['name']}")
        for statement in _text(path).split(";\n"):
            if statement.strip():
                await connection.execute(statement)
    finally:
        await connection.execute("RESET lock_timeout")
    await connection.execute(f"INSERT INTO {schema}.migrations (name, digest) VALUES ($1, $2)", path.name, digest)


async def _lock(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Wait until no other process migrates. Not within a statement: an index that it builds would wait for that."""

    async def lock() -> None:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            raise _OtherMigrates

    try:
        await retry(lock, _OtherMigrates, first_s=0.1, longest_s=1.0, within_s=_OTHER_WITHIN_S)
    except _OtherMigrates:
        raise MigrationError("another process has migrated for an hour: end it, and run this again") from None


async def _apply_functions(connection: "asyncpg.Connection[asyncpg.Record]", schema: str, service: Path) -> list[str]:
    """Apply the files whose text differs from what was applied last; none where a newer version has migrated."""
    folder = service / FUNCTIONS
    migrations = await _recorded(connection, f"{schema}.migrations")
    newest = await connection.fetchval(f"SELECT coalesce(max(version), 0) FROM {schema}.functions")
    if migrations.keys() - digests(service / MIGRATIONS).keys() or newest > version(folder):
        return []
    known = await _recorded(connection, f"{schema}.functions")
    changed = {name: digest for name, digest in digests(folder).items() if known.get(name) != digest}
    async with connection.transaction():
        for name, digest in changed.items():
            try:
                await connection.execute(_text(folder / name))
            except asyncpg.PostgresError as error:
                raise _unapplied(schema, folder / name, error) from error
            await connection.execute(
                f"INSERT INTO {schema}.functions (name, digest, version) VALUES ($1, $2, $3)"
                " ON CONFLICT (name) DO UPDATE"
                " SET digest = EXCLUDED.digest, version = EXCLUDED.version, applied_at = now()",
                name,
                digest,
                version(folder),
            )
    return [f"{FUNCTIONS}/{name}" for name in changed]


async def _recorded(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> dict[str, str]:
    return {row["name"]: row["digest"] for row in await connection.fetch(f"SELECT name, digest FROM {table}")}


def _unapplied(schema: str, path: Path, error: asyncpg.PostgresError) -> MigrationError:
    return MigrationError(f"{schema}/{path.parent.name}/{path.name} cannot be applied: {error}")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
