"""Trigger, the nine code samples: as printed where the program is here, and the request of each, byte by byte.

Only the Python client is published (PyPI `nahook`), and it is run as it is. The requests of the others were taken from
their sources (github.com/getnahook) and from what their HTTP libraries add: names, order and case of headers, and how
JSON is written.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.nahook import contract
from tests.conformance.nahook.conftest import Workspace

_HOST = "https://us.api.nahook.com"
_KEY = "nhk_us_YOUR_API_KEY"
_DEADLINE_S = 60.0

_ORDER = '{"orderId":"ord_123","status":"paid"}'
_METADATA = '"metadata":{"source":"checkout-service"}'
_USUAL = f'{{"payload":{_ORDER},{_METADATA}}}'

# (how the payload arrives, the head after the request line without host and length, and the body), by the sample's
# language. A body in several pieces goes out in chunks.
_REQUESTS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "curl": (
        '{ "orderId": "ord_123", "status": "paid" }',
        (
            "User-Agent: curl/8.5.0",
            "Accept: */*",
            "Authorization: Bearer {key}",
            "Content-Type: application/json",
        ),
        ('{\n"payload": { "orderId": "ord_123", "status": "paid" },\n"metadata": { "source": "checkout-service" }\n}',),
    ),
    "node": (
        _ORDER,
        (
            "connection: keep-alive",
            "authorization: Bearer {key}",
            "accept: application/json",
            "user-agent: nahook-node/0.2.0",
            "content-type: application/json",
            "accept-language: *",
            "sec-fetch-mode: cors",
            "accept-encoding: gzip, deflate",
        ),
        (_USUAL,),
    ),
    "python": (
        _ORDER,
        (
            "Accept-Encoding: gzip, deflate",
            "Connection: keep-alive",
            "Authorization: Bearer {key}",
            "Accept: application/json",
            "User-Agent: nahook-python/0.2.0",
            "Content-Type: application/json",
        ),
        (_USUAL,),
    ),
    "go": (
        _ORDER,
        (
            "User-Agent: nahook-go/0.3.0",
            "Accept: application/json",
            "Authorization: Bearer {key}",
            "Content-Type: application/json",
            "Accept-Encoding: gzip",
        ),
        (_USUAL,),
    ),
    # It offers HTTP/2 as long as the connection is not encrypted.
    "java": (
        '{"status":"paid","orderId":"ord_123"}',
        (
            "Connection: Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
            "Upgrade: h2c",
            "User-Agent: nahook-java/0.1.0",
            "Accept: application/json",
            "Authorization: Bearer {key}",
            "Content-Type: application/json",
        ),
        (f'{{"payload":{{"status":"paid","orderId":"ord_123"}},{_METADATA}}}',),
    ),
    "c#": (
        _ORDER,
        (
            "Authorization: Bearer {key}",
            "Accept: application/json",
            "User-Agent: nahook-dotnet/0.1.0",
            "Content-Type: application/json; charset=utf-8",
        ),
        (_USUAL,),
    ),
    # Older versions of its HTTP library send JSON in chunks.
    "c# in chunks": (
        _ORDER,
        (
            "Authorization: Bearer {key}",
            "Accept: application/json",
            "User-Agent: nahook-dotnet/0.1.0",
            "Content-Type: application/json; charset=utf-8",
        ),
        (_USUAL[:20], _USUAL[20:]),
    ),
    "php": (
        _ORDER,
        (
            "Authorization: Bearer {key}",
            "Accept: application/json",
            "User-Agent: nahook-php/0.1.0",
            "Content-Type: application/json",
        ),
        (_USUAL,),
    ),
    "ruby": (
        '{"order_id":"ord_123","status":"paid"}',
        (
            "Authorization: Bearer {key}",
            "Accept: application/json",
            "User-Agent: nahook-ruby/0.1.0",
            "Content-Type: application/json",
            "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
            "Connection: keep-alive",
            "Keep-Alive: 30",
        ),
        (f'{{"payload":{{"order_id":"ord_123","status":"paid"}},{_METADATA}}}',),
    ),
    "rust": (
        _ORDER,
        (
            "content-type: application/json",
            "authorization: Bearer {key}",
            "accept: application/json",
            "user-agent: nahook-rust/0.1.0",
        ),
        (_USUAL,),
    ),
}


def _request(name: str, host: str, key: str) -> bytes:
    """Return a sample's whole request."""
    _, head, pieces = _REQUESTS[name]
    if len(pieces) > 1:
        length = "Transfer-Encoding: chunked"
        body = "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in pieces) + "0\r\n\r\n"
    else:
        [body] = pieces
        length = f"Content-Length: {len(body)}"
    lines = ["POST /api/ingest/event/order.paid HTTP/1.1", f"Host: {host}", *head, length]
    return ("\r\n".join(lines).format(key=key) + f"\r\n\r\n{body}").encode()


async def _answer(host: str, request: bytes) -> tuple[int, dict[str, object]]:
    """Send bytes and return the status and the JSON of the answer."""
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    try:
        async with asyncio.timeout(_DEADLINE_S):
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(fields["content-length"]))
    finally:
        writer.close()
    return int(head.split(" ", 2)[1]), json.loads(body)


@pytest.mark.parametrize("name", _REQUESTS)
async def test_request(workspace: Workspace, name: str) -> None:
    """It is accepted, and the payload arrives byte for byte as the client wrote it."""
    target = await workspace.endpoint("order.paid")
    host = workspace.client.http.url.removeprefix("http://")
    status, answer = await _answer(host, _request(name, host, workspace.key.text))
    assert status == 202
    assert (answer["status"], answer["failures"]) == ("accepted", [])
    assert isinstance(answer["deliveryIds"], list)
    assert len(answer["deliveryIds"]) == 1
    [arrived] = await target.arrived()
    assert arrived.body.decode() == _REQUESTS[name][0]


async def test_curl(workspace: Workspace, tmp_path: Path) -> None:
    """The shell's, as it is printed, with our host and key."""
    if shutil.which("curl") is None:
        pytest.skip("the curl sample needs curl on PATH")
    target = await workspace.endpoint("order.paid")
    script = _printed("curl", "const result = await").replace(_HOST, workspace.client.http.url)
    answer = json.loads(await _run(["sh", "-e"], tmp_path, script.replace(_KEY, workspace.key.text)))
    assert answer["status"] == "accepted"
    await target.arrived()


async def test_python(workspace: Workspace, tmp_path: Path) -> None:
    """Python's, as it is printed, with the published client."""
    target = await workspace.endpoint("order.paid")
    printed = _printed("result = client.trigger", "result, err :=")
    script = (
        "import json, nahook\n"
        f"client = nahook.NahookClient({workspace.key.text!r}, base_url={workspace.client.http.url!r})\n"
        f"{printed}\nprint(json.dumps(result))\n"
    )
    answer = json.loads(await _run([sys.executable, "-"], tmp_path, script))
    assert answer["status"] == "accepted"
    await target.arrived()


def _printed(begin: str, end: str) -> str:
    """Return the sample of the page from one text to the next one: the page has nothing between two samples."""
    page = contract.PAGES.read_seed("trigger")
    start = page.index(begin)
    return page[start : page.index(end, start)]


async def _run(command: list[str], folder: Path, script: str) -> str:
    """Return what a program prints; it must succeed."""

    def wait() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=folder,
            env=dict(os.environ),
            input=script,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )

    done = await asyncio.to_thread(wait)
    assert done.returncode == 0, done.stderr
    return done.stdout
