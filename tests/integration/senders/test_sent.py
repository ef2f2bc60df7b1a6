"""The log of what providers took, on real PostgreSQL."""

import asyncio
import dataclasses

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


async def test_what_was_sent_is_found_by_the_providers_own_id(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """A batch of ids finds those that are known, and only of this provider."""
    log = SentLog(pool)
    mine, theirs = _sent("m1"), _sent("m2", provider_id="p2")
    log.record(mine)
    log.record(theirs)
    await log.drain()
    found = await log.find("p1", ["m1", "m2", "never"])
    assert found == {"m1": mine}
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


async def test_a_message_noted_twice_is_one(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """A repeated call under the same idempotency key brings the same id: the first row stays."""
    log = SentLog(pool)
    first = _sent("m1")
    log.record(first)
    log.record(dataclasses.replace(first, attempt=3))
    await log.drain()
    assert await log.find("p1", ["m1"]) == {"m1": first}


async def test_many_who_ask_at_once_each_get_their_own(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Reports that come one by one are looked up together."""
    log = SentLog(pool)
    sent = [_sent(f"m{number}", provider_id=f"p{number % 2}") for number in range(40)]
    for one in sent:
        log.record(one)
    await log.drain()
    found = await asyncio.gather(*[log.find(one.provider_id, [one.message_id, "never"]) for one in sent])
    assert found == [{one.message_id: one} for one in sent]
