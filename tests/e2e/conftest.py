"""Two running stacks for the tests of this folder: one that nobody kills, and one whose parts are killed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from checks.client import Client, connect
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.conftest import free_port
from tests.e2e.browser import open_browser
from tests.exchanges import described

# Where the shared stack takes the providers' APIs to be: whoever needs one serves it there.
PROVIDER_PORT = free_port()
_KINDS = ("resend", "sendgrid", "twilio", "africastalking")
# Three attempts within about a second; all that is ever logged is logged.
ENVIRONMENT = {
    "CLARION_RETRY_DELAYS_S": "0.2,0.4",
    "CLARION_LOG_LEVEL": "debug",
    "CLARION_PROVIDER_URLS": ",".join(f"{kind}=http://127.0.0.1:{PROVIDER_PORT}" for kind in _KINDS),
    # The tests' own servers.
    "CLARION_EGRESS_ALLOW": "127.0.0.1:*",
    "CLARION_EGRESS_WEBHOOK_ALLOW": "127.0.0.1:*",
}


_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of this folder share an event loop: what they share of a browser belongs to one.

    Their async fixtures say loop_scope="session" for that reason.
    """
    for item in items:
        if item.path.is_relative_to(_HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests of a process: to start it takes longer than most of them. Each opens a profile of its own."""
    async with open_browser() as opened:
        yield opened


@pytest.fixture(scope="package")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack that nobody kills."""
    with stack_client.started(
        Options(data=tmp_path_factory.mktemp("stack"), port=free_port()), environment=ENVIRONMENT
    ) as running:
        yield running


@pytest.fixture(scope="package")
def mortal_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack whose parts are stopped and killed, with two gateways and four ingest processes.

    Each test leaves it running; whoever needs all of it well waits for that first.
    """
    options = Options(data=tmp_path_factory.mktemp("mortal"), port=free_port(), replicas={"gateway": 2, "ingest": 4})
    with stack_client.started(options) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(shared_stack: Running) -> AsyncIterator[Client]:
    """The demo tenant and the operator of the shared stack."""
    async with connect(shared_stack.state, middlewares=(described,)) as connected:
        yield connected
