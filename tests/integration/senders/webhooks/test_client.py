"""Calls over real sockets: answers of every kind, kept connections, and those that must not be kept."""

import asyncio
import json

import pytest

from services.senders.webhooks.bounds import Limits
from services.senders.webhooks.pool import PoolLimits
from services.senders.webhooks.ports import NoAnswer
from tests.integration.senders.webhooks.conftest import OpenClient, call, guard_of, outcome, posted
from tests.integration.senders.webhooks.receivers import OK, Peer, Receiver, answering, answering_once, receiving
from tests.waiting import eventually

_CHUNKED = b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"


def _ok(body: bytes = b"ok", *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (lines, len(body), body)


async def test_what_is_sent(open_client: OpenClient) -> None:
    """One POST with the body as it is; the answer's headers and body."""
    body = json.dumps({"name": "café", "list": list(range(1_000))}).encode()
    async with receiving(answering(_ok(b"fine", b"X-A: b", b"X-A: c"))) as receiver:
        answer = await posted(open_client(), f"{receiver.url}?a=b", body)
        assert answer.status == 200
        assert answer.headers == [("x-a", "b"), ("x-a", "c"), ("content-length", "4")]
        assert (answer.body, answer.is_cut) == (b"fine", False)
        received = receiver.requests[0]
    assert received.head.startswith(b"POST /in?a=b HTTP/1.1\r\nhost: 127.0.0.1:")
    assert received.headers["content-length"] == str(len(body))
    assert received.headers["accept-encoding"] == "identity"
    assert received.body == body


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 1_000_000])
async def test_bodies_of_any_size(open_client: OpenClient, size: int) -> None:
    """Also such that fill the socket's buffer, on a kept connection."""
    body = bytes(range(256)) * (size // 256 + 1)
    client = open_client()
    async with receiving() as receiver:
        for _ in range(2):
            assert (await posted(client, receiver.url, body[:size])).status == 200
        assert [one.body for one in receiver.requests] == [body[:size]] * 2
        assert receiver.connections == 1


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (_CHUNKED + b"2\r\nok\r\n3;a=b\r\n, i\r\n0\r\nX-T: t\r\n\r\n", 200, b"ok, i"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
        (_ok(b"\x1f\x8b\x08\x00gzip", b"Content-Encoding: gzip"), 200, b"\x1f\x8b\x08\x00gzip"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 1\r\n\r\n!", 500, b"!"),
    ],
)
async def test_answers_after_which_the_connection_is_kept(
    open_client: OpenClient, answer: bytes, status: int, body: bytes
) -> None:
    """Their end is clear. Redirects are not followed, and nothing is decompressed."""
    client = open_client()
    async with receiving(answering(answer)) as receiver:
        for _ in range(3):
            found = await posted(client, receiver.url)
            assert (found.status, found.body, found.is_cut) == (status, body, False)
        assert (receiver.connections, client.idle) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok",
        # More than one answer, or what could be the beginning of one.
        OK + OK,
        OK + b"H",
        OK + b"\x00",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok, and more",
    ],
)
async def test_answers_after_which_it_is_not(open_client: OpenClient, answer: bytes) -> None:
    """The server does not want to, or its next answer could be another request's."""
    client = open_client()
    async with receiving(answering(answer)) as receiver:
        for _ in range(2):
            found = await posted(client, receiver.url)
            assert (found.status, found.body) == (200, b"ok")
        assert (receiver.connections, client.idle) == (2, 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    ],
)
async def test_an_answer_that_ends_with_its_connection(open_client: OpenClient, answer: bytes) -> None:
    """As HTTP/1.0 has it."""
    client = open_client()
    async with receiving(answering_once(answer)) as receiver:
        found = await posted(client, receiver.url)
        assert (found.status, found.body, found.is_cut, client.idle) == (200, b"ok", False, 0)
        assert receiver.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"hello",
        b"\r\n",
        b"220 mail.example.org ESMTP\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        # Two lengths, a length and chunks, a length that is none, a header that is none.
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 2\r\nok\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_answer(open_client: OpenClient, answer: bytes) -> None:
    """It is no success, whatever its first line says, and the connection is not kept."""
    client = open_client()
    async with receiving(answering_once(answer)) as receiver:
        assert await outcome(client, receiver.url) == "endpoint_error"
        assert client.idle == 0
        await eventually(lambda: receiver.gone == 1)
        assert receiver.connections == 1


