"""Pulling in streams, on a real server that is killed under it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import nats as nats_py
from nats.aio.client import Client

from runtime import nats, pulling
from services.domain import topology
from tests.conftest import NatsServer
from tests.integration.runtime.messages import SUBJECT, consumer, messages, puller
from tests.streams import Streams
from tests.waiting import eventually

# Half of the product's: long enough for a busy machine to report in time what is held.
_ACK_WAIT_S = topology.ACK_WAIT_S / 2


async def test_a_puller_hands_out_no_more_than_it_may(connection: Client) -> None:
    """With 8 in hand and none acked, the ninth stays at the server until one is acked."""
    await nats.StreamPublisher(connection).publish_all(messages(20))
    pulled = puller(connection, max_held=8)
    held: list[pulling.Held] = []

    async def collect() -> None:
        async for batch in pulled.batches():
            held.extend(batch)

    task = asyncio.create_task(collect())
    await eventually(lambda: len(held) == 8)
    for message in held[:4]:
        await message.ack()
    await eventually(lambda: len(held) == 12)
    pulled.stop()
    for message in held:
        await message.ack()
    await asyncio.wait_for(task, 90)


async def test_what_is_set_aside_makes_room_up_to_a_bound(connection: Client) -> None:
    """Of 4 in hand 3 wait and 2 may be set aside: 2 more come; taken back they count, and all can be acked."""
    await nats.StreamPublisher(connection).publish_all(messages(20))
    pulled = puller(connection, max_held=4, max_aside=2)
    held: list[pulling.Held] = []

    async def collect() -> None:
        async for batch in pulled.batches():
            held.extend(batch)

    task = asyncio.create_task(collect())
    await eventually(lambda: len(held) == 4)
    assert [message.set_aside() for message in held[:3]] == [True, True, False]
    assert held[0].set_aside()  # it is aside already
    await eventually(lambda: len(held) == 6)
    held[0].take_back()
    held[0].take_back()
    await held[2].ack()
    await held[0].ack()
    await eventually(lambda: len(held) == 7)
    for message in held[7:]:  # what came for the places of those that were acked
        assert not message.is_aside
    pulled.stop()
    for message in held:
        await message.ack()
    await asyncio.wait_for(task, 90)
    assert pulled.held == 0
    assert pulled._window.aside == pulled._window.aside_bytes == 0


async def test_a_puller_holds_no_more_bytes_than_it_may(connection: Client) -> None:
    """Of large messages fewer are in hand than of small ones, and all of them come in the end."""
    bound, size, count = 4 * 1024**2, 240_000, 40
    large = [nats.Outgoing(SUBJECT, number.to_bytes(2, "big") * (size // 2)) for number in range(count)]
    await nats.StreamPublisher(connection).publish_all(large)
    pulled = puller(connection, max_held_bytes=bound)
    held: list[pulling.Held] = []
    seen: list[int] = []
    fullest = 0

    async def collect() -> None:
        nonlocal fullest
        async for batch in pulled.batches():
            held.extend(batch)
            seen.extend(message.sequence for message in batch)
            fullest = max(fullest, sum(len(message.data) for message in held))

    async def is_full() -> bool:
        info = await connection.jetstream().consumer_info(topology.EVENTS, consumer().name)
        return bool(held and (len(seen) == count or info.num_waiting == 0))  # nothing more is asked for

    task = asyncio.create_task(collect())
    while len(seen) < count:
        await eventually(is_full, 90)
        for message in held:
            await message.ack()
        held.clear()
    pulled.stop()
    for message in held:
        await message.ack()
    await asyncio.wait_for(task, 30)
    assert seen == list(range(1, count + 1))
    assert fullest <= bound


async def test_a_message_larger_than_any_bound_comes_alone(connection: Client) -> None:
    """No size stops a puller: what the bound cannot take is asked for by itself, and what follows it comes, too."""
    publisher = nats.StreamPublisher(connection)
    for size in (1, 3 * 1024**2, 2):
        await publisher.publish(nats.Outgoing(SUBJECT, bytes(size)))
    pulled = puller(connection, max_held_bytes=4 * 1024**2)
    sizes: list[int] = []

    async def collect() -> None:
        async for batch in pulled.batches():
            for message in batch:
                sizes.append(len(message.data))
                await message.ack()
            if len(sizes) == 3:
                pulled.stop()

    await asyncio.wait_for(collect(), 90)
    assert sizes == [1, 3 * 1024**2, 2]


async def _deliveries(
    connection: Client, streams: Streams, is_done: Callable[[pulling.Held], Awaitable[bool]]
) -> list[int]:
    """Publish one message and handle it until is_done says so; return how often it had been delivered each time."""
    await nats.StreamPublisher(connection).publish_all(messages(1))
    await streams.redeliver_after(_ACK_WAIT_S)
    pulled = puller(connection, ack_wait=_ACK_WAIT_S)
    counts: list[int] = []

    async def collect() -> None:
        async for batch in pulled.batches():
            for message in batch:
                counts.append(message.deliveries)
                if await is_done(message):
                    pulled.stop()

    await asyncio.wait_for(collect(), _ACK_WAIT_S * 18)
    return counts


async def test_what_is_held_long_is_not_delivered_again(connection: Client, streams: Streams) -> None:
    """A message in hand for longer than ack_wait stays in this hand only."""

    async def take_long(message: pulling.Held) -> bool:
        await asyncio.sleep(_ACK_WAIT_S * 1.5)  # the work itself, longer than ack_wait
        await message.ack()
        return True

    assert await _deliveries(connection, streams, take_long) == [1]
    info = await connection.jetstream().consumer_info(consumer().stream, consumer().name)
    assert info.delivered is not None
    assert info.delivered.consumer_seq == 1  # nor by the server, which would cost the network


async def test_what_is_released_comes_again(connection: Client, streams: Streams) -> None:
    """A message let go without an ack is delivered a second time."""

    async def let_go_once(message: pulling.Held) -> bool:
        if message.deliveries == 1:
            message.release()
            return False
        await message.ack()
        return True

    assert await _deliveries(connection, streams, let_go_once) == [1, 2]


async def test_pulling_survives_kills_of_the_server(nats_server: NatsServer, connection: Client) -> None:
    """Every message is handled though the server is killed twice while they are handed out."""
    await nats.StreamPublisher(connection).publish_all(messages(3000))
    pulled = puller(connection, max_held=64)
    seen: set[bytes] = set()

    async def collect() -> None:
        async for batch in pulled.batches():
            for message in batch:
                seen.add(message.data)
                await message.ack()
            if len(seen) == 3000:
                pulled.stop()
            await asyncio.sleep(0.001)  # lets the kills fall into the middle

    async def kill() -> None:
        for bound in (500, 1500):
            await eventually(lambda bound=bound: len(seen) > bound, 90)
            nats_server.kill()
            await asyncio.to_thread(nats_server.start)

    await asyncio.wait_for(asyncio.gather(collect(), kill()), 240)
    assert len(seen) == 3000


async def test_what_is_held_stays_in_this_hand_only_while_the_server_is_away(
    nats_server: NatsServer, streams: Streams
) -> None:
    """A server back after ack_wait delivers all that is unacked again; what is held is not handed out twice.

    Nor does pulling end when more is held than the client can report while the server is away: a service's buffer
    takes 8 MiB, this one's is full at once.
    """
    small = await nats_py.connect(nats_server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, pending_size=512)
    publisher = nats.StreamPublisher(small)
    await streams.redeliver_after(_ACK_WAIT_S)
    pulled = puller(small, max_held=200, ack_wait=_ACK_WAIT_S)
    held: list[pulling.Held] = []

    async def collect() -> None:
        async for batch in pulled.batches():
            held.extend(batch)

    task = asyncio.create_task(collect())
    await publisher.publish_all(messages(100))
    await eventually(lambda: len(held) == 100)
    nats_server.kill()
    back_at = time.monotonic() + _ACK_WAIT_S + 0.5
    await eventually(lambda: time.monotonic() > back_at)
    await asyncio.to_thread(nats_server.start)
    await eventually(lambda: small.is_connected)
    await publisher.publish_all(messages(100, start=100))
    await eventually(lambda: len({message.data for message in held}) == 200)
    pulled.stop()
    for message in held:
        await message.ack()
    await asyncio.wait_for(task, 90)
    assert len(held) == 200

    async def all_acked() -> bool:
        info = await small.jetstream().consumer_info(topology.EVENTS, consumer().name, timeout=30)
        return bool(info.num_ack_pending == 0)

    await eventually(all_acked)
    await small.close()
