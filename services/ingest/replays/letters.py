"""Replays of dead letters: all that match a filter are sent again under their ids, page by page."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.dead_letters import store as dead_letters
from services.ingest.dead_letters.store import Letter, LetterFilter
from services.ingest.replays.sql import DEAD_LETTERS, PAGE, QUERIES
from services.ingest.retries.store import Requeued, requeue_letters

# Tenants that one call starts replays of.
MAX_TENANTS = 100
_FIRST_ID = "00000000-0000-0000-0000-000000000000"


async def create(
    pool: "asyncpg.Pool[asyncpg.Record]", wanted: LetterFilter, until_us: int, per_second: int
) -> "list[asyncpg.Record]":
    """Store a replay for each tenant that has dead letters which match; return their rows.

    until_us: those that die later are left out. Raises NOT_FOUND: none matches; INVALID: of too many tenants; CONFLICT:
    each of them has such a replay already.
    """
    found = await dead_letters.tenants(pool, wanted, MAX_TENANTS + 1)
    if not found:
        raise ClarionError(Code.NOT_FOUND, "There are no dead letters that match.")
    if len(found) > MAX_TENANTS:
        detail = f"must be given: dead letters of more than {MAX_TENANTS} tenants match"
        raise ClarionError(Code.INVALID, f"tenant_id {detail}.", fields=[("tenant_id", detail)])
    made = []
    for tenant_id, count in found.items():
        try:
            columns = _columns(tenant_id, wanted, until_us, per_second, count)
            made.append(await pool.fetchrow(QUERIES.insert_replay, *columns))
        except asyncpg.UniqueViolationError:
            continue
    if not made:
        raise ClarionError(Code.CONFLICT, "A replay of dead letters is under way already; wait for it, or cancel it.")
    return [row for row in made if row is not None]


def _columns(tenant_id: str, wanted: LetterFilter, until_us: int, per_second: int, found: int) -> tuple[Any, ...]:
    return (
        new_id(),
        tenant_id,
        wanted.since_us or 0,
        until_us,
        0,
        per_second,
        _FIRST_ID,
        wanted.endpoint_id,
        wanted.event_type or "",
        None,
        None,
        wanted.channel,
        wanted.reason or "",
        wanted.provider or "",
        DEAD_LETTERS,
        found,
    )


async def send_page(connection: Any, row: asyncpg.Record) -> "tuple[Requeued, Sequence[Letter]]":
    """Note in a transaction that the next dead letters of a replay are sent again; return them, and what was read."""
    after = Letter(row["position_at"], str(row["position"])) if row["position_at"] is not None else None
    page = await dead_letters.next_letters(connection, _filter(row), after, PAGE)
    return await requeue_letters(connection, [letter.delivery_id for letter in page]), page


async def advance(connection: Any, row: asyncpg.Record, page: "Sequence[Letter]", sent: Requeued) -> bool:
    """Store the new position; return whether this was the last page."""
    is_last = len(page) < PAGE
    died_at, delivery_id = page[-1] if page else (None, None)
    await connection.execute(
        QUERIES.advance_letters,
        row["id"],
        died_at,
        delivery_id,
        len(sent.deliveries),
        len(sent.refused),
        len(page) / row["per_second"],
        is_last,
    )
    return is_last


def _filter(row: asyncpg.Record) -> LetterFilter:
    return LetterFilter(
        tenant_ids=[str(row["tenant_id"])],
        channel=row["channel"],
        reason=row["reason"] or None,
        provider=row["provider"] or None,
        event_type=row["event_type"] or None,
        endpoint_id=str(row["endpoint_id"]) if row["endpoint_id"] else None,
        since_us=micros_of(row["since"]) or None,
        until_us=micros_of(row["until"]),
    )
