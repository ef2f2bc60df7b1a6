"""The key by which the tests' people are named, and what its owners would have published of it."""

import asyncpg
from nats.aio.client import Client

from runtime.bucket import ConfigurationBucket
from services.domain import pseudonyms
from services.domain.pseudonyms import Pseudonyms

KEY = "a-pseudonym-key-of-the-tests-of-32-bytes"
KEYED = Pseudonyms(KEY)
OWNERS = ("ingest", "realtime", "router")


async def remember(postgres_url: str) -> None:
    """Note the key in a database, as each owner does at its first start."""
    connection = await asyncpg.connect(postgres_url)
    try:
        for owner in OWNERS:
            insert = f"INSERT INTO {owner}.pseudonym_key (fingerprint, copied) VALUES ($1, true)"
            await connection.execute(insert, KEYED.fingerprint)
    finally:
        await connection.close()


async def announce(connection: Client) -> None:
    """Note it in the configuration bucket."""
    for owner in OWNERS:
        await ConfigurationBucket(connection).put(pseudonyms.key(owner), KEYED.fingerprint.encode())
