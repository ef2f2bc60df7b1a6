"""Compares the configuration bucket with PostgreSQL (for the doctor), and rebuilds it (for `clarion migrate`)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from nats.aio.client import Client

from runtime import postgres
from runtime.reconcile import ConfigurationSource, Differences, Reconciler
from services.ingest import configuration_sources as ingest
from services.realtime import configuration_sources as realtime
from services.render import configuration_sources as render
from services.router import configuration_sources as router
from services.senders import configuration_sources as senders

# The tables that each service publishes in the bucket.
SOURCES: dict[str, tuple[ConfigurationSource, ...]] = {
    module.OWNER: module.SOURCES for module in (ingest, realtime, render, router, senders)
}

_CONNECTIONS = 2


async def differences(postgres_url: str, connection: Client) -> dict[str, Differences]:
    """Return, by service, the differences between its part of the bucket and its tables. Writes nothing.

    Raises one of runtime.reconcile.FAILURES.
    """
    async with _connected(postgres_url) as pool:
        return {owner: await Reconciler(pool, connection, owner, of).differences() for owner, of in SOURCES.items()}


async def rebuild(postgres_url: str, connection: Client) -> dict[str, Differences]:
    """Make the bucket equal to the tables and return the differences. Raises like differences()."""
    async with _connected(postgres_url) as pool:
        return {owner: await Reconciler(pool, connection, owner, of).rebuild() for owner, of in SOURCES.items()}


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    pool = await postgres.connect(url, name="clarion", size=_CONNECTIONS)
    try:
        yield pool
    finally:
        await pool.close()
