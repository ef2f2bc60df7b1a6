"""Servers that want to hold the sender up, or to fill its memory."""

import asyncio
import gzip
import itertools
import socket

import pytest

from tests.integration.senders.webhooks.conftest import OpenClient, guard_of, outcome, posted
from tests.integration.senders.webhooks.receivers import OK, Peer, Receiver, Script, receiving
from tests.waiting import eventually

# What the client reads, with what the sockets of both sides hold.
_BUFFERS = 16 * 1024 * 1024
_HEAD = b"HTTP/1.1 200 OK\r\n"
_MIB = b"a" * 1024 * 1024


def _endless(first: bytes, piece: bytes) -> Script:
    """Send the same bytes for ever."""

    async def script(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.send(first)
        while True:
            await peer.send(piece)

    return script


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (_HEAD, b"x-a: " + b"a" * 100 + b"\r\n"),
        (_HEAD, b"x: y\r\n"),
        (_HEAD + b"x-a: ", _MIB),
        (_HEAD, _MIB),
        (_HEAD + b"x-a: a\r\n", b"\r"),
        (b"HTTP/1.1 200 ", _MIB),
        (b"", _MIB),
        (b"", b"\r\n" * 1_000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nx-a: " + b"a" * 8_000 + b"\r\n\r\n"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"-1\r\n"),
    ],
)
async def test_heads_that_never_end(open_client: OpenClient, first: bytes, piece: bytes) -> None:
    """They end the attempt long before its deadline."""
    client = open_client()
    async with receiving(_endless(first, piece)) as receiver:
        assert await outcome(client, receiver.url) == "endpoint_error"
        await eventually(lambda: receiver.gone == 1)
        assert receiver.peers[0].sent < _BUFFERS
        assert (client.under_way, client.idle) == (0, 0)


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (_HEAD + b"Content-Length: 1073741824\r\n\r\n", _MIB),
        (_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 1073741824\r\n\r\n", gzip.compress(b"\0" * 10_000_000)),
        (_HEAD + b"\r\n", _MIB),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + _MIB + b"\r\n"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1_000),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 1_000),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"a" * 1_000 + b"\r\na\r\n"),
    ],
)
async def test_bodies_that_never_end(open_client: OpenClient, first: bytes, piece: bytes) -> None:
    """They are read to the cap; the status counts, and the connection is closed."""
    client = open_client()
    async with receiving(_endless(first, piece)) as receiver:
        answer = await posted(client, receiver.url)
        assert (answer.status, answer.is_cut) == (200, True)
        assert len(answer.body) <= 8 * 1024
        await eventually(lambda: receiver.gone == 1)
        assert receiver.peers[0].sent < _BUFFERS
        assert (client.under_way, client.idle) == (0, 0)


async def test_trailers_that_never_end(open_client: OpenClient) -> None:
    """They are no part of the head, and bounded with the body."""
    first = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    client = open_client()
    async with receiving(_endless(first, b"x-t: " + b"t" * 100 + b"\r\n")) as receiver:
        assert await outcome(client, receiver.url) == "endpoint_error"
        await eventually(lambda: receiver.gone == 1)
        assert receiver.peers[0].sent < _BUFFERS


async def test_a_body_at_the_cap(open_client: OpenClient) -> None:
    """A body of just less than the cap is read to its end, so that its connection can be kept."""
    client = open_client()

    async def script(receiver: Receiver, peer: Peer) -> None:
        for size in itertools.cycle((65_535, 65_536)):
            receiver.requests.append(await peer.request())
            await peer.send(_HEAD + b"Content-Length: %d\r\n\r\n" % size + b"a" * size)

    async with receiving(script) as receiver:
        answer = await posted(client, receiver.url)
        assert (len(answer.body), answer.is_cut, client.idle) == (8_192, True, 1)
        assert (await posted(client, receiver.url)).status == 200


async def _hang(receiver: Receiver, peer: Peer) -> None:
    receiver.requests.append(await peer.request())
    await peer.until_gone()


async def _read_nothing(_: Receiver, peer: Peer) -> None:
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
    await asyncio.Event().wait()


def _stopping(data: bytes) -> Script:
    async def script(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.send(data)
        await peer.until_gone()

    return script


async def _trickle(receiver: Receiver, peer: Peer) -> None:
    receiver.requests.append(await peer.request())
    await peer.send(_HEAD)
    while True:
        await peer.send(b"x")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "script",
    [
        _hang,
        _read_nothing,
        _trickle,
        _stopping(b"HTTP/1.1 2"),
        _stopping(_HEAD),
        _stopping(_HEAD + b"Content-Length: 3\r\n\r\nok"),
        _stopping(_HEAD + b"\r\nok"),
        _stopping(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
        _stopping(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
async def test_whoever_does_not_end_in_time_holds_nothing(open_client: OpenClient, script: Script) -> None:
    """One deadline for all of it, to the last byte: a slow byte now and then does not move it."""
    client = open_client(timeout_s=0.3)
    async with receiving(script) as receiver:
        assert await outcome(client, receiver.url, b"x" * 10_000_000) == "endpoint_timeout"
        assert (client.under_way, client.idle) == (0, 0)


async def test_a_backlog_that_is_full(open_client: OpenClient) -> None:
    """A connection that nobody accepts ends with the deadline as well."""
    client = open_client(timeout_s=0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        assert {await outcome(client, url) for _ in range(4)} == {"endpoint_timeout"}


async def test_a_name_that_is_not_resolved_in_time(open_client: OpenClient) -> None:
    """The lookup is a part of the call."""

    async def lookup(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    client = open_client(guard=guard_of(lookup=lookup), timeout_s=0.1)
    assert await outcome(client, "http://slow.test/") == "endpoint_timeout"


async def test_a_port_that_is_not_allowed_costs_no_lookup(open_client: OpenClient) -> None:
    """Nor does an address."""
    asked: list[str] = []

    async def lookup(name: str) -> list[str]:
        asked.append(name)
        return ["8.8.8.8"]

    client = open_client(guard=guard_of(lookup=lookup))
    for url in ("http://hooks.test:25/", "https://10.0.0.1/", "https://localhost/"):
        assert await outcome(client, url) == "address_not_allowed"
    assert asked == []


async def test_resets(open_client: OpenClient) -> None:
    """Before the answer, and in the middle of it."""

    async def at_once(_: Receiver, peer: Peer) -> None:
        peer.reset()

    async def after(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        peer.reset()

    async def within(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.send(OK[:-1])
        peer.reset()

    client = open_client()
    for script, reasons in (
        (at_once, {"endpoint_unreachable"}),
        (after, {"endpoint_unreachable"}),
        (within, {"endpoint_error", "endpoint_unreachable"}),  # a reset may overtake what was sent before
    ):
        async with receiving(script) as receiver:
            assert await outcome(client, receiver.url) in reasons
            assert client.idle == 0
