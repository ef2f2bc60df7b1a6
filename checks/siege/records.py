"""Reads from PostgreSQL when each message of a neighbour was stored."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import asyncpg

from checks.waiting import expect
from services.domain import statuses
from services.domain.channels import PUBLIC_NAMES

# Commit times are those of track_commit_timestamp: see bench.ground.
_ROWS = """
SELECT channel, split_part(body_text, '#', 2) AS id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at
FROM senders.outbox WHERE tenant_id = $1
UNION ALL
SELECT 3, split_part(title, '#', 2), extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
FROM realtime.inbox WHERE tenant_id = $1
"""
_DEAD_LETTERS = "SELECT count(*) FROM ingest.dead_letters WHERE tenant_id = $1"
_LEFT = """
SELECT channel, status, reason, max(attempts) AS attempts, count(*) AS number
FROM ingest.deliveries WHERE tenant_id = $1 AND status <> ALL ($2::smallint[])
GROUP BY 1, 2, 3 ORDER BY number DESC LIMIT 5
"""
_CONNECT_S = 5.0


@dataclass
class Records:
    """When each event was first recorded, by channel, in Unix seconds; and how often."""

    first: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    times: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, channel: str, order_id: str, at: float) -> None:
        """Add a record."""
        self.times[channel][order_id] += 1
        self.first[channel][order_id] = min(at, self.first[channel].get(order_id, at))

    def missing(self, accepted: set[str], channels: list[str]) -> int:
        """Return the number of deliveries of accepted events that were never recorded."""
        return sum(len(accepted - set(self.first[channel])) for channel in channels)

    def repeated(self) -> int:
        """Return the number of duplicate records."""
        return sum(sum(times.values()) - len(times) for times in self.times.values())


async def read(postgres_url: str, tenant_id: str) -> Records:
    """Return a tenant's records."""
    found = Records()
    connection = await asyncpg.connect(postgres_url, timeout=_CONNECT_S, command_timeout=60)
    try:
        for row in await connection.fetch(_ROWS, tenant_id):
            found.add(PUBLIC_NAMES[row["channel"]], row["id"], row["at"])
    finally:
        await connection.close()
    return found


async def dead_letters(postgres_url: str, tenant_id: str) -> int:
    """Return the number of a tenant's dead letters."""
    connection = await asyncpg.connect(postgres_url, timeout=_CONNECT_S, command_timeout=60)
    try:
        return int(await connection.fetchval(_DEAD_LETTERS, tenant_id))
    finally:
        await connection.close()


async def left(postgres_url: str, tenant_id: str) -> str:
    """Describe a tenant's deliveries in the ledger that were neither sent nor skipped."""
    well = [one.number for one in statuses.BY_NUMBER.values() if one.is_terminal and one.outcome != statuses.FAILED]
    connection = await asyncpg.connect(postgres_url, timeout=_CONNECT_S, command_timeout=60)
    try:
        rows = await connection.fetch(_LEFT, tenant_id, well)
    finally:
        await connection.close()
    return ", ".join(
        f"{row['number']} {PUBLIC_NAMES[row['channel']]} {statuses.name(row['status'])} {row['reason']}"
        f" after at most {row['attempts']} attempts"
        for row in rows
    )


async def complete(
    postgres_url: str, tenant_id: str, accepted: set[str], channels: list[str], deadline: float
) -> Records:
    """Wait until every delivery of the accepted events is recorded, at most deadline seconds. Return the records."""
    until = asyncio.get_running_loop().time() + deadline
    expect(accepted, "no event was accepted")
    while True:
        found = await read(postgres_url, tenant_id)
        if not found.missing(accepted, channels) or asyncio.get_running_loop().time() > until:
            return found
        await asyncio.sleep(0.5)
