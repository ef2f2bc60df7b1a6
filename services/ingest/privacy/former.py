"""Erasures of the version before, whose digests had no key. At most a week old, so there are few."""

from pathlib import Path

import asyncpg

from runtime import postgres
from services.domain.adoption import Former
from services.domain.pseudonyms import Pseudonyms

PREFIX = "erasures"
_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


def former(pool: "asyncpg.Pool[asyncpg.Record]", keyed: Pseudonyms) -> Former:
    """Return how they are brought over and removed."""

    async def copy() -> int:
        copied = 0
        async with postgres.background_transaction(pool) as connection:
            for row in await connection.fetch(_SQL.former):
                digest = keyed.erasure(bytes.fromhex(row["recipient"]))
                status = await connection.execute(
                    _SQL.copy_former, row["id"], row["tenant_id"], digest, row["erased_at"]
                )
                copied += int(status.rpartition(" ")[2])
        return copied

    async def remove() -> None:
        async with postgres.background_transaction(pool) as connection:
            await connection.execute(_SQL.remove_former)

    return Former(copy, remove, PREFIX)
