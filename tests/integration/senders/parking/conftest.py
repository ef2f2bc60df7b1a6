"""A world with sender processes."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from nats.aio.client import Client

from runtime import postgres
from tests.integration.senders.parking.world import World
from tests.streams import Streams


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """Connections to this test's database, as the service has them for rows."""
    pool = await postgres.connect(postgres_url, name="test", size=8, bitmap_scans=False)
    yield pool
    await pool.close()


@pytest.fixture
async def world(
    pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, nats_url: str, streams: Streams
) -> AsyncIterator[World]:
    """A world without processes; those that a test starts end with it."""
    made = World(pool, connection, nats_url, streams)
    yield made
    for hung in made.receivers.hung.values():
        hung.set()
    await asyncio.gather(*[process.stop() for process in made.processes if not process.has_ended])
