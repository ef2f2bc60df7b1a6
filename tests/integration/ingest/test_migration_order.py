"""Migrations of the ledger's tables, applied while it writes them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from runtime.ids import new_id
from runtime.migrations import MIGRATIONS
from services import ingest
from tests.waiting import eventually

_FOLDER = Path(ingest.__file__).parent / MIGRATIONS
_NAME = "0023_pre_activity_indexes.sql"
_WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'
"""


@pytest.fixture
async def before(empty_postgres_url: str) -> AsyncIterator[str]:
    """A database as it is before the migration."""
    connection = await asyncpg.connect(empty_postgres_url)
    await connection.execute("CREATE SCHEMA ingest")
    for path in sorted(_FOLDER.glob("*.sql")):
        if path.name < _NAME:
            await connection.execute(path.read_text(encoding="utf-8"))
    yield empty_postgres_url
    await connection.close()


async def test_indexes_are_built_in_the_ledger_s_order(before: str) -> None:
    """The ledger writes recipients, then events and deliveries. Neither it nor the migration ends in a deadlock."""
    ledger, migration, watch = [await asyncpg.connect(before) for _ in range(3)]
    try:
        event_id, tenant_id = new_id(), new_id()
        writing = ledger.transaction()
        await writing.start()
        await ledger.execute(
            "INSERT INTO ingest.recipients (event_id, tenant_id, destination, user_id) VALUES ($1, $2, 'u', 'u')",
            *(event_id, tenant_id),
        )
        building = asyncio.create_task(migration.execute((_FOLDER / _NAME).read_text(encoding="utf-8")))
        await eventually(lambda: watch.fetchval(_WAITS))
        await ledger.execute("INSERT INTO ingest.events (id, tenant_id) VALUES ($1, $2)", event_id, tenant_id)
        await ledger.execute(
            "INSERT INTO ingest.deliveries"
            " (id, event_id, tenant_id, channel, status, reason, provider, attempts, replay, updated_at)"
            " VALUES ($1, $2, $3, 2, 1, '', '', 0, 0, now())",
            *(new_id(), event_id, tenant_id),
        )
        await writing.commit()
        await building
    finally:
        for connection in (ledger, migration, watch):
            await connection.close()
