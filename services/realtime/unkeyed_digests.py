"""Reads the epochs of the previous version, which stored user ids in plain text."""

from pathlib import Path

import asyncpg

from runtime import postgres
from services.domain.digest_migration import UnkeyedDigests
from services.domain.pseudonyms import Pseudonyms

PREFIX = "epochs"
_BATCH = 1000
_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


def unkeyed_digests(pool: "asyncpg.Pool[asyncpg.Record]", keyed: Pseudonyms) -> UnkeyedDigests:
    """Return how these rows are copied and removed."""

    async def copy() -> int:
        copied, after = 0, ("", "")
        while True:
            async with postgres.background_transaction(pool) as connection:
                rows = await connection.fetch(_SQL.unkeyed, *after, _BATCH)
                if not rows:
                    return copied
                tenants = [row["tenant_id"] for row in rows]
                recipients = [
                    keyed.revocation(row["tenant_id"], row["user_id"]) if row["user_id"] else "" for row in rows
                ]
                times = [row["raised_at"] for row in rows]
                epochs = [row["epoch"] for row in rows]
                status = await connection.execute(_SQL.copy_unkeyed, tenants, recipients, epochs, times)
            copied += int(status.rpartition(" ")[2])
            after = rows[-1]["tenant_id"], rows[-1]["user_id"]

    async def remove() -> None:
        async with postgres.background_transaction(pool) as connection:
            await connection.execute(_SQL.remove_unkeyed)

    return UnkeyedDigests(copy, remove, PREFIX)
