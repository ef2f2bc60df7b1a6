"""A fresh stack, the servers that a tenant of its own has, and somebody's browser on the console."""

import re
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from runtime.ids import new_id
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.conftest import free_port
from tests.e2e.browser import chromium
from tests.e2e.console.visit import WIDE_LIGHT, Visit
from tests.e2e.story.hands import Keyboard, Mouse
from tests.e2e.story.world import World
from tests.e2e.webhook_receiver import receiving
from tests.integration.senders.mail_servers import Catcher, serving
from tests.waiting import eventually

_PRINTED = re.compile(r"^  console +(http\S+/console/join#\S+)$", re.MULTILINE)
_USERS = "/api/v1/admin/users"
_SITE_PORT = free_port()


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack of this folder. Its services may reach the servers that the story runs on loopback."""
    chromium()  # a machine without one need not start all that
    site = f"http://127.0.0.1:{_SITE_PORT}"
    options = Options(data=tmp_path_factory.mktemp("stack"), port=free_port(), allowed_origins=(site,))
    environment = {
        "CLARION_RETRY_DELAYS_S": "0.5,1",
        "CLARION_EGRESS_ALLOW": "127.0.0.1:*",
        "CLARION_EGRESS_WEBHOOK_ALLOW": "127.0.0.1:*",
    }
    with stack_client.started(options, environment=environment) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def link(running: Running) -> str:
    """The link by which somebody joins: the one that `make run` printed; once it is used, an invitation as owner."""
    headers = {"Authorization": f"Bearer {running.state.admin_token}"}
    async with aiohttp.ClientSession(running.url, headers=headers) as http:
        async with http.get(_USERS) as answer:
            if not (await answer.json())["data"]:
                log = running.data / "run.log"
                printed: list[str] = await eventually(lambda: _PRINTED.findall(log.read_text()))
                return printed[0]
        body = {"email": f"{new_id()}@example.com", "memberships": [{"role": "owner"}]}
        async with http.post(_USERS, json=body) as answer:
            return str((await answer.json())["invitation"]["url"])


@pytest_asyncio.fixture(loop_scope="session")
async def world(running: Running) -> AsyncIterator[World]:
    """The tenant's servers: one that takes mail, one that takes webhooks."""
    mailbox = Catcher()
    async with serving(mailbox) as port, receiving() as receiver:
        yield World(running, mailbox, port, receiver, _SITE_PORT)


@pytest_asyncio.fixture(loop_scope="session")
async def visit(running: Running, browser: Browser) -> AsyncIterator[Visit]:
    """The browser of somebody who is not signed in."""
    async with Visit.opened(browser, running.url, WIDE_LIGHT, "") as opened:
        opened.allow("status of 401")  # nobody is signed in at first
        yield opened
        opened.assert_faultless()


@pytest.fixture(params=["mouse", "keyboard"])
def hand(visit: Visit, request: pytest.FixtureRequest) -> Mouse | Keyboard:
    """With what the page is used."""
    return (Mouse if request.param == "mouse" else Keyboard)(visit.page)
