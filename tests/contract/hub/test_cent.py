"""The server API through `cent`, as Clarion's realtime service calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from cent import (
    AsyncClient,
    BatchRequest,
    BroadcastRequest,
    CentApiResponseError,
    CentUnauthorizedError,
    ChannelsRequest,
    Disconnect,
    DisconnectRequest,
    HistoryRemoveRequest,
    HistoryRequest,
    InfoRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    StreamPosition,
    SubscribeRequest,
    UnsubscribeRequest,
)

from tests.waiting import eventually

from .servers import API_KEY, Server
from .wire import Closed, connected, token_for

UNKNOWN_CHANNEL = 102
BAD_REQUEST = 107
NOT_AVAILABLE = 108
UNRECOVERABLE = 112


@pytest.fixture
async def cent(server: Server) -> AsyncIterator[AsyncClient]:
    """Return a client of the shared server."""
    client = AsyncClient(server.api_url, API_KEY)
    yield client
    await client.close()


async def test_publish_answers_with_the_position(cent: AsyncClient) -> None:
    """Offsets count up and the epoch stays."""
    first = await cent.publish(PublishRequest(channel="position#c1", data={"n": 1}))
    second = await cent.publish(PublishRequest(channel="position#c1", data={"n": 2}))
    assert (first.offset, second.offset) == (1, 2)
    assert first.epoch == second.epoch != ""


async def test_publish_with_a_known_key_is_answered_and_not_repeated(cent: AsyncClient) -> None:
    """An idempotency key counts per channel."""
    once = PublishRequest(channel="once#c1", data={}, idempotency_key="k")
    first, second = await cent.publish(once), await cent.publish(once)
    elsewhere = await cent.publish(PublishRequest(channel="twice#c1", data={}, idempotency_key="k"))
    assert (first.offset, second.offset, elsewhere.offset) == (1, 1, 1)


async def test_publish_carries_tags_and_base64(cent: AsyncClient) -> None:
    """Tags and data given as base64 come back out of the history."""
    await cent.publish(PublishRequest(channel="tags#c1", data={}, tags={"kind": "push"}))
    await cent.publish(PublishRequest(channel="tags#c1", data=None, b64data="eyJiIjoxfQ=="))
    history = await cent.history(HistoryRequest(channel="tags#c1", limit=10))
    assert [p.tags for p in history.publications] == [{"kind": "push"}, None]
    assert history.publications[1].data == {"b": 1}


async def test_publish_into_an_undeclared_namespace_fails(cent: AsyncClient) -> None:
    """What the server answers becomes an exception."""
    with pytest.raises(CentApiResponseError) as refusal:
        await cent.publish(PublishRequest(channel="nope:x", data={}))
    assert refusal.value.code == UNKNOWN_CHANNEL


async def test_a_wrong_key_is_unauthorized(server: Server) -> None:
    """No command runs without the key."""
    client = AsyncClient(server.api_url, "wrong")
    try:
        with pytest.raises(CentUnauthorizedError):
            await client.info(InfoRequest())
    finally:
        await client.close()


async def test_only_post_is_answered(server: Server) -> None:
    """A GET with the right key does nothing."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.api_url}/info", headers={"X-API-Key": API_KEY}) as answer,
    ):
        assert answer.status == 405


async def test_broadcast_answers_for_each_channel(cent: AsyncClient) -> None:
    """A channel that fails leaves the others alone."""
    result = await cent.broadcast(BroadcastRequest(channels=["wide#c1", "nope:x", "", "wide#c2"], data={"n": 1}))
    errors = [response.error.code if response.error else None for response in result.responses]
    assert errors == [None, UNKNOWN_CHANNEL, BAD_REQUEST, None]
    with pytest.raises(CentApiResponseError) as refusal:
        await cent.broadcast(BroadcastRequest(channels=[], data={}))
    assert refusal.value.code == BAD_REQUEST


async def test_history_pages_forwards_and_backwards(cent: AsyncClient) -> None:
    """`since` continues where a page ended; a foreign epoch is an error of its own."""
    for n in range(1, 4):
        top = await cent.publish(PublishRequest(channel="pages#c1", data=n))
    since = StreamPosition(offset=1, epoch=top.epoch)
    after = await cent.history(HistoryRequest(channel="pages#c1", limit=1, since=since))
    last = await cent.history(HistoryRequest(channel="pages#c1", limit=1, reverse=True))
    bare = await cent.history(HistoryRequest(channel="pages#c1"))
    assert [p.data for p in after.publications] == [2]
    assert [p.data for p in last.publications] == [3]
    assert (bare.publications, bare.offset, bare.epoch) == ([], 3, top.epoch)
    lost = StreamPosition(offset=1, epoch="other")
    with pytest.raises(CentApiResponseError) as refusal:
        await cent.history(HistoryRequest(channel="pages#c1", limit=1, since=lost))
    assert refusal.value.code == UNRECOVERABLE


