"""`clarion migrate` and the claims of deliveries, which name messages of the broker."""

import asyncpg
import pytest
from nats.aio.client import Client

from cli.migrate import Settings, migrate
from runtime.bucket_keys import BUCKET
from runtime.ids import derived_id, new_id
from runtime.settings import Secret
from services.domain import topology
from services.ingest.claims.store import Claim, ClaimStore

_SMALL = 64 * 1024**2


def _say(_: str) -> None:
    """What is said is of no interest here."""


@pytest.mark.parametrize("lost", ["", topology.DELIVERIES, f"KV_{BUCKET}"], ids=["nothing", "deliveries", "bucket"])
async def test_claims_end_with_the_broker(postgres_url: str, nats_url: str, connection: Client, lost: str) -> None:
    """They stay at each upgrade. With a new broker or a restored one they would hold back what only it has now."""
    async with asyncpg.create_pool(postgres_url, min_size=1, max_size=2) as pool:
        await ClaimStore(pool).claim([Claim(derived_id(new_id()), 0, "DELIVERIES.1")])
        if lost:
            await connection.jetstream(timeout=60).delete_stream(lost)
        settings = Settings(postgres_url=Secret(postgres_url), nats_url=Secret(nats_url), stream_max_bytes=_SMALL)
        await migrate(settings, _say)
        assert await pool.fetchval("SELECT count(*) FROM ingest.claims") == (0 if lost else 1)
