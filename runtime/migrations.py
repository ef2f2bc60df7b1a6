"""One service's database schema: versioned migrations, applied once each, then its SQL functions.

A migration is applied once and never changed. A file of functions may be changed: it is applied again whenever its
text differs from what was applied last. functions/version.txt holds a number that rises with each change, so that the
`migrate` of an older version does not put its own functions back.
"""

import hashlib
from pathlib import Path

import asyncpg

MIGRATIONS = "migrations"
FUNCTIONS = "functions"
VERSION = "version.txt"

# Any number will do, so long as every `migrate` uses the same one.
_LOCK = 0x434C4152


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
    transaction of its own; all changed functions are one. A second process waits for the first. Raises MigrationError.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
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
            async with connection.transaction():
                await _execute(connection, schema, folder / name)
                await connection.execute(
                    f"INSERT INTO {schema}.migrations (name, digest) VALUES ($1, $2)", name, digest
                )
            applied.append(name)
        elif known[name] != digest:
            raise MigrationError(f"migration {schema}/{name} was changed after it was applied: write another one")
    return applied


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
            await _execute(connection, schema, folder / name)
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


async def _execute(connection: "asyncpg.Connection[asyncpg.Record]", schema: str, path: Path) -> None:
    try:
        await connection.execute(_text(path))
    except asyncpg.PostgresError as error:
        name = f"{schema}/{path.parent.name}/{path.name}"
        raise MigrationError(f"{name} cannot be applied: {error}") from error


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
