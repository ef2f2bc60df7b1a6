"""Many connections, and one that does not keep up."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
from cent import BroadcastRequest, ChannelsRequest, PublishRequest

from tests.waiting import eventually

from .servers import Server
from .test_python_client import commanding
from .wire import Closed, Wire, connected, token_for

CROWD = 1000


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Let this process hold a socket for everybody in the crowd."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CROWD + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.fail(f"the limit of open files is {hard}, this test needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
async def test_a_crowd_connects_at_once_and_everybody_gets_the_message(
    start_server: Callable[..., Server],
) -> None:
    """1,000 users connect together; one broadcast and one publish reach all of them."""
    everyone = {"allow_subscribe_for_client": True}
    server = start_server(channel={"namespaces": [{"name": "all", **everyone}]})
    users = [f"u{n}" for n in range(CROWD)]
    async with AsyncExitStack() as stack:
        cent = await stack.enter_async_context(commanding(server))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))

        async def arrive(user: str) -> Wire:
            wire = await stack.enter_async_context(connected(session, server, token_for(user)))
            await wire.ask({"id": 2, "subscribe": {"channel": f"orders#{user}"}})
            await wire.ask({"id": 3, "subscribe": {"channel": "all:news"}})
            return wire

        wires = await asyncio.gather(*(arrive(user) for user in users))
        mine = BroadcastRequest(channels=[f"orders#{user}" for user in users], data="mine")
        answers = (await cent.broadcast(mine)).responses
        await cent.publish(PublishRequest(channel="all:news", data="ours"))
        pushes = await asyncio.gather(*(_two(wire) for wire in wires))
    assert not [answer.error for answer in answers if answer.error]
    assert pushes == [[(f"orders#{user}", "mine"), ("all:news", "ours")] for user in users]


async def _two(wire: Wire) -> list[tuple[str, object]]:
    pushes = [await wire.next(30), await wire.next(30)]
    return [(frame["push"]["channel"], frame["push"]["pub"]["data"]) for frame in pushes if isinstance(frame, dict)]


async def test_a_slow_reader_is_dropped_and_harms_nobody(
    start_server: Callable[..., Server],
) -> None:
    """Who does not read is cut off once its queue is full; its neighbour misses nothing."""
    server = start_server(client={"queue_max_size": 256 * 1024})
    block = "x" * 50_000
    got: list[object] = []
    channel = "pair#slow,quick"

    async def read(wire: Wire) -> None:
        while isinstance(frame := await wire.next(30), dict):
            got.append(frame["push"]["pub"]["data"]["n"])

    async with (
        aiohttp.ClientSession() as session,
        commanding(server) as cent,
        connected(session, server, token_for("quick")) as quick,
        connected(session, server, token_for("slow")) as slow,
    ):
        await quick.ask({"id": 2, "subscribe": {"channel": channel}})
        await slow.ask({"id": 2, "subscribe": {"channel": channel}})
        reading = asyncio.create_task(read(quick))

        async def subscribers() -> int:
            return (await cent.channels(ChannelsRequest())).channels[channel].num_clients

        sent = 0
        assert await subscribers() == 2
        while await subscribers() == 2:
            assert sent < 2000, "100 MB are waiting for a reader that does not read"
            await cent.publish(PublishRequest(channel=channel, data={"n": sent, "block": block}))
            sent += 1
        await cent.publish(PublishRequest(channel=channel, data={"n": sent}))
        await eventually(lambda: len(got) == sent + 1, 20)
        reading.cancel()
        while isinstance(end := await slow.next(30), dict):
            pass
    assert got == list(range(sent + 1))
    assert isinstance(end, Closed)
