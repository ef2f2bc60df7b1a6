"""One suite per port: each of its tests runs on the fake of tests/fakes/ and on the real implementation.

A suite's fixture is named after its port and has the parameters "fake" and "real".
"""

from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest

from runtime import postgres

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    """Connections to this test's database. A test may terminate() them: then the database is away."""
    made = await postgres.connect(postgres_url, name="test", size=4, deadline=30.0)
    yield made
    made.terminate()
