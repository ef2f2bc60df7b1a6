"""What the tests of several services share."""

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from runtime import nats
from tests.conftest import NatsServer
from tests.integration.ingest.conftest import Streams


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
