"""Checks of PostgreSQL: connection, version, durability and migrations."""

from collections.abc import AsyncIterator

import asyncpg

import runtime.postgres
from cli.checks.finding import MIGRATE, Finding, fail, judge, ok, warn
from cli.migrate import folders
from runtime import migrations

_SUBJECT = "PostgreSQL"
_LEAST_VERSION = 15
# For the pools of five services, a migration and an operator.
_LEAST_CONNECTIONS = 50
_RELEASE = "Run the release that this database belongs to, or a newer one."
_DURABLE_COMMITS = ("on", "local", "remote_write", "remote_apply")


async def check(url: str) -> AsyncIterator[Finding]:
    """Check the server and the schemas."""
    if not url:
        yield fail(_SUBJECT, "CLARION_POSTGRES_URL is not set", "Set it as the services have it.")
        return
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (asyncpg.PostgresError, *runtime.postgres.CONNECTION_ERRORS) as error:
        yield fail(
            _SUBJECT,
            f"cannot be reached: {error or type(error).__name__}",
            "Start it, or correct CLARION_POSTGRES_URL.",
        )
        return
    try:
        async for finding in _server(connection):
            yield finding
        async for finding in _schemas(connection):
            yield finding
    finally:
        await connection.close()


async def _server(connection: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[Finding]:
    version = connection.get_server_version()
    number = await connection.fetchval("SHOW server_version")
    yield judge(
        version.major >= _LEAST_VERSION,
        _SUBJECT,
        f"version {number}",
        f"version {number} is too old",
        f"Upgrade it to {_LEAST_VERSION} or newer.",
    )
    settings = {
        row["name"]: row["setting"]
        for row in await connection.fetch(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('fsync', 'synchronous_commit', 'full_page_writes', 'max_connections')"
        )
    }
    for name in ("fsync", "full_page_writes"):
        yield judge(
            settings[name] == "on",
            _SUBJECT,
            f"{name} is on",
            f"{name} is off: a crash can destroy the database",
            f"Set {name} = on in postgresql.conf, and reload.",
        )
    commit = settings["synchronous_commit"]
    yield judge(
        commit in _DURABLE_COMMITS,
        _SUBJECT,
        f"synchronous_commit is {commit}",
        f"synchronous_commit is {commit}: a crash can lose acknowledged data",
        "Set synchronous_commit = on in postgresql.conf, and reload.",
    )
    if int(settings["max_connections"]) < _LEAST_CONNECTIONS:
        yield warn(
            _SUBJECT,
            f"max_connections is {settings['max_connections']}",
            f"Set it to {_LEAST_CONNECTIONS} or more in postgresql.conf, and restart.",
        )


async def _schemas(connection: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[Finding]:
    applied = 0
    for folder in folders():
        schema = folder.name
        there = await _recorded(connection, f"{schema}.{migrations.MIGRATIONS}")
        ours = migrations.digests(folder / migrations.MIGRATIONS)
        applied += len(there)
        if missing := sorted(ours.keys() - there.keys()):
            yield fail(_SUBJECT, f"schema {schema} lacks {', '.join(missing)}", MIGRATE)
        if changed := sorted(name for name in ours.keys() & there.keys() if ours[name] != there[name]):
            yield fail(_SUBJECT, f"schema {schema}: {', '.join(changed)} was changed after it was applied", _RELEASE)
        if newer := sorted(there.keys() - ours.keys()):
            yield warn(_SUBJECT, f"schema {schema} is newer than this version: it has {', '.join(newer)}", _RELEASE)
            continue
        functions = await _recorded(connection, f"{schema}.{migrations.FUNCTIONS}")
        wanted = migrations.digests(folder / migrations.FUNCTIONS)
        if other := sorted(name for name, digest in wanted.items() if functions.get(name) != digest):
            yield fail(
                _SUBJECT,
                f"schema {schema}: {', '.join(other)} in functions/ is not this version's",
                MIGRATE,
            )
    yield ok(_SUBJECT, f"{applied} migrations are applied")


async def _recorded(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> dict[str, str]:
    """Return the digest of each applied file by its name; empty where nothing was ever applied."""
    if not await connection.fetchval("SELECT to_regclass($1)", table):
        return {}
    return {row["name"]: row["digest"] for row in await connection.fetch(f"SELECT name, digest FROM {table}")}
