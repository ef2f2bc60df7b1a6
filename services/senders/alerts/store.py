"""Outages and the settings of alerts in PostgreSQL."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from runtime import clock, postgres
from runtime.ids import new_id
from services.senders.alerts.outages import KINDS_OF_TENANTS, WORSE, AlertSettings, Audience, Kind, Outage

# The shortest time between two alerts about one object, whatever it does meanwhile.
HOLD_US = 600 * 1_000_000
# A provider of which no failure was seen for so long: whoever saw the last one may be gone.
QUIET_US = 600 * 1_000_000
# How long outages that have ended are listed.
KEEP_US = 30 * 86_400 * 1_000_000

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


class OutageStore:
    """Reads and writes senders.outages and senders.alert_settings. Each method raises UNAVAILABLE."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, now: clock.Clock = clock.now_us) -> None:
        self._pool = pool
        self._now = now

    async def begin(self, outage: Outage) -> None:
        """Store an outage, or that one that goes on was seen again."""
        with postgres.unavailable_while_down():
            await self._pool.execute(
                _SQL.begin,
                [new_id() for _ in Audience],
                int(outage.kind),
                outage.tenant_id,
                outage.object_id,
                outage.channel,
                outage.name,
                outage.reason,
                outage.detail,
                outage.began_us,
                HOLD_US,
                outage.reason in WORSE,
                outage.kind in KINDS_OF_TENANTS,
            )

    async def end(self, kind: Kind, object_id: str, at_us: int) -> None:
        """Store that the outage of an object has ended, if there is one."""
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.end, int(kind), object_id, at_us)

    async def take(self, limit: int, taken_s: float) -> list[Outage]:
        """Return outages of which something is to be told, that nobody else takes for taken_s seconds."""
        now = self._now()
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.take, now, now + int(taken_s * 1_000_000), limit)
        return [_outage(row) for row in rows]

    async def told(self, outage: Outage, phase: int) -> None:
        """Store what was told."""
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.told, outage.id, phase, outage.reason, self._now())

    async def put_off(self, outages: Sequence[Outage], pause_s: float) -> None:
        """Tell these later."""
        until = self._now() + int(pause_s * 1_000_000)
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.put_off, [one.id for one in outages], until)

    async def failed(self, outage: Outage, pause_s: float) -> None:
        """Store that it could not be told, and is tried again after pause_s seconds."""
        until = self._now() + int(pause_s * 1_000_000)
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.failed, outage.id, until, outage.reason)

    async def told_since(self, lowest_id: str, kind: int, tenant_id: str | None) -> int:
        """Return how many outages of a kind with this id or a later one a tenant was told; None: the operator."""
        with postgres.unavailable_while_down():
            found: int = await self._pool.fetchval(_SQL.told_since, lowest_id, kind, tenant_id)
        return found

    async def quiet_providers(self) -> set[str]:
        """Return the providers that are down, and of which nobody has seen a failure for a while."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.quiet_providers, self._now() - QUIET_US)
        return {row["object_id"] for row in rows}

    async def open_troubles(self) -> dict[tuple[Kind, str], str]:
        """Return the tenants of which it is known that they are in trouble, with the reasons."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.open_troubles)
        return {(Kind(row["kind"]), row["object_id"]): row["reason"] for row in rows}

    async def tidy(self) -> None:
        """End outages of deleted providers, and delete old ones."""
        now = self._now()
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.end_deleted, now)
            await self._pool.execute(_SQL.sweep, now - KEEP_US)

    async def page(
        self, tenant_ids: list[str] | None, *, is_open: bool, before: str | None, limit: int
    ) -> list[Outage]:
        """Return up to limit outages, newest first."""
        with postgres.unavailable_while_down():
            return [_outage(row) for row in await self._pool.fetch(_SQL.page, tenant_ids, is_open, before, limit)]

    async def settings(self) -> AlertSettings:
        """Return where alerts go."""
        with postgres.unavailable_while_down():
            row: Any = await self._pool.fetchrow(_SQL.settings)
        if row is None:
            return AlertSettings()
        return AlertSettings(str(row["tenant_id"] or ""), tuple(row["recipients"]), tuple(row["kinds"]))

    async def set_settings(self, settings: AlertSettings) -> None:
        """Store where alerts go."""
        with postgres.unavailable_while_down():
            await self._pool.execute(
                _SQL.set_settings, settings.tenant_id or None, list(settings.recipients), list(settings.kinds)
            )

    async def settings_of(self, tenant_ids: Sequence[str]) -> dict[str, AlertSettings]:
        """Return where alerts of these tenants go. Of those without settings nothing is told."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.settings_of_tenants, list(tenant_ids))
        found = {}
        for row in rows:
            tenant_id = str(row["tenant_id"])
            found[tenant_id] = AlertSettings(tenant_id, tuple(row["recipients"]), tuple(row["kinds"]), row["endpoints"])
        return found

    async def set_settings_of(self, tenant_id: str, settings: AlertSettings) -> None:
        """Store where a tenant's own alerts go. Without recipients and endpoints: nowhere."""
        with postgres.unavailable_while_down():
            if not (settings.recipients or settings.endpoints):
                await self._pool.execute(_SQL.delete_settings_of_tenant, tenant_id)
                return
            await self._pool.execute(
                _SQL.set_settings_of_tenant,
                tenant_id,
                list(settings.recipients),
                list(settings.kinds),
                settings.endpoints,
            )


def _outage(row: Any) -> Outage:
    return Outage(
        str(row["id"]),
        Kind(row["kind"]),
        str(row["tenant_id"]),
        row["object_id"],
        row["channel"],
        row["name"],
        row["reason"],
        row["detail"],
        row["began_us"],
        row["failed_us"],
        row["ended_us"] or 0,
        row["told"],
        Audience(row["audience"]),
        row["attempts"],
    )
