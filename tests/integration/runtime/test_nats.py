"""Publishing in group commits and pulling in streams, on a real server that is killed under them."""

import asyncio
import time
from collections.abc import AsyncIterator

import nats as nats_py
import pytest
from nats.aio.client import Client

from runtime import nats
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services import topology
from tests.conftest import NatsServer, free_port
from tests.waiting import eventually

SUBJECT = topology.event_subject("a tenant")


def _messages(count: int, start: int = 0) -> list[nats.Outgoing]:
    return [nats.Outgoing(SUBJECT, str(number).encode(), msg_id=f"m{number}") for number in range(start, start + count)]


async def _stored(connection: Client) -> int:
    info = await connection.jetstream().stream_info(topology.EVENTS)
    return info.state.messages


async def test_a_batch_is_stored_in_order(connection: Client) -> None:
    """Each of 1,500 messages is on disk under the sequence it is told."""
    stored = await nats.Publisher(connection).publish_all(_messages(1500))
    assert [answer.sequence for answer in stored] == list(range(1, 1501))
    assert not any(answer.duplicate for answer in stored)
    message = await connection.jetstream().get_msg(topology.EVENTS, 1234)
    assert message.data == b"1233"


async def test_known_ids_are_found_in_a_batch(connection: Client) -> None:
    """A known id refuses its batch; halving stores the rest, and tells which ones were there."""
    publisher = nats.Publisher(connection)
    await publisher.publish_all([_messages(1, start=7)[0], _messages(1, start=40)[0]])
    stored = await publisher.publish_all(_messages(64))
    assert [number for number, answer in enumerate(stored) if answer.duplicate] == [7, 40]
    assert await _stored(connection) == 64


async def test_publishing_survives_kills_of_the_server(nats_server: NatsServer, connection: Client) -> None:
    """Nothing acknowledged is missing and nothing is doubled after three kill -9 in a stream of publishes."""
    publisher = nats.Publisher(connection, deadline=60)
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


