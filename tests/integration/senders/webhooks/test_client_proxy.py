"""Calls through the operator's proxy."""

import asyncio
import base64
from pathlib import Path

import pytest

from services.senders.webhooks.ports import NoAnswer
from services.senders.webhooks.tunnel import Opener, read_proxy
from tests.integration.senders.mail_servers import self_signed
from tests.integration.senders.webhooks.conftest import OpenClient, call, guard_of, outcome, posted
from tests.integration.senders.webhooks.receivers import Peer, Receiver, Script, receiving
from tests.integration.senders.webhooks.test_client_tls import _trusting

_ACCOUNT = base64.b64encode(b"ada:p@ss").decode()


def _proxy_url(proxy: Receiver) -> str:
    return f"http://ada:p%40ss@127.0.0.1:{proxy.port}"


def _tunnelling(target: Receiver) -> Script:
    """Answer CONNECT, whatever it names, with a tunnel to a receiver."""

    async def script(proxy: Receiver, peer: Peer) -> None:
        proxy.requests.append(await peer.request())
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()

        pumps = [asyncio.create_task(pump(*ends)) for ends in ((peer.reader, writer), (reader, peer.writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writer.transport.abort()
            peer.reset()
            for one in pumps:
                one.cancel()
            await asyncio.wait(pumps)

    return script


async def test_https_through_a_tunnel(tmp_path: Path, open_client: OpenClient) -> None:
    """The proxy resolves the name, and sees neither the request nor the certificate's key; the tunnel is kept."""
    context, pem = self_signed(tmp_path, name="hooks.test")
    async with receiving(tls=context) as receiver, receiving(_tunnelling(receiver)) as proxy:
        settings = read_proxy(_proxy_url(proxy))
        client = open_client(opener=Opener(guard_of("127.0.0.1:*"), settings, _trusting(pem)), proxy=_proxy_url(proxy))
        for _ in range(2):
            assert (await posted(client, "https://hooks.test/in", b"body")).status == 200
        assert [one.body for one in receiver.requests] == [b"body"] * 2
        assert "proxy-authorization" not in receiver.requests[0].headers
        assert len(proxy.requests) == 1
        assert proxy.requests[0].head.startswith(b"CONNECT hooks.test:443 HTTP/1.1\r\nhost: hooks.test:443\r\n")
        assert proxy.requests[0].headers["proxy-authorization"] == f"Basic {_ACCOUNT}"
        await client.close()


async def test_http_is_received_by_the_proxy(open_client: OpenClient) -> None:
    """With the whole address in the request line."""
    async with receiving() as proxy:
        client = open_client(guard=guard_of(), proxy=_proxy_url(proxy))
        assert await outcome(client, "http://hooks.test/in?a=b") == "200"
        assert proxy.requests[0].head.startswith(b"POST http://hooks.test/in?a=b HTTP/1.1\r\nhost: hooks.test\r\n")
        assert proxy.requests[0].headers["proxy-authorization"] == f"Basic {_ACCOUNT}"


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "https://10.0.0.1/", "https://localhost/", "http://a.test:25/"]
)
async def test_what_is_refused_is_not_asked_of_the_proxy(url: str, open_client: OpenClient) -> None:
    """Literal addresses and ports are checked before."""
    async with receiving() as proxy:
        client = open_client(guard=guard_of(), proxy=_proxy_url(proxy))
        assert await outcome(client, url) == "address_not_allowed"
        assert proxy.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nand more than was asked for",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 20_000,
        b"HTTP/1.1 200",
        b"",
    ],
)
async def test_a_proxy_that_opens_no_tunnel(answer: bytes, open_client: OpenClient) -> None:
    """This is no answer of the endpoint's, and the proxy's password is in no text."""

    async def script(_: Receiver, peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    async with receiving(script) as proxy:
        client = open_client(guard=guard_of(), proxy=_proxy_url(proxy))
        with pytest.raises(NoAnswer) as caught:
            await client.post(call("https://hooks.test/"))
        assert (caught.value.reason, caught.value.detail) == (
            "endpoint_unreachable",
            "The egress proxy does not connect to the endpoint.",
        )


async def test_a_proxy_that_is_not_there(open_client: OpenClient) -> None:
    """The sentence names the proxy, not the endpoint."""
    async with receiving() as proxy:
        url = _proxy_url(proxy)
    client = open_client(guard=guard_of(), proxy=url)
    for target in ("http://hooks.test/", "https://hooks.test/"):
        with pytest.raises(NoAnswer) as caught:
            await client.post(call(target))
        assert caught.value.detail == "The egress proxy does not answer."


async def test_a_proxy_that_hangs(open_client: OpenClient) -> None:
    """The deadline covers it."""

    async def script(_: Receiver, peer: Peer) -> None:
        await peer.until_gone()

    async with receiving(script) as proxy:
        client = open_client(guard=guard_of(), proxy=_proxy_url(proxy), timeout_s=0.3)
        assert await outcome(client, "https://hooks.test/") == "endpoint_timeout"


async def test_a_proxy_over_tls(tmp_path: Path, open_client: OpenClient) -> None:
    """Its certificate is checked as well; within it runs the endpoint's own TLS."""
    (tmp_path / "a").mkdir()
    context, pem = self_signed(tmp_path, name="hooks.test")
    own, own_pem = self_signed(tmp_path / "a")
    async with receiving(tls=context) as receiver, receiving(_tunnelling(receiver), tls=own) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        opener = Opener(guard_of(), read_proxy(url), _trusting(pem + own_pem))
        client = open_client(opener=opener, proxy=url)
        assert await outcome(client, "https://hooks.test/in") == "200"
        await client.close()
        untrusted = Opener(guard_of(), read_proxy(url), _trusting(pem))
        assert (
            await outcome(open_client(opener=untrusted, proxy=url), "https://hooks.test/in") == "endpoint_unreachable"
        )


def test_proxies() -> None:
    """Their ports, and an account that is escaped."""
    proxy = read_proxy("http://proxy")
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.is_secure, proxy.lines) == ("proxy", 80, False, "")
    assert read_proxy("") is None
