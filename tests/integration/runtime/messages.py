"""What the tests of publishing and pulling share: messages, and how many are stored."""

import asyncio
from collections.abc import AsyncIterator

from nats.aio.client import Client

from runtime import nats, pulling
from services import topology

SUBJECT = topology.event_subject("a tenant")


def messages(count: int, start: int = 0) -> list[nats.Outgoing]:
    """Return so many, each its number, with ids."""
    return [nats.Outgoing(SUBJECT, str(number).encode(), msg_id=f"m{number}") for number in range(start, start + count)]


async def count_stored(connection: Client) -> int:
    """Return how many EVENTS holds."""
    info = await connection.jetstream().stream_info(topology.EVENTS)
    return info.state.messages


async def pull_all(connection: Client, count: int) -> AsyncIterator[pulling.Held]:
    """Yield what the router would get, each acked, until there were so many."""
    pullers = [
        pulling.Puller(connection, consumer.stream, consumer.name, max_held=256, ack_wait=topology.ACK_WAIT_S)
        for consumer in topology.router_consumers()
        if SUBJECT in consumer.subjects
    ]
    seen = 0
    async with asyncio.timeout(90):
        async for batch in pullers[0].batches():
            for held in batch:
                await held.ack()
                seen += 1
                yield held
            if seen >= count:
                pullers[0].stop()
