"""SIGTERM: health says so first, what is under way ends, browsers are sent elsewhere."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType

from stack import processes
from stack.client import Running
from stack.launch import command_for
from tests.conftest import free_port
from tests.integration.gateway.conftest import CreateTenant
from tests.waiting import eventually

Gateway = tuple["subprocess.Popen[bytes]", int]


async def health(port: int) -> tuple[int, str]:
    """Return the status and the word of /healthz on a new connection; 0 where nobody listens."""
    try:
        async with aiohttp.ClientSession() as session:
            return await asked(session, port)
    except aiohttp.ClientConnectionError:
        return 0, ""


async def asked(session: aiohttp.ClientSession, port: int) -> tuple[int, str]:
    """Return what /healthz says, on the session's own connection where it has one."""
    async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
        return answer.status, (await answer.json())["status"]


def _start(local_stack: Running, port: int, log: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, **local_stack.variables, "CLARION_HTTP_ADDRESS": f"127.0.0.1:{port}"}
    command = command_for(processes.command("gateway"), death_signal=signal.SIGKILL)
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=processes.ROOT)


@pytest.fixture
async def gateway(local_stack: Running, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A second gateway on the same services, and its port."""
    port = free_port()
    process = _start(local_stack, port, tmp_path / "log")

    async def is_up() -> bool:
        return (await health(port))[0] == 200

    try:
        await eventually(is_up, 60)
        yield process, port
    finally:
        process.kill()
        process.wait()


async def _idle_page(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection that a browser keeps for its next request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nSec-Fetch-Mode: cors\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(size)
    return reader, writer


async def test_sigterm_drains(gateway: Gateway, create_tenant: CreateTenant, local_stack: Running) -> None:
    """A request half sent is answered, pages are sent away at once, health says draining, the exit status is 0."""
    process, port = gateway
    token = {"Authorization": f"Bearer {local_stack.state.admin_token}"}
    tenant = await create_tenant()
    body = b'{"eventType":"x","payload":{"userId":"u"}}'
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /api/v1/events/trigger HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + f"x-api-key: {tenant.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body[:10]
    )
    page, page_writer = await _idle_page(port)
    async with aiohttp.ClientSession() as session:
        browser = await session.ws_connect(f"http://127.0.0.1:{port}/connection/websocket")
        live = await session.ws_connect(f"http://127.0.0.1:{port}/api/v1/admin/live", headers=token)
        # New connections are told for half a second only; one that is open is told until the last request has ended.
        await asked(session, port)
        process.send_signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return (await asked(session, port)) == (503, "draining")

        async def is_shut() -> bool:
            return (await health(port))[0] == 0

        await eventually(is_draining)
        message = await browser.receive(30)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        message = await live.receive(30)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        assert await page.read() == b""  # while the request below is still waited for
        await eventually(is_shut)
        writer.write(body[10:])
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"X-Event-Id" in head
    writer.close()
    page_writer.close()
    assert await asyncio.to_thread(process.wait, 30) == 0
