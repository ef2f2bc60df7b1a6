"""Reads and writes senders.contents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import contents_pb2
from runtime import postgres
from services.senders.contents import capture
from services.senders.contents.ports import RefusedRows, StoredRow

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_FIRST_ID = "00000000-0000-0000-0000-000000000000"


class ContentStore:
    """Reads rows, and writes those of ContentWriter. fast: a pool whose commits need not wait for the disk."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", fast: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._fast = fast

    async def insert(self, rows: Sequence[capture.Row]) -> None:
        """See services.senders.contents.writer.ContentRows."""
        columns = list(map(list, zip(*rows, strict=True)))
        with postgres.unavailable_while_down():
            try:
                async with self._fast.acquire(timeout=5.0) as connection:
                    await connection.execute(_SQL.insert, *columns)
            except postgres.CONNECTION_ERRORS:
                raise
            except asyncpg.PostgresError as error:
                raise RefusedRows(repr(error)) from error

    async def find(
        self, tenant_id: str, delivery_id: str, attempt: int | None = None, replay: int | None = None
    ) -> StoredRow | None:
        """Return an attempt's row, the newest one's by default. Raises UNAVAILABLE."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.find, tenant_id, delivery_id, attempt, replay)
        return _row(row, delivery_id) if row is not None else None

    async def attempts(self, tenant_id: str, delivery_id: str) -> list[contents_pb2.StoredAttempt]:
        """Return which attempts of a delivery have a row, newest first, at most 100. Raises UNAVAILABLE."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.attempts, tenant_id, delivery_id)
        return [
            contents_pb2.StoredAttempt(attempt=row["attempt"], replay=row["replay"], captured_at_us=row["captured_us"])
            for row in rows
        ]

    async def export(
        self,
        tenant_id: str,
        event_ids: Sequence[str],
        delivery_ids: Sequence[str],
        after: tuple[str, int, int] | None,
        limit: int,
    ) -> list[StoredRow]:
        """Return rows of these events, or of these deliveries of them, by delivery. Raises UNAVAILABLE."""
        place = after or (_FIRST_ID, 0, 0)
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.export, tenant_id, event_ids, delivery_ids, *place, limit)
        return [_row(row, str(row["delivery_id"])) for row in rows]


async def erase(connection: Any, tenant_id: str, event_ids: Sequence[str], delivery_ids: Sequence[str]) -> int:
    """Delete the rows of these events, or of these deliveries of them; return their number."""
    return _count(await connection.execute(_SQL.erase, tenant_id, event_ids, delivery_ids))


async def expire(
    connection: postgres.BackgroundTransaction, default_days: int, own_days: dict[str, int], batch: int
) -> int:
    """Delete a batch of rows whose days are over; return their number. 0 days: all rows."""
    return _count(await connection.execute(_SQL.expire, default_days, list(own_days), list(own_days.values()), batch))


def _row(row: asyncpg.Record, delivery_id: str) -> StoredRow:
    return StoredRow(
        event_id=str(row["event_id"]),
        delivery_id=delivery_id,
        channel=event_pb2.Channel.ValueType(row["channel"]),
        replay=row["replay"],
        attempt=row["attempt"],
        captured_us=row["captured_us"],
        packing=row["packing"],
        packed=row["content"],
    )


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
