"""The worker and its world."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.delivery.desk import Desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A worker that is not started yet."""
    made = Desk()
    yield made
    made.broker.is_connected = True
    await made.stop()
