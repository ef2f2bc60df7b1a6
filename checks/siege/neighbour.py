"""The uninvolved tenant, in its own process: `python -m checks.siege.neighbour`, and how to start and stop it.

It triggers events at a steady rate whatever the server does (open loop: each is due at a time, and its latency counts
from then), and keeps one page open. It ends when its standard input does, and leaves what it saw in a file.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from checks.client import Client, Http, Operator, Tenant
from checks.page import Page

ROOT = Path(__file__).parents[2]
EVENT_TYPE = "siege.parcel"
USER = "neighbour"
# How long one request may take; longer is an error, seconds.
_PATIENCE_S = 15.0
_CONNECTIONS = 64
_END_S = 40.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The order. run: the prefix of each event's id."""

    url: str
    tenant_id: str
    api_key: str
    run: str
    rate: float
    channels: list[str]


class Sent(msgspec.Struct, frozen=True):
    """One event. Unix seconds; answered: 0: never. status: HTTP; 0: no answer. error: why there was none."""

    id: str
    due: float
    answered: float
    status: int
    event_id: str
    error: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The results. page: when each event's push arrived at the open page, in Unix seconds."""

    sent: list[Sent]
    page: dict[str, float]
    page_connections: int


def event(order_id: str, channels: list[str]) -> dict[str, Any]:
    """Return the event of one parcel. Every message contains its id between two #."""
    return {
        "eventType": EVENT_TYPE,
        "eventId": order_id,
        "channels": channels,
        "payload": {"userId": USER, "recipientEmail": "ada@example.com", "recipientPhone": "+254712345678"},
        "variables": {"parcel": order_id},
    }


async def create(
    operator: Operator, name: str, *, email: tuple[str, dict[str, Any]] = ("sandbox", {"from_email": "a@b.example"})
) -> Tenant:
    """Create a tenant with three channels. email: kind and settings of its provider; SMS goes to the sandbox."""
    tenant = await operator.create_tenant(name, providers={"EMAIL": email, "SMS": ("sandbox", {})})
    body = "Parcel #{{parcel}}# is on its way"
    mjml = f"<mjml><mj-body><mj-section><mj-column><mj-text>{body}</mj-text></mj-column></mj-section></mj-body></mjml>"
    await operator.create_template(tenant, EVENT_TYPE, "EMAIL", mjml, subject=body)
    await operator.create_template(tenant, EVENT_TYPE, "SMS", body)
    await operator.create_template(tenant, EVENT_TYPE, "PUSH", body, subject=body, push_namespace="orders")
    return tenant


class Neighbour:
    """A running neighbour, for the process that started it."""

    def __init__(self, process: asyncio.subprocess.Process, output: Path) -> None:
        self._process = process
        self._output = output

    async def end(self) -> Seen:
        """Stop it and return its results."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        async with asyncio.timeout(_END_S):
            await self._process.wait()
        return msgspec.json.decode(self._output.read_bytes(), type=Seen)


@asynccontextmanager
async def neighbour(order: Order) -> AsyncIterator[Neighbour]:
    """Start a neighbour for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="clarion-neighbour-") as folder:
        output = Path(folder, "seen.json")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "checks.siege.neighbour",
            str(output),
            stdin=asyncio.subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            if process.stdin is not None:
                process.stdin.write(msgspec.json.encode(order) + b"\n")
            yield Neighbour(process, output)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


class _Loop:
    """The open loop of one order."""

    def __init__(self, order: Order, client: Client) -> None:
        self._order = order
        self._client = client
        self._sent: list[Sent] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> list[Sent]:
        began, number = time.time(), 0
        while not stop.is_set():
            due = began + number / self._order.rate
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.time())):
                    await stop.wait()
            task = asyncio.create_task(self._one(f"{self._order.run}{number:07d}", due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            number += 1
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._sent

    async def _one(self, order_id: str, due: float) -> None:
        body = event(order_id, self._order.channels)
        try:
            answer = await self._client.tenant.trigger(body, headers={"X-Idempotency-Key": order_id})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._sent.append(Sent(order_id, due, 0.0, 0, "", type(error).__name__))
            return
        self._sent.append(Sent(order_id, due, time.time(), answer.status, answer.event_id))


async def _main() -> Seen:
    loop = asyncio.get_running_loop()
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    stop = asyncio.Event()
    loop.add_reader(sys.stdin, stop.set)
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        http = Http(session, [order.url])
        client = Client(http, Tenant(http, order.tenant_id, order.api_key), Operator(http, ""), USER)
        async with Page(client, USER).open() as page:
            sent = await _Loop(order, client).run(stop)
            await asyncio.sleep(1.0)  # the last pushes
            offset = time.time() - time.monotonic()
            times = {title.split("#")[1]: at + offset for title, at in page.times.items() if "#" in title}
        return Seen(sent=sent, page=times, page_connections=page.connections)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(msgspec.json.encode(asyncio.run(_main())))