async def _pull_all(connection: Client, count: int) -> AsyncIterator[nats.Held]:
    pullers = [
        nats.Puller(connection, consumer.stream, consumer.name, max_held=256, ack_wait=topology.ACK_WAIT_S)
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


async def test_a_puller_hands_out_no_more_than_it_may(connection: Client) -> None:
    """With 8 in hand and none acked, the ninth stays at the server until one is acked."""
    await nats.Publisher(connection).publish_all(_messages(20))
    puller = _puller(connection, max_held=8)
    held: list[nats.Held] = []

    async def collect() -> None:
        async for batch in puller.batches():
            held.extend(batch)

    task = asyncio.create_task(collect())
    await eventually(lambda: len(held) == 8)
    for message in held[:4]:
        await message.ack()
    await eventually(lambda: len(held) == 12)
    puller.stop()
    for message in held:
        await message.ack()
    await asyncio.wait_for(task, 90)


async def test_a_puller_holds_no_more_bytes_than_it_may(connection: Client) -> None:
    """Of large messages fewer are in hand than of small ones, and all of them come in the end."""
    bound, size, count = 4 * 1024**2, 240_000, 40
    large = [nats.Outgoing(SUBJECT, number.to_bytes(2, "big") * (size // 2)) for number in range(count)]
    await nats.Publisher(connection).publish_all(large)
    puller = _puller(connection, max_held_bytes=bound)
    held: list[nats.Held] = []
    seen: list[int] = []
    fullest = 0

    async def collect() -> None:
        nonlocal fullest
        async for batch in puller.batches():
            held.extend(batch)
            seen.extend(message.sequence for message in batch)
            fullest = max(fullest, sum(len(message.data) for message in held))

    async def is_full() -> bool:
        info = await connection.jetstream().consumer_info(topology.EVENTS, _consumer().name)
        return bool(held and (len(seen) == count or info.num_waiting == 0))  # nothing more is asked for

    task = asyncio.create_task(collect())
    while len(seen) < count:
        await eventually(is_full, 90)
        for message in held:
            await message.ack()
        held.clear()
    puller.stop()
    for message in held:
        await message.ack()
    await asyncio.wait_for(task, 30)
    assert seen == list(range(1, count + 1))
    assert fullest <= bound


async def test_a_message_larger_than_any_bound_comes_alone(connection: Client) -> None:
    """No size stops a puller: what the bound cannot take is asked for by itself, and what follows it comes, too."""
    publisher = nats.Publisher(connection)
    for size in (1, 3 * 1024**2, 2):
        await publisher.publish(nats.Outgoing(SUBJECT, bytes(size)))
    puller = _puller(connection, max_held_bytes=4 * 1024**2)
    sizes: list[int] = []

    async def collect() -> None:
        async for batch in puller.batches():
            for message in batch:
                sizes.append(len(message.data))
                await message.ack()
            if len(sizes) == 3:
                puller.stop()

    await asyncio.wait_for(collect(), 90)
    assert sizes == [1, 3 * 1024**2, 2]


async def test_what_is_held_long_is_not_delivered_again(connection: Client) -> None:
    """A message in hand for longer than ack_wait stays in this hand only."""
    await nats.Publisher(connection).publish_all(_messages(1))
    puller = _puller(connection)
    counts: list[int] = []

    async def collect() -> None:
        async for batch in puller.batches():
            for message in batch:
                counts.append(message.deliveries)
                await asyncio.sleep(topology.ACK_WAIT_S * 1.5)  # the work itself, longer than ack_wait
                await message.ack()
            puller.stop()

    await asyncio.wait_for(collect(), topology.ACK_WAIT_S * 9)
    assert counts == [1]


async def test_what_is_released_comes_again(connection: Client) -> None:
    """A message let go without an ack is delivered a second time."""
    await nats.Publisher(connection).publish_all(_messages(1))
    puller = _puller(connection)
    counts: list[int] = []

    async def collect() -> None:
        async for batch in puller.batches():
            for message in batch:
                counts.append(message.deliveries)
                if message.deliveries == 1:
                    message.release()
                else:
                    await message.ack()
                    puller.stop()

    await asyncio.wait_for(collect(), topology.ACK_WAIT_S * 9)
    assert counts == [1, 2]


async def test_pulling_survives_kills_of_the_server(nats_server: NatsServer, connection: Client) -> None:
    """Every message is handled though the server is killed twice while they are handed out."""
    await nats.Publisher(connection).publish_all(_messages(3000))
    puller = _puller(connection, max_held=64)
    seen: set[bytes] = set()

    async def collect() -> None:
        async for batch in puller.batches():
            for message in batch:
                seen.add(message.data)
                await message.ack()
            if len(seen) == 3000:
                puller.stop()
            await asyncio.sleep(0.001)  # lets the kills fall into the middle

    async def kill() -> None:
        for bound in (500, 1500):
            await eventually(lambda bound=bound: len(seen) > bound, 90)
            nats_server.kill()
            await asyncio.to_thread(nats_server.start)

    await asyncio.wait_for(asyncio.gather(collect(), kill()), 240)
    assert len(seen) == 3000


def _puller(connection: Client, max_held: int = 64, **options: int) -> nats.Puller:
    consumer = _consumer()
    return nats.Puller(
        connection, consumer.stream, consumer.name, max_held=max_held, ack_wait=topology.ACK_WAIT_S, **options
    )


def _consumer() -> topology.Consumer:
    return next(consumer for consumer in topology.router_consumers() if SUBJECT in consumer.subjects)


async def test_what_is_held_stays_in_this_hand_only_while_the_server_is_away(nats_server: NatsServer) -> None:
    """A server back after ack_wait delivers all that is unacked again; what is held is not handed out twice.

    Nor does pulling end when more is held than the client can report while the server is away: a service's buffer
    takes 8 MiB, this one's is full at once.
    """
    small = await nats_py.connect(nats_server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, pending_size=512)
    publisher = nats.Publisher(small)
    puller = _puller(small, max_held=200)
    held: list[nats.Held] = []

    async def collect() -> None:
        async for batch in puller.batches():
            held.extend(batch)

    task = asyncio.create_task(collect())
    await publisher.publish_all(_messages(100))
    await eventually(lambda: len(held) == 100)
    nats_server.kill()
    back_at = time.monotonic() + topology.ACK_WAIT_S + 0.5
    await eventually(lambda: time.monotonic() > back_at)
    await asyncio.to_thread(nats_server.start)
    await eventually(lambda: small.is_connected)
    await publisher.publish_all(_messages(100, start=100))
    await eventually(lambda: len({message.data for message in held}) == 200)
    puller.stop()
    for message in held:
        await message.ack()
    await asyncio.wait_for(task, 90)
    assert len(held) == 200

    async def all_acked() -> bool:
        info = await small.jetstream().consumer_info(topology.EVENTS, _consumer().name, timeout=30)
        return bool(info.num_ack_pending == 0)

    await eventually(all_acked)
    await small.close()


async def test_a_server_that_is_away_is_named_without_its_password() -> None:
    """The error ends up in logs."""
    url = f"nats://clarion:s3cret@127.0.0.1:{free_port()}"
    with pytest.raises(ClarionError) as caught:
        await nats.connect(url, name="test", wait=0)
    assert caught.value.code is Code.UNAVAILABLE
    assert "s3cret" not in str(caught.value)
    assert url.rpartition("@")[2] in str(caught.value)
