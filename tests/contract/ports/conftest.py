"""One suite per port: each of its tests runs on the fake of tests/fakes/ and on the real implementation.

A suite's fixture is named after its port and has the parameters "fake" and "real".
"""

from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from runtime import nats, postgres
from tests.conftest import NatsServer
from tests.integration.ingest.conftest import Streams

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    """Connections to this test's database. A test may terminate() them: then the database is away."""
    made = await postgres.connect(postgres_url, name="test", size=4, deadline=30.0)
    yield made
    made.terminate()


@pytest.fixture
async def connection(nats_url: str) -> AsyncIterator[Client]:
    """A connection to this test's NATS server."""
    made = await nats.connect(nats_url, name="test")
    yield made
    await made.close()


@pytest.fixture
def streams(connection: Client, nats_server: NatsServer) -> Streams:
    """This test's streams."""
    return Streams(connection, nats_server)
