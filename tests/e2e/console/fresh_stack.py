"""A stack with the settings of the tests of the console: for these tests, and for commands that show its screens."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from checks.client import connect
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.conftest import free_port
from tests.e2e.conftest import ENVIRONMENT
from tests.e2e.console.seeding import World, seeded

# All tests sign in, and fail to, from one address.
SETTINGS = {**ENVIRONMENT, "CLARION_SIGN_IN_FAILURES_PER_MINUTE": "0"}


@asynccontextmanager
async def seeded_stack() -> AsyncIterator[tuple[Running, World]]:
    """Start a stack in a temporary folder, and give it something to show on every screen. It takes about a minute."""
    with tempfile.TemporaryDirectory(prefix="clarion-") as folder:
        options = Options(data=Path(folder), port=free_port())
        async with (
            stack_client.run(options, environment=SETTINGS) as running,
            connect(running.state) as client,
            seeded(client, running) as world,
        ):
            yield running, world
