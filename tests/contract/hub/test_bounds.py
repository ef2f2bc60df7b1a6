"""The bounds that the configuration sets: channels, connections, names, how long an unused channel is remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import aiohttp
from cent import AsyncClient, BatchRequest, HistoryRequest, HistoryResult, InfoRequest

from tests.waiting import eventually

from .servers import Server
from .test_python_client import commanding
from .wire import Closed, Frame, Wire, connected, token_for

LIMIT_EXCEEDED = 106
BAD_REQUEST = 107
FORGETFUL = {"history_ttl": "1s", "history_meta_ttl": "2s"}


async def test_a_client_joins_no_more_channels_than_the_limit(start_server: Callable[..., Server]) -> None:
    """The next one is refused with 106, and joins once another one was left."""
    server = start_server(client={"channel_limit": 3})
    async with aiohttp.ClientSession() as session, connected(session, server, token_for("p1")) as wire:
        for name in ("a", "b", "c"):
            assert "subscribe" in await _subscribe(wire, f"{name}#p1")
        assert (await _subscribe(wire, "d#p1"))["error"]["code"] == LIMIT_EXCEEDED
        await wire.ask({"id": 3, "unsubscribe": {"channel": "a#p1"}})
        assert "subscribe" in await _subscribe(wire, "d#p1")


async def test_a_user_holds_no_more_connections_than_the_limit(start_server: Callable[..., Server]) -> None:
    """The newest is closed with 3504; the others stay, and other users are let in."""
    server = start_server(client={"user_connection_limit": 2})
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("p1")) as first,
        connected(session, server, token_for("p1")),
        session.ws_connect(server.ws_url) as third,
    ):
        answer = await Wire(third).ask({"id": 1, "connect": {"token": token_for("p1")}})
        assert answer == Closed(3504, "connection limit")
        async with connected(session, server, token_for("p2")):
            assert "subscribe" in await _subscribe(first, "a#p1")


async def test_a_longer_name_is_refused(start_server: Callable[..., Server]) -> None:
    """channel.max_length counts characters, the user's part included."""
    server = start_server(channel={"max_length": 10})
    async with aiohttp.ClientSession() as session, connected(session, server, token_for("p1")) as wire:
        assert "subscribe" in await _subscribe(wire, "a" * 7 + "#p1")
        assert (await _subscribe(wire, "a" * 8 + "#p1"))["error"]["code"] == BAD_REQUEST


async def test_invented_names_leave_nothing_behind(start_server: Callable[..., Server]) -> None:
    """20,000 names of one token: never more than 128 channels at a time, and all are forgotten after their time."""
    server = start_server(channel={"without_namespace": FORGETFUL})
    names = [f"invented{number}#p1" for number in range(20_000)]
    epochs: dict[str, str] = {}
    async with aiohttp.ClientSession() as session, commanding(server) as cent:
        async with connected(session, server, token_for("p1")) as wire:
            for start in range(0, len(names), 100):
                epochs |= await _join_and_leave(wire, names[start : start + 100])

            async def no_channel_is_left() -> bool:
                node = (await cent.info(InfoRequest())).nodes[0]
                return (node.num_subs, node.num_channels) == (0, 0)

            await eventually(no_channel_is_left)
        assert len(epochs) == len(names)
        # To ask after a channel is to use it, so each probe asks after another one.
        probes = iter(names[-200:])
        await eventually(lambda: _is_forgotten(cent, next(probes), epochs), every=0.25)
        remembered = [name async for name in _remembered(cent, names[:-200], epochs)]
    assert remembered == []


async def test_a_channel_in_use_is_not_forgotten(start_server: Callable[..., Server]) -> None:
    """Only what is unused for history_meta_ttl goes: here one that is asked after in between."""
    server = start_server(channel={"without_namespace": FORGETFUL})
    async with aiohttp.ClientSession() as session, commanding(server) as cent:
        async with connected(session, server, token_for("p1")) as wire:
            epochs = await _join_and_leave(wire, ["kept#p1", *(f"unused{number}#p1" for number in range(100))])
        unused = iter([name for name in epochs if name != "kept#p1"])

        async def others_are_gone() -> bool:
            assert not await _is_forgotten(cent, "kept#p1", epochs)
            return await _is_forgotten(cent, next(unused), epochs)

        await eventually(others_are_gone, every=0.25)


async def _subscribe(wire: Wire, channel: str) -> Frame:
    answer = await wire.ask({"id": 2, "subscribe": {"channel": channel}})
    assert isinstance(answer, dict), answer
    return answer


async def _join_and_leave(wire: Wire, names: list[str]) -> dict[str, str]:
    """Return each channel's epoch."""
    await wire.send(*({"id": number + 1, "subscribe": {"channel": name}} for number, name in enumerate(names)))
    epochs = {}
    for name in names:
        answer = await wire.next()
        assert isinstance(answer, dict), answer
        epochs[name] = answer["subscribe"]["epoch"]
    await wire.send(*({"id": number + 1, "unsubscribe": {"channel": name}} for number, name in enumerate(names)))
    for _ in names:
        assert "unsubscribe" in (await wire.next())  # type: ignore[operator]
    return epochs


async def _is_forgotten(cent: AsyncClient, name: str, epochs: dict[str, str]) -> bool:
    """Whether the channel begins again: with another epoch."""
    return (await cent.history(HistoryRequest(channel=name))).epoch != epochs[name]


async def _remembered(cent: AsyncClient, names: list[str], epochs: dict[str, str]) -> AsyncIterator[str]:
    for start in range(0, len(names), 500):
        some = names[start : start + 500]
        answer = await cent.batch(BatchRequest(requests=[HistoryRequest(channel=name) for name in some]))
        for name, reply in zip(some, answer.replies, strict=True):
            assert isinstance(reply, HistoryResult)
            if reply.epoch == epochs[name]:
                yield name
