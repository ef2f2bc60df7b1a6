"""`clarion migrate`: updates all schemas, streams, consumers and the configuration bucket, under one lock."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import msgspec

import runtime.nats
import runtime.postgres
from cli import configuration
from runtime import migrations
from runtime.bucket_keys import BUCKET
from runtime.reconcile import Differences
from runtime.retrying import retry
from runtime.settings import Secret
from services.domain import provision, topology
from services.ingest.claims.store import ClaimStore

SERVICES = Path(__file__).parents[1] / "services"
# An arbitrary number that all runs share. runtime.migrations has a lock of its own.
_LOCK = 0x434C4149
_WAIT_S = 30.0
# What a broker does not have that is new, or into which a backup was restored: a backup has no bucket.
_NEW_BROKER = {topology.DELIVERIES, BUCKET}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>."""

    postgres_url: Secret
    nats_url: Secret
    # The number of copies of each stream: 1, or 3 on a cluster.
    nats_replicas: int = 1
    # The limit of each stream except TIMERS, in bytes.
    stream_max_bytes: int = topology.GIB


def folders() -> list[Path]:
    """Return the folders of the services with a database schema, by name. The schema is named after the folder."""
    return sorted(folder.parent for folder in SERVICES.glob(f"*/{migrations.MIGRATIONS}") if folder.is_dir())


async def migrate(settings: Settings, say: Callable[[str], None]) -> None:
    """Update PostgreSQL and NATS to this version, and the configuration bucket to PostgreSQL.

    Changes nothing that is up to date. Waits for servers that are still starting. Raises OSError or ClarionError if
    one cannot be reached, and migrations.MigrationError.
    """
    url = settings.postgres_url.reveal()
    async with _locked(url):
        for folder in folders():
            for name in await migrations.migrate(url, folder.name, folder):
                say(f"applied {folder.name}/{name}")
        connection = await runtime.nats.connect(settings.nats_url.reveal(), name="clarion-migrate", wait=_WAIT_S)
        try:
            created = await provision.apply(
                connection, replicas=settings.nats_replicas, max_bytes=settings.stream_max_bytes
            )
            for stream in created:
                say(f"created stream {stream}")
            if _NEW_BROKER & set(created):
                await _forget_claims(url)
            for owner, found in (await configuration.rebuild(url, connection)).items():
                if found.total:
                    say(_rebuilt(owner, found))
        finally:
            await connection.close()


async def _forget_claims(url: str) -> None:
    """Delete the claims of deliveries: the copies that have them may be lost, and others would wait for them."""
    async with await runtime.postgres.connect(url, name="clarion-migrate", size=1) as pool:
        await ClaimStore(pool).forget_all()


def _rebuilt(owner: str, found: Differences) -> str:
    counts = f"missing={found.missing} changed={found.changed} removed={found.removed}"
    return f"configuration_rebuilt owner={owner} {counts} examples={','.join(found.examples)}"


@asynccontextmanager
async def _locked(url: str) -> AsyncIterator[None]:
    connection = await _connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        yield
    finally:
        await connection.close()


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    failures = runtime.postgres.CONNECTION_ERRORS
    try:
        return await retry(
            partial(asyncpg.connect, url, timeout=5), failures, first_s=0.1, longest_s=0.5, within_s=_WAIT_S
        )
    except failures as error:
        raise OSError(f"PostgreSQL does not answer: {error}. Check CLARION_POSTGRES_URL") from error
