"""Processor time of one webhook: `python -m bench.webhook_client`.

The clients take turns on kept connections, against a server in another process that only answers: the client of
providers' APIs (aiohttp), that of webhooks (httptools), and pyreqwest where it is installed, which cannot connect to an
address that was checked for the request. Plain HTTP and TLS; another turn opens a connection for each call.
"""

import argparse
import asyncio
import importlib.util
import ipaddress
import os
import ssl
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.helper import ROOT, cpu_seconds, end
from runtime.egress import EgressGuard, EgressPolicy, Ports, urls
from services.senders.http import HttpClient
from services.senders.ports import HttpRequest
from services.senders.webhooks import request
from services.senders.webhooks.bounds import Limits
from services.senders.webhooks.client import WebhookClient
from services.senders.webhooks.pool import PoolLimits
from services.senders.webhooks.ports import Call

_BODY = b'{"order_id":"ord_123","amount":49.99,"items":[' + b",".join([b'{"sku":"A-1","count":2}'] * 10) + b"]}"
_HEADERS = {
    "webhook-id": "msg_0197f1a2000070008000000000000001",
    "webhook-timestamp": "1712345678",
    "webhook-signature": "v1,VF1JBS4kdSwmE64FeeiWTgszlPCfaop53x8bwzvHizw=",
}
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_CLOSING = _ANSWER.replace(b"Content-Type", b"Connection: close\r\nContent-Type")

Post = Callable[[], Awaitable[object]]


class _Server(asyncio.Protocol):
    """Answers whatever ends like a request of ours."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._data = b""

    def connection_made(self, transport: Any) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a whole request."""
        self._data += data
        if self._data.endswith(_BODY):
            self._data = b""
            self._transport.write(self._answer)
            if self._answer is _CLOSING:
                self._transport.close()


async def _serve(certificate: str) -> None:
    """Print the ports: plain, TLS, and each with an answer that ends the connection."""
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    ports = []
    for tls in (None, context):
        for answer in (_ANSWER, _CLOSING):
            server = await loop.create_server(partial(_Server, answer), "127.0.0.1", 0, ssl=tls)
            ports.append(str(server.sockets[0].getsockname()[1]))
    print(" ".join(ports), flush=True)
    await asyncio.Event().wait()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


class Clients:
    """The clients, each as a function that makes one call."""

    def __init__(self, stack: AsyncExitStack) -> None:
        guard = EgressGuard(EgressPolicy(["127.0.0.1:*"]), Ports(frozenset({443}), "CLARION_EGRESS_WEBHOOK_PORTS"))
        self._stack = stack
        self._aiohttp = HttpClient(guard)
        self._httptools = WebhookClient(guard, limits=Limits(of_endpoint=4096), pool_limits=PoolLimits(shared=4096))
        stack.push_async_callback(self._aiohttp.close)
        stack.push_async_callback(self._httptools.close)

    async def of(self, url: str) -> dict[str, Post]:
        """Return the clients for one address."""
        address = urls.read(url)
        shared = request.head(address, {}, "")
        headers = {"Content-Type": "application/json", **_HEADERS}

        async def by_aiohttp() -> object:
            return await self._aiohttp.post(HttpRequest(url, headers, _BODY), deadline_s=10.0)

        async def by_httptools() -> object:
            head = shared + request.own_lines(_BODY, _HEADERS)
            return await self._httptools.post(Call("t", "e", address, head, _BODY))

        found: dict[str, Post] = {"aiohttp": by_aiohttp, "httptools": by_httptools}
        if importlib.util.find_spec("pyreqwest") is not None:
            found["pyreqwest"] = await self._pyreqwest(url, headers)
        return found

    async def _pyreqwest(self, url: str, headers: dict[str, str]) -> Post:
        pyreqwest: Any = importlib.import_module("pyreqwest.client")
        # It does not take a certificate that vouches for itself; checking one costs next to nothing beside a handshake.
        builder = pyreqwest.ClientBuilder().danger_accept_invalid_certs(True)
        client = await self._stack.enter_async_context(builder.build())

        async def by_pyreqwest() -> object:
            response = await client.post(url).headers(headers).body_bytes(_BODY).build().send()
            return await response.bytes()

        return by_pyreqwest


async def _measure(post: Post, calls: int, at_once: int) -> float:
    """Return the processor microseconds of one call."""
    left = calls

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await post()

    before = cpu_seconds()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return (cpu_seconds() - before) / calls * 1e6


async def _run(calls: int, rounds: int, at_once: int, folder: Path) -> None:
    certificate = _certificate(folder)
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.webhook_client",
        "--serve",
        str(certificate),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        if server.stdout is None:
            raise RuntimeError("the server prints its ports")
        plain, plain_closing, tls, tls_closing = (await server.stdout.readline()).decode().split()
        print(f"| microseconds a call, median of {rounds} (least to most) | client | |\n|---|---|---|")
        async with AsyncExitStack() as stack:
            clients = Clients(stack)
            for title, url, number in (
                ("kept, http", f"http://127.0.0.1:{plain}/in", calls),
                ("kept, https", f"https://127.0.0.1:{tls}/in", calls),
                ("new, http", f"http://127.0.0.1:{plain_closing}/in", calls // 10),
                ("new, https", f"https://127.0.0.1:{tls_closing}/in", calls // 20),
            ):
                posts = await clients.of(url)
                taken: dict[str, list[float]] = {name: [] for name in posts}
                for _ in range(rounds + 1):
                    for name, post in posts.items():
                        taken[name].append(await _measure(post, number, at_once))
                for name, times in taken.items():
                    kept = sorted(times[1:])  # the first round opens the connections
                    print(f"| {title} | {name} | {statistics.median(kept):.1f} ({kept[0]:.1f} to {kept[-1]:.1f}) |")
    finally:
        await end(server)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000, help="of one client in one round (10,000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        uvloop.run(_serve(given.serve))
        return
    with tempfile.TemporaryDirectory(prefix="clarion-bench-") as folder:
        os.environ["SSL_CERT_FILE"] = str(Path(folder) / "server.pem")
        uvloop.run(_run(given.calls, given.rounds, given.at_once, Path(folder)))


if __name__ == "__main__":
    main()
