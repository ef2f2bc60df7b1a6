"""Finds dead letters in PostgreSQL, by what they were for."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from clarion.ingest.v1 import ledger_pb2
from runtime import postgres
from services.domain import channels
from services.domain.checks import check_id, invalid, tenants_of
from services.ingest.time_range import check_time_range

# Up to here a count is exact.
COUNTED = 10_000
_MAX_TEXT = 255

_RAW = postgres.Queries(Path(__file__).with_name("queries.sql"))
_PAGE, _COUNT, _REASONS, _TENANTS, _NEXT = (
    query.replace("{matches}", _RAW.matches) for query in (_RAW.page, _RAW.count, _RAW.reasons, _RAW.tenants, _RAW.next)
)


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters; None: any. Times in Unix microseconds."""

    tenant_ids: list[str] | None = None
    channel: int | None = None
    reason: str | None = None
    provider: str | None = None
    event_type: str | None = None
    endpoint_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None

    def columns(self) -> tuple[Any, ...]:
        """Return the first eight arguments of the queries."""
        return (
            self.tenant_ids,
            self.channel,
            self.reason,
            self.provider,
            self.event_type,
            self.endpoint_id,
            self.since_us,
            self.until_us,
        )


class Letter(NamedTuple):
    """The place of a dead letter among the others."""

    died_at: datetime
    delivery_id: str


def filter_of(wire: ledger_pb2.DeadLetterFilter, tenant_id: str = "", tenant_ids: Sequence[str] = ()) -> LetterFilter:
    """Return the filter of a request. tenant_id, tenant_ids: also only these tenants'. Raises INVALID."""
    check_time_range(wire.since_us, wire.until_us)
    check_id("endpoint_id", wire.endpoint_id, required=False)
    if wire.channel and wire.channel not in channels.BY_NUMBER:
        raise invalid("channel", f"must be one of {', '.join(channels.BY_PUBLIC_NAME)}")
    for name in ("reason", "provider", "event_type"):
        if len(getattr(wire, name)) > _MAX_TEXT:
            raise invalid(name, f"must have at most {_MAX_TEXT} characters")
    return LetterFilter(
        tenant_ids=tenants_of(tenant_id, tenant_ids, wire.tenant_ids),
        channel=wire.channel or None,
        reason=wire.reason or None,
        provider=wire.provider or None,
        event_type=wire.event_type or None,
        endpoint_id=wire.endpoint_id or None,
        since_us=wire.since_us or None,
        until_us=wire.until_us or None,
    )


async def page(
    pool: "asyncpg.Pool[asyncpg.Record]", wanted: LetterFilter, before: tuple[int, str] | None, limit: int
) -> "list[asyncpg.Record]":
    """Return up to limit dead letters, newest first. before: (died_at in µs, delivery id)."""
    return await pool.fetch(_PAGE, *wanted.columns(), *(before or (None, None)), limit)


async def count(pool: "asyncpg.Pool[asyncpg.Record]", wanted: LetterFilter) -> int:
    """Return how many match; COUNTED + 1 if there are more than COUNTED."""
    found: int = await pool.fetchval(_COUNT, *wanted.columns(), COUNTED + 1)
    return found


async def reasons(pool: "asyncpg.Pool[asyncpg.Record]", wanted: LetterFilter) -> list[tuple[str, int]]:
    """Return how many match by reason, of COUNTED, the most frequent first; also those of other reasons."""
    rows = await pool.fetch(_REASONS, *dataclasses.replace(wanted, reason=None).columns(), COUNTED)
    return [(row["reason"], row["found"]) for row in rows]


async def tenants(pool: "asyncpg.Pool[asyncpg.Record]", wanted: LetterFilter, limit: int) -> dict[str, int]:
    """Return how many match, by tenant, of at most limit tenants."""
    rows = await pool.fetch(_TENANTS, *wanted.columns(), limit)
    return {str(row["tenant_id"]): row["found"] for row in rows}


async def next_letters(connection: Any, wanted: LetterFilter, after: Letter | None, limit: int) -> list[Letter]:
    """Return the next dead letters after one, oldest first."""
    rows = await connection.fetch(_NEXT, *wanted.columns(), *(after or (None, None)), limit)
    return [Letter(row["died_at"], str(row["delivery_id"])) for row in rows]
