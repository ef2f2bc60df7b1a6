"""One tenant's way through admission, with rates that a test sets."""

import asyncio
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from runtime.ids import new_id
from services.ingest.admission import PostgresAdmission
from services.ingest.ports import AdmissionVerdict, Admitted, Claim, LimitKind, Reached, TenantSettings
from services.ingest.tenants import rates

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def minute(bound: int, retry_after: int) -> Reached:
    """The refusal of rate_limit_per_minute."""
    return Reached(LimitKind.SLIDING, bound, retry_after, window_s=60)


def day(bound: int, retry_after: int) -> Reached:
    """The refusal of daily_cap."""
    return Reached(LimitKind.FIXED, bound, retry_after, window_s=86_400)


class Door:
    """One process's admission of one tenant."""

    def __init__(self, pool: Pool, tenant_id: str) -> None:
        self.pool = pool
        self.tenant_id = tenant_id
        self.admission = PostgresAdmission(pool, lambda _: TenantSettings())

    async def ask(self, key: str = "", **fields: Any) -> Admitted:
        """Ask for one event; without a key for one that nobody asked for before."""
        return await self.admission.admit(self.claim((key or new_id()).encode(), **fields))

    def claim(self, key: bytes, *, size: int = 1, **fields: Any) -> Claim:
        """Return the claim of a new event."""
        return Claim(self.tenant_id, key, new_id(), size, **fields)

    async def many(self, number: int, **fields: Any) -> list[Admitted]:
        """Ask for so many at once."""
        return await asyncio.gather(*[self.ask(**fields) for _ in range(number)])

    async def let_in(self, number: int, **fields: Any) -> int:
        """Return the number of admitted events out of so many."""
        return sum(admitted.verdict is AdmissionVerdict.NEW for admitted in await self.many(number, **fields))

    async def refused(self, **fields: Any) -> Reached | None:
        """Return which limit refuses one."""
        admitted = await self.ask(**fields)
        assert admitted.verdict is AdmissionVerdict.LIMITED
        return admitted.reached

    async def log(self, window_s: int = 60) -> tuple[list[datetime], list[int]]:
        """Return the stored log of the tenant's rate; empty: it has granted nothing yet."""
        row = await self.pool.fetchrow(
            "SELECT * FROM ingest.rate_windows WHERE tenant_id = $1 AND window_s = $2", self.tenant_id, window_s
        )
        return (row["granted_at"], row["granted"]) if row is not None else ([], [])

    async def backlog(self) -> tuple[int, int, int]:
        """Return unfinished events, their bytes, and scheduled events."""
        row = await self.pool.fetchrow("SELECT * FROM ingest.backlog WHERE tenant_id = $1", self.tenant_id)
        assert row is not None
        return row["unfinished"], row["unfinished_bytes"], row["scheduled"]


async def door(
    pool: Pool, *, per_minute: int | None = None, per_day: int | None = None, unfinished: int = 1_000_000
) -> Door:
    """Make a tenant with these limits."""
    return await tenant_with(
        pool,
        TenantSettings(rate_limit_per_minute=per_minute, daily_cap=per_day, max_unfinished_events=unfinished),
    )


async def tenant_with(pool: Pool, settings: TenantSettings) -> Door:
    """Make a tenant with these settings."""
    tenant_id, account_id = new_id(), new_id()
    split = rates.split(settings.all_rates())
    await pool.execute("INSERT INTO ingest.accounts (id, name) VALUES ($1, 'A')", account_id)
    await pool.execute(
        "INSERT INTO ingest.tenants (id, account_id, name, max_unfinished_events, max_unfinished_bytes,"
        " max_scheduled_events, rate_limit_per_minute, daily_cap, rates, key_rates)"
        " VALUES ($1, $2, 'A', $3, $4, $5, $6, $7, $8, $9)",
        tenant_id,
        account_id,
        settings.max_unfinished_events,
        settings.max_unfinished_bytes,
        settings.max_scheduled_events,
        split.per_minute,
        split.per_day,
        split.stored,
        rates.split(settings.key_rates).stored,
    )
    await pool.execute("INSERT INTO ingest.backlog (tenant_id) VALUES ($1)", tenant_id)
    return Door(pool, tenant_id)
