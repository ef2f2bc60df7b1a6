"""Publishing in group commits, on a real server that is killed under it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from runtime import nats, pulling
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from tests.conftest import NatsServer, free_port
from tests.integration.runtime.messages import SUBJECT, messages, puller
from tests.waiting import eventually


async def _count_stored(connection: Client) -> int:
    info = await connection.jetstream().stream_info(topology.EVENTS)
    return info.state.messages


async def _pull_all(connection: Client, count: int) -> AsyncIterator[pulling.Held]:
    """Yield what the router would get, each acked, until there were so many."""
    pulled = puller(connection, max_held=256)
    seen = 0
    async with asyncio.timeout(90):
        async for batch in pulled.batches():
            for held in batch:
                await held.ack()
                seen += 1
                yield held
            if seen >= count:
                pulled.stop()


async def test_a_batch_is_stored_in_order(connection: Client) -> None:
    """Each of 1,500 messages is on disk under the sequence it is told."""
    stored = await nats.StreamPublisher(connection).publish_all(messages(1500))
    assert [answer.sequence for answer in stored] == list(range(1, 1501))
    assert not any(answer.duplicate for answer in stored)
    message = await connection.jetstream().get_msg(topology.EVENTS, 1234)
    assert message.data == b"1233"


async def test_known_ids_are_found_in_a_batch(connection: Client) -> None:
    """A known id refuses its batch; halving stores the rest, and tells which ones were there."""
    publisher = nats.StreamPublisher(connection)
    await publisher.publish_all([messages(1, start=7)[0], messages(1, start=40)[0]])
    stored = await publisher.publish_all(messages(64))
    assert [number for number, answer in enumerate(stored) if answer.duplicate] == [7, 40]
    assert await _count_stored(connection) == 64


async def test_publishing_survives_kills_of_the_server(nats_server: NatsServer, connection: Client) -> None:
    """Nothing acknowledged is missing and nothing is doubled after three kill -9 in a stream of publishes."""
    publisher = nats.StreamPublisher(connection, deadline=60)
    published: set[bytes] = set()

    async def publish(part: int) -> None:
        for number in range(part * 10_000, part * 10_000 + 400):
            message = nats.Outgoing(SUBJECT, str(number).encode(), msg_id=new_id())
            await publisher.publish(message)
            published.add(message.payload)

    async def kill() -> None:
        for bound in (200, 1200, 2400):
            await eventually(lambda bound=bound: len(published) > bound, 90)
            nats_server.kill()
            await asyncio.to_thread(nats_server.start)

    await asyncio.gather(kill(), *[publish(part) for part in range(10)])
    assert len(published) == 4000
    seen = [held.data async for held in _pull_all(connection, 4000)]
    assert len(seen) == 4000
    assert set(seen) == published


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    """The error ends up in logs."""
    url = f"nats://clarion:s3cret@127.0.0.1:{free_port()}"
    with pytest.raises(ClarionError) as caught:
        await nats.connect(url, name="test", wait=0)
    assert caught.value.code is Code.UNAVAILABLE
    assert "s3cret" not in str(caught.value)
    assert url.rpartition("@")[2] in str(caught.value)
