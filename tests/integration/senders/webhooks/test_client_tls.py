"""Calls over TLS: the certificate counts, and so does the name in it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.senders.webhooks.ports import NoAnswer
from services.senders.webhooks.tunnel import Opener
from tests.integration.senders.mail_servers import self_signed
from tests.integration.senders.webhooks.conftest import OpenClient, call, guard_of, outcome, posted
from tests.integration.senders.webhooks.receivers import Peer, Receiver, receiving
from tests.waiting import eventually


async def _here(_: str) -> list[str]:
    return ["127.0.0.1"]


def _trusting(pem: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pem)
    context.set_alpn_protocols(["http/1.1"])
    return context


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[Receiver, str]]:
    """A receiver with a certificate for hooks.test, and that certificate."""
    context, pem = self_signed(tmp_path, name="hooks.test")
    async with receiving(tls=context) as receiver:
        yield receiver, pem


async def test_a_certificate_that_is_valid(secure: tuple[Receiver, str], open_client: OpenClient) -> None:
    """The name of the URL is asked for and checked; the connection is kept."""
    receiver, pem = secure
    guard = guard_of("127.0.0.1:*", lookup=_here)
    client = open_client(opener=Opener(guard, None, _trusting(pem)))
    for body in (b"{}", b"x" * 1_000_000, b""):
        answer = await posted(client, f"https://hooks.test:{receiver.port}/in", body)
        assert (answer.status, answer.body) == (200, b"ok")
    assert [one.body for one in receiver.requests] == [b"{}", b"x" * 1_000_000, b""]
    assert receiver.requests[0].headers["host"] == f"hooks.test:{receiver.port}"
    assert (receiver.connections, client.idle) == (1, 1)


async def test_a_certificate_for_another_name(secure: tuple[Receiver, str], open_client: OpenClient) -> None:
    """Although the authority is trusted."""
    receiver, pem = secure
    guard = guard_of("127.0.0.1:*", lookup=_here)
    client = open_client(opener=Opener(guard, None, _trusting(pem)))
    for host in ("other.test", "127.0.0.1"):
        with pytest.raises(NoAnswer) as caught:
            await client.post(call(f"https://{host}:{receiver.port}/in"))
        assert caught.value.reason == "endpoint_tls"
        assert "certificate is not valid" in caught.value.detail
    assert receiver.requests == []


async def test_a_certificate_that_nobody_vouches_for(secure: tuple[Receiver, str], open_client: OpenClient) -> None:
    """It is not called: there is no setting that turns the check off."""
    receiver, _ = secure
    client = open_client(guard=guard_of("127.0.0.1:*", lookup=_here))
    with pytest.raises(NoAnswer) as caught:
        await client.post(call(f"https://hooks.test:{receiver.port}/in"))
    assert (caught.value.reason, caught.value.detail) == (
        "endpoint_tls",
        "The certificate is not valid: self-signed certificate.",
    )
    assert receiver.requests == []


async def test_what_is_no_tls(open_client: OpenClient) -> None:
    """Plain HTTP, a connection that ends, and one in which nothing happens."""

    async def plain(_: Receiver, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def ends(_: Receiver, peer: Peer) -> None:
        await peer.reader.read(1)
        peer.reset()

    async def hangs(_: Receiver, peer: Peer) -> None:
        await peer.until_gone()

    for script, reason in ((plain, "endpoint_tls"), (ends, "endpoint_tls"), (hangs, "endpoint_timeout")):
        client = open_client(timeout_s=0.3 if script is hangs else 60.0)
        async with receiving(script) as receiver:
            assert await outcome(client, receiver.url.replace("http:", "https:")) == reason
            await eventually(lambda receiver=receiver: receiver.gone == 1)


async def test_hostile_answers_over_tls(tmp_path: Path, open_client: OpenClient) -> None:
    """The same bounds hold: here an endless body, and a head without an end."""
    context, pem = self_signed(tmp_path)

    async def endless(receiver: Receiver, peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        if peer.number == 1:
            await peer.send(b"\r\n")
        while True:
            await peer.send(b"a" * 100_000)

    client = open_client(opener=Opener(guard_of("127.0.0.1:*"), None, _trusting(pem)))
    async with receiving(endless, tls=context) as receiver:
        assert [await outcome(client, receiver.url) for _ in range(2)] == ["200", "endpoint_error"]
        await eventually(lambda: receiver.gone == 2)
        assert all(peer.sent < 32 * 1024 * 1024 for peer in receiver.peers)


async def test_a_call_that_is_cancelled_in_the_handshake(open_client: OpenClient) -> None:
    """Its connection is closed."""

    async def hangs(_: Receiver, peer: Peer) -> None:
        await peer.until_gone()

    client = open_client()
    async with receiving(hangs) as receiver:
        task = asyncio.create_task(outcome(client, receiver.url.replace("http:", "https:")))
        await eventually(lambda: receiver.connections == 1)
        task.cancel()
        await asyncio.wait([task])
        await eventually(lambda: receiver.gone == 1)
        assert client.under_way == 0
