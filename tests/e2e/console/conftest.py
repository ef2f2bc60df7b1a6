"""A running stack for the tests of the console, and visits to it with a real browser.

A test asks for `visit`: a browser with a wide window and light colors. With

    @pytest.mark.parametrize("visit", LOOKS, indirect=True)

it runs once per look. `open_visit` opens further ones, for example without a session. Each visit fails its test at the
end if the page complained, broke its policy, or asked another host (visit.py).
"""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from checks.client import Client, connect
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.conftest import free_port
from tests.e2e.browser import chromium
from tests.e2e.console.fresh_stack import SETTINGS
from tests.e2e.console.visit import WIDE_LIGHT, Look, Visit
from tests.e2e.console.world import World
from tests.exchanges import described

OpenVisit = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack of this folder. Its console is the one that was built from the sources as they are."""
    chromium()  # a machine without one need not start all that
    options = Options(data=tmp_path_factory.mktemp("stack"), port=free_port())
    with stack_client.started(options, environment=SETTINGS) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def client(running: Running) -> AsyncIterator[Client]:
    """The demo tenant and the operator of that stack, over HTTP."""
    async with connect(running.state, middlewares=(described,)) as connected:
        yield connected


@pytest.fixture
def open_visit(running: Running, browser: Browser) -> OpenVisit:
    """Opens a visit with a look, WIDE_LIGHT if none is given.

    token: an admin token; empty: signed out; left out: that of the stack.
    """

    @asynccontextmanager
    async def opening(look: Look = WIDE_LIGHT, *, token: str | None = None) -> AsyncIterator[Visit]:
        shown = running.state.admin_token if token is None else token
        async with Visit.opened(browser, running.url, look, shown) as visit:
            yield visit
            visit.assert_faultless()

    return opening


@pytest_asyncio.fixture(loop_scope="session")
async def visit(open_visit: OpenVisit, request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """A visit of somebody who may do everything; its parameter is a look."""
    async with open_visit(getattr(request, "param", WIDE_LIGHT)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def world(client: Client) -> World:
    """A tenant with providers and templates."""
    made = World(client, await client.operator.create_tenant(f"Walnut {uuid.uuid4().hex[:8]}"))
    await made.equip()
    return made