async def test_history_can_be_removed(cent: AsyncClient) -> None:
    """After history_remove nothing is left to read."""
    await cent.publish(PublishRequest(channel="removed#c1", data={}))
    await cent.history_remove(HistoryRemoveRequest(channel="removed#c1"))
    history = await cent.history(HistoryRequest(channel="removed#c1", limit=10))
    assert history.publications == []


async def test_presence_is_not_available(cent: AsyncClient) -> None:
    """No channel keeps presence."""
    with pytest.raises(CentApiResponseError) as refusal:
        await cent.presence(PresenceRequest(channel="presence#c1"))
    assert refusal.value.code == NOT_AVAILABLE
    with pytest.raises(CentApiResponseError) as refusal:
        await cent.presence_stats(PresenceStatsRequest(channel="presence#c1"))
    assert refusal.value.code == NOT_AVAILABLE


async def test_batch_runs_its_commands_in_order(cent: AsyncClient) -> None:
    """Every command of a batch has its reply."""
    requests = [
        PublishRequest(channel="batch#c1", data=1),
        PublishRequest(channel="batch#c1", data=2),
        HistoryRequest(channel="batch#c1", limit=10),
    ]
    replies = (await cent.batch(BatchRequest(requests=requests))).replies
    assert [reply.model_dump()["offset"] for reply in replies] == [1, 2, 2]


async def test_channels_and_info_count_who_is_there(cent: AsyncClient, server: Server) -> None:
    """A subscriber shows up, in a channel list filtered by pattern too, and in the node's info."""
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("counted")) as wire,
    ):
        await wire.ask({"id": 2, "subscribe": {"channel": "count#counted"}})
        found = await cent.channels(ChannelsRequest(pattern="count#*"))
        other = await cent.channels(ChannelsRequest(pattern="other#*"))
        assert {name: info.num_clients for name, info in found.channels.items()} == {"count#counted": 1}
        assert other.channels == {}

        async def clients() -> int:  # a node counts itself every few seconds
            return (await cent.info(InfoRequest())).nodes[0].num_clients

        counted: int = await eventually(clients)
    assert counted >= 1


async def test_subscribe_and_unsubscribe_reach_the_user(cent: AsyncClient, server: Server) -> None:
    """The server may put a user into a channel and take it out again."""
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("moved")) as wire,
    ):
        await cent.subscribe(SubscribeRequest(user="moved", channel="any"))
        pushed = await wire.next()
        await cent.publish(PublishRequest(channel="any", data="in"))
        publication = await wire.next()
        await cent.unsubscribe(UnsubscribeRequest(user="moved", channel="any"))
        left = await wire.next()
    assert isinstance(pushed, dict)
    assert pushed["push"]["subscribe"]["recoverable"] is True
    assert isinstance(publication, dict)
    assert publication["push"]["pub"]["data"] == "in"
    assert isinstance(left, dict)
    assert left["push"]["unsubscribe"]["code"] == 2000


async def test_disconnect_takes_a_code_and_spares_the_whitelist(cent: AsyncClient, server: Server) -> None:
    """Of two connections of a user only the one that is not listed ends."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.ws_url) as socket:
        await socket.send_json({"id": 1, "connect": {"token": token_for("two")}})
        spared = (await socket.receive_json())["connect"]["client"]
        async with connected(session, server, token_for("two")) as wire:
            await cent.disconnect(
                DisconnectRequest(
                    user="two",
                    whitelist=[spared],
                    disconnect=Disconnect(code=4000, reason="moved on"),
                )
            )
            assert await wire.next() == Closed(4000, "moved on")
        await socket.send_json({"id": 2, "subscribe": {"channel": "still#two"}})
        assert "subscribe" in await socket.receive_json()


async def test_refresh_ends_or_renews_a_connection(cent: AsyncClient, server: Server) -> None:
    """`expired` ends the user's connections, `expire_at` gives them a new term."""
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("renewed")) as wire,
    ):
        await cent.refresh(RefreshRequest(user="renewed", expire_at=4102444800))
        pushed = await wire.next()
        assert isinstance(pushed, dict)
        assert pushed["push"]["refresh"]["expires"] is True
        await cent.refresh(RefreshRequest(user="renewed", expired=True))
        assert await wire.next() == Closed(3005, "connection expired")
