"""Configuration on its way from its owner to everybody, on real PostgreSQL and NATS."""

from nats.aio.client import Client

from runtime import postgres
from runtime.bucket_keys import BUCKET
from runtime.configuration import ConfigurationOutbox


async def test_an_outbox_outlives_a_database_that_says_no(connection: Client, postgres_url: str) -> None:
    """A refusal that is no lost connection, of a table that is not there for a while, ends nothing and loses nothing.

    What a flush raised would end the process: its outbox runs as long as the process does.
    """
    pool = await postgres.connect(postgres_url, name="test", size=2)
    outbox = ConfigurationOutbox(pool, "ingest", connection)
    try:
        async with pool.acquire() as database, database.transaction():
            await outbox.add(database, "tenants.one", b"{}")
        await pool.execute("ALTER TABLE ingest.config_outbox RENAME TO gone")
        await outbox.flush(deadline=30)
        await pool.execute("ALTER TABLE ingest.gone RENAME TO config_outbox")
        await outbox.flush(deadline=30)
        bucket = await connection.jetstream().key_value(BUCKET)
        assert (await bucket.get("tenants.one")).value == b"{}"
        assert await pool.fetchval("SELECT count(*) FROM ingest.config_outbox") == 0
    finally:
        await pool.close()
