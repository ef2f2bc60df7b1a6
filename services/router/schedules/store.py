"""Schedules in PostgreSQL. No row stays locked while ingest is asked: a schedule that is worked on is leased."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import asyncpg

from runtime import postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.recipients.check import invalid
from services.router.recipients.store import AFTER_ALL, Connection, Pool, count_of
from services.router.schedules import check
from services.router.schedules.outcome import Held, Passed
from services.router.schedules.schedule import Change, NewSchedule, Schedule
from services.router.schedules.times import Times
from services.router.segments.store import missing

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

# How long a process may work on what it has claimed before another one does, seconds.
LEASE_S = 30.0
# Of the events of one claim, but for the last one.
MAX_CLAIM_BYTES = 16 * 1024 * 1024
# Seconds to wait for a free connection.
_ACQUIRE_S = 5.0


class ScheduleStore:
    """Reads and writes router.schedules. Every method raises UNAVAILABLE while PostgreSQL is away.

    pool: without bitmap scans, because claiming reads a queue.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, new: NewSchedule, now_us: int) -> Schedule:
        """Store a schedule.

        Raises CONFLICT if the tenant has as many as it may have, INVALID if its event names an unknown segment.
        """
        next_us = Times(new.cron, new.timezone).after(now_us) if new.active else None
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
                await connection.execute(_SQL.lock, new.tenant_id)
                if await connection.fetchval(_SQL.count, new.tenant_id) >= check.MAX_SCHEDULES:
                    message = f"A tenant has at most {check.MAX_SCHEDULES:,} schedules: delete some first."
                    raise ClarionError(Code.CONFLICT, message)
                await _hold_segments(connection, new.tenant_id, new.event)
                row = await connection.fetchrow(
                    _SQL.insert,
                    new_id(),
                    new.tenant_id,
                    new.scope,
                    new.name,
                    new.cron,
                    new.timezone,
                    new.active,
                    new.event,
                    next_us,
                    now_us,
                )
        return schedule_of(row)

    async def get(self, tenant_id: str, schedule_id: str) -> Schedule:
        """Return a schedule. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.get, tenant_id, schedule_id)
        return schedule_of(row)

    async def page(self, tenant_id: str, scope: str | None, before: str, limit: int) -> list[Schedule]:
        """Return up to limit schedules, newest first.

        scope: None for any. before: a schedule's id; empty: from the newest on.
        """
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.page, tenant_id, before or AFTER_ALL, limit, scope)
        return [schedule_of(row) for row in rows]

    async def update(self, tenant_id: str, schedule_id: str, change: Change, now_us: int) -> Schedule:
        """Change a schedule. Raises NOT_FOUND, and INVALID if it would be wrong.

        Its next time is found again if the expression or the time zone is another one, or if it becomes active. A time
        that has come and is not worked on yet is left out then; else it stays. A time that is being worked on keeps its
        event, because that may be accepted already.
        """
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
                before = schedule_of(await connection.fetchrow(_SQL.get_for_update, tenant_id, schedule_id))
                after = _changed(before, change)
                if change.event is not None:
                    await _hold_segments(connection, tenant_id, change.event)
                row = await _write(connection, before, after, now_us)
        return schedule_of(row)

    async def delete(self, tenant_id: str, schedule_id: str) -> None:
        """Delete a schedule; the event that is just being accepted is sent. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            status = await self._pool.execute(_SQL.delete, tenant_id, schedule_id)
        if not count_of(status):
            raise _unknown()

    async def claim(self, now_us: int, limit: int) -> list[Schedule]:
        """Lease schedules whose time has come, the longest due first; each with the event of that time."""
        until = now_us + int(LEASE_S * 1_000_000)
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.claim, now_us, until, limit, MAX_CLAIM_BYTES)
        return sorted(map(schedule_of, rows), key=lambda one: (one.next_us, one.id))

    async def until_next(self, now_us: int) -> float | None:
        """Return the seconds until a schedule must be looked at; None: there is none."""
        with postgres.unavailable_while_down():
            seconds: float | None = await self._pool.fetchval(_SQL.until_next, now_us)
        return seconds

    async def conclude(self, passed: Sequence[Passed], held: Sequence[Held]) -> None:
        """Note what became of times that were claimed."""
        done = [
            (
                one.schedule.id,
                one.schedule.revision,
                one.schedule.next_us,
                one.next_us,
                one.event_id,
                one.error,
                one.detail,
            )
            for one in sorted(passed, key=lambda one: one.schedule.id)
        ]
        waiting = [
            (one.schedule.id, one.schedule.revision, one.until_us, one.tries, one.error, one.detail)
            for one in sorted(held, key=lambda one: one.schedule.id)
        ]
        with postgres.unavailable_while_down():
            if done:
                await self._pool.execute(_SQL.pass_on, *map(list, zip(*done, strict=True)))
            if waiting:
                await self._pool.execute(_SQL.hold, *map(list, zip(*waiting, strict=True)))


def _changed(before: Schedule, change: Change) -> Schedule:
    after = replace(
        before,
        name=before.name if change.name is None else change.name,
        cron=before.cron if change.cron is None else change.cron,
        timezone=before.timezone if change.timezone is None else change.timezone,
        active=before.active if change.active is None else change.active,
        event=before.event if change.event is None else change.event,
    )
    check.check_changed(after)
    return after


async def _write(connection: Connection, before: Schedule, after: Schedule, now_us: int) -> "asyncpg.Record | None":
    is_found_again = (before.cron, before.timezone, before.active) != (after.cron, after.timezone, after.active)
    next_us = Times(after.cron, after.timezone).after(now_us) if is_found_again and after.active else None
    return await connection.fetchrow(
        _SQL.update,
        after.id,
        after.name,
        after.cron,
        after.timezone,
        after.active,
        after.event,
        is_found_again,
        next_us,
        now_us,
    )


async def _hold_segments(connection: Connection, tenant_id: str, event: bytes) -> None:
    """Keep the segments of an event from being deleted before it is stored. Raises INVALID for those that are none."""
    if named := check.segments(event):
        unknown = await missing(connection, tenant_id, set(named.values()))
        if faults := [(field, "must be a segment of the tenant") for field, id_ in named.items() if id_ in unknown]:
            raise invalid(faults)


def _unknown() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "This tenant has no such schedule.")


def schedule_of(row: "asyncpg.Record | None") -> Schedule:
    """Return a row of get. Raises NOT_FOUND if there is none."""
    if row is None:
        raise _unknown()
    return Schedule(
        id=str(row["id"]),
        tenant_id=str(row["tenant_id"]),
        scope=row["scope"],
        name=row["name"],
        cron=row["cron"],
        timezone=row["timezone"],
        active=row["active"],
        event=row["event"],
        next_us=_micros(row["next_at"]),
        revision=row["revision"],
        tries=row["tries"],
        last_us=_micros(row["last_at"]),
        last_event_id=row["last_event_id"],
        last_error=row["last_error"],
        last_error_detail=row["last_error_detail"],
        created_us=micros_of(row["created_at"]),
        updated_us=micros_of(row["updated_at"]),
    )


def _micros(moment: datetime | None) -> int:
    return micros_of(moment) if moment is not None else 0
