"""Erasures that an earlier version stored with unkeyed digests. At most a week old, so there are few."""

from pathlib import Path

import asyncpg

from runtime import postgres
from services.domain.digest_migration import UnkeyedDigests
from services.domain.pseudonyms import Pseudonyms

PREFIX = "erasures"
_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


def unkeyed_digests(pool: "asyncpg.Pool[asyncpg.Record]", keyed: Pseudonyms) -> UnkeyedDigests:
    """Return the functions that copy and delete them."""

    async def copy() -> int:
        copied = 0
        async with postgres.background_transaction(pool) as connection:
            for row in await connection.fetch(_SQL.unkeyed):
                digest = keyed.erasure(bytes.fromhex(row["recipient"]))
                status = await connection.execute(
                    _SQL.copy_unkeyed, row["id"], row["tenant_id"], digest, row["erased_at"]
                )
                copied += int(status.rpartition(" ")[2])
        return copied

    async def remove() -> None:
        async with postgres.background_transaction(pool) as connection:
            await connection.execute(_SQL.remove_unkeyed)

    return UnkeyedDigests(copy, remove, PREFIX)
