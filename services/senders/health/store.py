"""The tables of providers' health, shared by all processes of the senders, and the limit of test messages."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from runtime import clock, postgres
from runtime.errors import ClarionError, Code
from services.senders.health.ports import Counts, Failure, Health, OpenBreaker
from services.senders.health.recorder import INTERVAL_S, STEP_S

# A breaker that was not written for so long belongs to a process that has ended, seconds.
LOST_AFTER_S = 3.5 * INTERVAL_S
# Test messages of a tenant.
MAX_TESTS_PER_MINUTE, MAX_TESTS_PER_DAY = 10, 200

T = TypeVar("T")

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_GROUP = 500
_PURGE_ROWS = 5_000
_HOUR_US = 3_600_000_000
_KEEP_CALLS_US, _KEEP_FAILURES_US, _KEEP_LAST_CALL_US = 2 * _HOUR_US, 7 * 24 * _HOUR_US, 400 * 24 * _HOUR_US


class ProviderHealthStore:
    """Implements ports.HealthStore and ports.ProviderTestLimit."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, now: clock.Clock = clock.now_us) -> None:
        self._pool = pool
        self._now = now

    async def write_breakers(self, process_id: str, paused: Sequence[OpenBreaker], resumed: Collection[str]) -> None:
        """See ports.HealthStore."""
        for group in _groups(paused) or [[]]:
            rows = [(one.provider_id, one.tenant_id, one.reason, one.since_us, one.next_try_us) for one in group]
            await self._execute(_SQL.write_breakers, process_id, *_columns(rows, 5), list(resumed))

    async def write_failures(self, failures: Mapping[str, Failure]) -> None:
        """See ports.HealthStore."""
        for group in _groups(list(failures.items())):
            rows = [(id_, one.at_us, one.reason, one.detail) for id_, one in group]
            await self._execute(_SQL.write_failures, *_columns(rows, 4))

    async def write_calls(self, step_us: int, counts: Mapping[str, Counts]) -> None:
        """See ports.HealthStore."""
        with _unavailable():
            # All or nothing: the caller adds them again if this fails.
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                for group in _groups(sorted(counts.items())):
                    rows = [(id_, *numbers) for id_, numbers in group]
                    await connection.execute(_SQL.write_calls, step_us, *_columns(rows, 4))

    async def end_process(self, process_id: str) -> None:
        """See ports.HealthStore."""
        await self._execute(_SQL.end_process, process_id)

    async def delete_expired(self) -> None:
        """See ports.HealthStore."""
        now_us = self._now()
        await self._execute(_SQL.delete_lost_breakers, LOST_AFTER_S)
        await self._execute(_SQL.delete_calls, now_us - _KEEP_CALLS_US, _PURGE_ROWS, now_us - _KEEP_LAST_CALL_US)
        await self._execute(_SQL.delete_failures, now_us - _KEEP_FAILURES_US, _PURGE_ROWS)
        await self._execute(_SQL.delete_tests, _PURGE_ROWS)

    async def read(self, provider_ids: Sequence[str]) -> Mapping[str, Health]:
        """See ports.HealthStore."""
        ids = list(provider_ids)
        with _unavailable():
            async with self._pool.acquire(timeout=5.0) as connection:
                breakers = await connection.fetch(_SQL.breakers, ids, LOST_AFTER_S)
                failures = await connection.fetch(_SQL.failures, ids)
                calls = await connection.fetch(_SQL.calls, ids, self._now() - _HOUR_US - STEP_S * 1_000_000)
                last = await connection.fetch(_SQL.last_calls, ids)
        failed = {row["provider_id"]: Failure(row["at_us"], row["reason"], row["detail"]) for row in failures}
        counted = {row["provider_id"]: Counts(row["calls"], row["failures"], row["refusals"]) for row in calls}
        last_calls = {row["provider_id"]: row["step_us"] for row in last}
        return {
            id_: Health(
                [_breaker(row) for row in breakers if row["provider_id"] == id_],
                failed.get(id_),
                counted.get(id_, Counts()),
                last_calls.get(id_, 0),
            )
            for id_ in ids
        }

    async def take(self, tenant_id: str, provider_id: str) -> None:
        """See ports.ProviderTestLimit."""
        with _unavailable():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_tests, tenant_id)
                (row,) = await connection.fetch(_SQL.count_tests, tenant_id)
                of_minute, of_day = row["of_minute"], row["of_day"]
                if of_minute >= MAX_TESTS_PER_MINUTE:
                    detail = f"A tenant may send {MAX_TESTS_PER_MINUTE} test messages a minute. Wait a minute."
                    raise ClarionError(Code.LIMITED, detail, retry_after=60)
                if of_day >= MAX_TESTS_PER_DAY:
                    detail = f"A tenant may send {MAX_TESTS_PER_DAY} test messages a day. Try again tomorrow."
                    raise ClarionError(Code.LIMITED, detail, retry_after=3600)
                await connection.execute(_SQL.insert_test, tenant_id, provider_id)

    async def _execute(self, query: str, *arguments: Any) -> None:
        with _unavailable():
            async with self._pool.acquire(timeout=5.0) as connection:
                await connection.execute(query, *arguments)


@contextmanager
def _unavailable() -> Iterator[None]:
    """Raise UNAVAILABLE for every error of PostgreSQL: what is stored here never stops a process."""
    try:
        with postgres.unavailable_while_down():
            yield
    except asyncpg.PostgresError as error:
        raise ClarionError(Code.UNAVAILABLE, f"The health of providers cannot be stored or read: {error}") from error


def _groups(rows: Sequence[T]) -> list[Sequence[T]]:
    return [rows[at : at + _GROUP] for at in range(0, len(rows), _GROUP)]


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    found = [list(column) for column in zip(*rows, strict=True)]
    return found or [[] for _ in range(width)]


def _breaker(row: asyncpg.Record) -> OpenBreaker:
    return OpenBreaker(row["provider_id"], row["tenant_id"], row["reason"], row["since_us"], row["next_try_us"])
