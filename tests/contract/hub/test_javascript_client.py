"""npm `centrifuge`, the client of browsers, lives with the server as it would with Centrifugo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cent import Disconnect, DisconnectRequest, PublishRequest

from tests.packages import installed

from .servers import HERE, Server
from .test_python_client import PERMISSION_DENIED, commanding
from .wire import token_for

_JS = HERE / "js"


@pytest.fixture(scope="module", autouse=True)
def node() -> str:
    """Return node, with the packages of `js/` installed."""
    return installed(_JS)


class Browser:
    """The script `js/client.js`, and what it tells."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Listen to a started script."""
        self._process = process

    async def tells(self, event: str, deadline: float = 30) -> dict[str, Any]:
        """Return the next event of this kind; others before it are passed over."""
        async with asyncio.timeout(deadline):
            while True:
                told = await self._next(event)
                if told["event"] == event:
                    return told

    async def tells_all(self, *events: str, deadline: float = 30) -> None:
        """Wait for all of these, in any order."""
        left = list(events)
        async with asyncio.timeout(deadline):
            while left:
                told = await self._next(", ".join(left))
                if told["event"] in left:
                    left.remove(told["event"])

    async def _next(self, wanted: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"the client ended before it told {wanted}"
        told: dict[str, Any] = json.loads(line)
        return told


@asynccontextmanager
async def browsing(node: str, server: Server, channel: str, *tokens: str) -> AsyncIterator[Browser]:
    """Run a client that subscribes to one channel."""
    settings = json.dumps({"url": server.ws_url, "tokens": tokens, "channel": channel})
    process = await asyncio.create_subprocess_exec(
        node,
        _JS / "client.js",
        settings,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Browser(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_receives_what_is_published(node: str, server: Server) -> None:
    """A subscriber of its own channel gets every publication in order."""
    async with (
        commanding(server) as cent,
        browsing(node, server, "orders#js1", token_for("js1")) as browser,
    ):
        await browser.tells("subscribed")
        for n in range(3):
            await cent.publish(PublishRequest(channel="orders#js1", data={"n": n}))
        got = [(await browser.tells("publication"))["data"]["n"] for _ in range(3)]
    assert got == [0, 1, 2]


async def test_anothers_channel_is_refused(node: str, server: Server) -> None:
    """A subscription to another user's channel ends with 103."""
    async with browsing(node, server, "orders#someone", token_for("js2")) as browser:
        assert (await browser.tells("unsubscribed"))["code"] == PERMISSION_DENIED


async def test_it_refreshes_its_token(node: str, server: Server) -> None:
    """A short-lived token is replaced over the same connection."""
    tokens = token_for("js3", ttl=2), token_for("js3")
    async with commanding(server) as cent, browsing(node, server, "a#js3", *tokens) as browser:
        await browser.tells_all("token", "subscribed", "token")  # on a slow machine the first is over at once
        await cent.publish(PublishRequest(channel="a#js3", data="after"))
        assert (await browser.tells("publication"))["data"] == "after"


async def test_it_recovers_what_it_missed(node: str, server: Server) -> None:
    """What is published while a client is away arrives once, in order, on its return."""
    async with (
        commanding(server) as cent,
        browsing(node, server, "orders#js4", token_for("js4")) as browser,
    ):
        await browser.tells("subscribed")
        await cent.publish(PublishRequest(channel="orders#js4", data="before"))
        await browser.tells("publication")
        cut = Disconnect(code=4000, reason="come back")
        await cent.disconnect(DisconnectRequest(user="js4", disconnect=cut))
        await browser.tells("connecting")
        for data in ("one", "two"):
            await cent.publish(PublishRequest(channel="orders#js4", data=data))
        back = await browser.tells("subscribed")
        got = [(await browser.tells("publication"))["data"] for _ in range(2)]
    assert (back["wasRecovering"], back["recovered"]) == (True, True)
    assert got == ["one", "two"]


async def test_after_a_crash_it_knows_that_it_may_have_missed_something(
    node: str, start_server: Callable[..., Server]
) -> None:
    """A killed server forgets: the client is back, told so, and gets what is new."""
    server = start_server()
    async with (
        commanding(server) as cent,
        browsing(node, server, "orders#js5", token_for("js5")) as browser,
    ):
        await browser.tells("subscribed")
        await cent.publish(PublishRequest(channel="orders#js5", data="before"))
        await browser.tells("publication")
        server.kill()
        await asyncio.to_thread(server.start)
        back = await browser.tells("subscribed")
        await cent.publish(PublishRequest(channel="orders#js5", data="after"))
        assert (await browser.tells("publication"))["data"] == "after"
    assert (back["wasRecovering"], back["recovered"]) == (True, False)