async def test_an_answer_without_a_request_makes_the_connection_useless(open_client: OpenClient) -> None:
    """What comes while nobody asked is not taken for the answer of the next request."""

    async def script(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.send(OK)
        if peer.number == 1:
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
            await peer.until_gone()

    client = open_client()
    async with receiving(script) as receiver:
        assert (await posted(client, receiver.url)).body == b"ok"
        await eventually(lambda: receiver.gone == 1)
        assert (await posted(client, receiver.url)).body == b"ok"
        assert receiver.connections == 2


async def test_a_kept_connection_that_the_server_closed(open_client: OpenClient) -> None:
    """The request is sent once more, on a new connection."""

    async def script(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.send(OK)
        if peer.number == 1:
            await peer.request()  # the second one finds nobody: it was read, and the connection ends

    client = open_client()
    async with receiving(script) as receiver:
        assert [await outcome(client, receiver.url) for _ in range(2)] == ["200", "200"]
        assert (receiver.connections, len(receiver.requests)) == (2, 2)


async def test_it_is_sent_once_more_only_once(open_client: OpenClient) -> None:
    """And not at all where a byte of the answer came, or where the connection was new."""

    async def script(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        if peer.number == 1:
            await peer.send(OK)
            receiver.requests.append(await peer.request())
        peer.reset()

    client = open_client()
    async with receiving(script) as receiver:
        assert [await outcome(client, receiver.url) for _ in range(2)] == ["200", "endpoint_unreachable"]
        assert (receiver.connections, len(receiver.requests)) == (2, 3)

    async def half(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.send(OK)
        receiver.requests.append(await peer.request())
        await peer.send(b"H")

    async with receiving(half) as receiver:
        assert [await outcome(client, receiver.url) for _ in range(2)] == ["200", "endpoint_error"]
        assert (receiver.connections, len(receiver.requests)) == (1, 2)


async def test_an_answer_before_the_request_was_read(open_client: OpenClient) -> None:
    """It counts, and the connection is not used again: the server may take the rest for another request."""

    async def script(_: Receiver, peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await peer.until_gone()

    client = open_client()
    async with receiving(script) as receiver:
        assert await outcome(client, receiver.url, b"x" * 20_000_000) == "413"
        assert client.idle == 0
        await eventually(lambda: receiver.gone == 1)


async def test_connections_belong_to_a_tenant_and_a_place(open_client: OpenClient) -> None:
    """Endpoints of one tenant at one host share them; two tenants, or two hosts, do not."""

    async def lookup(_: str) -> list[str]:
        return ["127.0.0.1"]

    client = open_client(guard=guard_of("127.0.0.1:*", lookup=lookup))
    async with receiving() as receiver:
        for endpoint in ("a", "b", "c"):
            assert await outcome(client, receiver.url, endpoint=endpoint) == "200"
        assert receiver.connections == 1
        assert await outcome(client, receiver.url, tenant="other") == "200"
        assert receiver.connections == 2
        assert await outcome(client, receiver.url.replace("127.0.0.1", "hooks.test")) == "200"
        assert receiver.connections == 3


async def test_kept_connections_are_bounded(open_client: OpenClient) -> None:
    """In all and at a place; the oldest is closed."""
    client = open_client(pool_limits=PoolLimits(total=3, of_place=2))
    gate = asyncio.Event()

    async def script(receiver: Receiver, peer: Peer) -> None:
        while True:
            receiver.requests.append(await peer.request())
            await gate.wait()
            await peer.send(OK)

    async with receiving(script) as first, receiving(script) as second:
        calls = [asyncio.create_task(outcome(client, one.url)) for one in (first, second) for _ in range(4)]
        await eventually(lambda: len(first.requests) + len(second.requests) == 8)
        gate.set()
        assert {await one for one in calls} == {"200"}
        assert client.idle == 3
        await eventually(lambda: first.gone + second.gone == 5)


async def test_kept_connections_end(open_client: OpenClient) -> None:
    """After a while without a call."""
    client = open_client(pool_limits=PoolLimits(idle_s=0.01))
    async with receiving() as receiver:
        assert await outcome(client, receiver.url) == "200"
        await eventually(lambda: receiver.gone == 1)
        assert client.idle == 0


async def test_many_calls_at_once_share_connections(open_client: OpenClient) -> None:
    """Where an endpoint answers, a call waits a moment for a connection."""
    client = open_client(
        pool_limits=PoolLimits(shared=4, wait_s=30.0), limits=Limits(2_048, of_tenant=1_024, of_endpoint=256)
    )
    async with receiving() as receiver:
        assert await outcome(client, receiver.url) == "200"
        assert set(await asyncio.gather(*(outcome(client, receiver.url) for _ in range(100)))) == {"200"}
        assert receiver.connections == 4
        assert len(receiver.requests) == 101


async def test_calls_that_hang_do_not_hold_up_others_at_their_place(open_client: OpenClient) -> None:
    """A call waits only where a connection became free a moment ago."""
    gate = asyncio.Event()

    async def script(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        if peer.number <= 4:
            await gate.wait()
        await peer.send(OK)

    client = open_client(pool_limits=PoolLimits(shared=4, wait_s=30.0))
    async with receiving(script) as receiver:
        hung = [asyncio.create_task(outcome(client, receiver.url)) for _ in range(4)]
        await eventually(lambda: len(receiver.requests) == 4)
        assert await outcome(client, receiver.url, endpoint="well") == "200"
        gate.set()
        assert {await one for one in hung} == {"200"}


async def test_too_many_calls(open_client: OpenClient) -> None:
    """They are not made; those under way are not disturbed."""
    gate = asyncio.Event()

    async def script(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await gate.wait()
        await peer.send(OK)

    client = open_client(limits=Limits(of_endpoint=2))
    async with receiving(script) as receiver:
        calls = [asyncio.create_task(outcome(client, receiver.url)) for _ in range(2)]
        await eventually(lambda: len(receiver.requests) == 2)
        assert await outcome(client, receiver.url) == "endpoint_busy"
        gate.set()
        assert {await one for one in calls} == {"200"}
        assert await outcome(client, receiver.url) == "200"


async def test_a_call_that_is_cancelled_leaves_nothing(open_client: OpenClient) -> None:
    """Its connection is closed, whatever it was doing."""

    async def script(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.until_gone()

    client = open_client()
    async with receiving(script) as receiver:
        task = asyncio.create_task(client.post(call(receiver.url)))
        await eventually(lambda: len(receiver.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: receiver.gone == 1)
        assert (client.under_way, client.idle) == (0, 0)


async def test_nobody_listens(open_client: OpenClient) -> None:
    """The sentence does not name the address."""
    async with receiving() as receiver:
        url = receiver.url
    with pytest.raises(NoAnswer) as caught:
        await open_client().post(call(url))
    assert (caught.value.reason, caught.value.detail) == (
        "endpoint_unreachable",
        "No connection to the endpoint: Connection refused.",
    )
