"""Suppressions that an earlier version stored with unkeyed digests."""

import uuid
from pathlib import Path

import asyncpg

from runtime import postgres
from services.domain import masking
from services.domain.digest_migration import UnkeyedDigests
from services.domain.pseudonyms import Pseudonyms

PREFIX = "suppressions"
_BATCH = 1000
_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


def unkeyed_digests(pool: "asyncpg.Pool[asyncpg.Record]", keyed: Pseudonyms) -> UnkeyedDigests:
    """Return the functions that copy and delete them."""

    async def copy() -> int:
        copied, after = 0, uuid.UUID(int=0)
        while True:
            async with postgres.background_transaction(pool) as connection:
                rows = await connection.fetch(_SQL.unkeyed, after, _BATCH)
                if not rows:
                    return copied
                columns = zip(*(_keyed(row, keyed) for row in rows), strict=True)
                status = await connection.execute(_SQL.copy_unkeyed, *map(list, columns))
            copied += int(status.rpartition(" ")[2])
            after = rows[-1]["id"]

    async def remove() -> None:
        async with postgres.background_transaction(pool) as connection:
            await connection.execute(_SQL.remove_unkeyed)

    return UnkeyedDigests(copy, remove, PREFIX)


def _keyed(row: asyncpg.Record, keyed: Pseudonyms) -> list[object]:
    digest, detail = keyed.suppression(row["digest"]), masking.redacted(row["detail"])
    return list({**row, "digest": digest, "detail": detail}.values())
