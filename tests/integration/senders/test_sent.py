"""The log of what providers took, on real PostgreSQL."""

import asyncio

import asyncpg

from clarion.common.v1 import event_pb2
from runtime.ids import new_id
from services.senders.sent import SentLog, SentMessage
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually


def _sent(message_id: str, *, provider_id: str = "p1") -> SentMessage:
    return SentMessage(
        provider_id=provider_id,
        message_id=message_id,
        tenant_id=TENANT,
        event_id=new_id(),
        delivery_id=new_id(),
        channel=event_pb2.CHANNEL_EMAIL,
        attempt=2,
        replay=0,
        recipient="ada@example.org",
    )


async def test_a_message_has_the_moment_of_its_row(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """By the database's clock."""
    log = SentLog(pool)
    log.record(_sent("m1"))
    await log.drain()
    found = await log.find("p1", ["m1"])
    sent_at_us = await pool.fetchval("SELECT (extract(epoch FROM sent_at) * 1000000)::bigint FROM senders.sent LIMIT 1")
    assert found["m1"].sent_at_us == sent_at_us


async def test_what_is_too_old_is_forgotten(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """And nothing else."""
    log = SentLog(pool)
    for message_id in ("old", "new"):
        log.record(_sent(message_id))
    await log.drain()
    await pool.execute("UPDATE senders.sent SET sent_at = now() - interval '15 days' WHERE message_id = 'old'")
    purging = asyncio.create_task(log.purge(14))
    try:

        async def forgotten() -> bool:
            return list(await log.find("p1", ["old", "new"])) == ["new"]

        await eventually(forgotten)
    finally:
        purging.cancel()
