"""The senders' parts on real PostgreSQL and NATS."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from runtime import postgres
from runtime.encryption import Vault
from services.senders.channels.email.smtp.provider import Smtp
from services.senders.channels.email.smtp.settings import SmtpSettings
from services.senders.outbox import SandboxOutbox
from services.senders.store import ProviderStore, SecretBox
from tests.conftest import free_port
from tests.integration.outboxes import PatientOutbox
from tests.integration.senders.processes import Senders, neighbours, variables_for
from tests.unit.senders import builders
from tests.unit.senders.builders import encryption_key

OpenSmtp = Callable[..., Smtp]


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """Connections to this test's database, as the service has them."""
    pool = await postgres.connect(postgres_url, name="test", size=4)
    yield pool
    await pool.close()


@pytest.fixture
def outbox(pool: "asyncpg.Pool[asyncpg.Record]") -> SandboxOutbox:
    """The sandbox's memory, empty."""
    return SandboxOutbox(pool)


@dataclass
class Shop:
    """The providers' store and what it works with."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    connection: Client
    box: SecretBox
    store: ProviderStore


@pytest.fixture
def shop(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client) -> Shop:
    """A store without providers."""
    box = SecretBox(Vault(encryption_key()))
    return Shop(pool, connection, box, ProviderStore(pool, PatientOutbox(pool, "senders", connection), box))


@pytest.fixture
async def open_smtp() -> AsyncIterator[OpenSmtp]:
    """Opens providers at a port of 127.0.0.1 and closes them in the end."""
    opened: list[Smtp] = []

    def open_one(port: int, *, deadline_s: float = 30.0, wait_s: float = 30.0, **settings: Any) -> Smtp:
        given = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "noreply@relay.example", **settings}
        smtp = Smtp(SmtpSettings(**given), builders.guard("127.0.0.1:*"), deadline_s=deadline_s, wait_s=wait_s)
        opened.append(smtp)
        return smtp

    yield open_one
    for smtp in opened:
        await smtp.close()


@pytest.fixture
async def senders(postgres_url: str, nats_url: str, connection: Client, tmp_path: Path) -> AsyncIterator[Senders]:
    """A running senders process, and a tenant whose configuration is published."""
    async with AsyncExitStack() as stack:
        others = await stack.enter_async_context(neighbours())
        address = f"127.0.0.1:{free_port()}"
        variables = variables_for(
            CLARION_GRPC_ADDRESS=address,
            CLARION_POSTGRES_URL=postgres_url,
            CLARION_NATS_URL=nats_url,
            CLARION_RENDER_ADDRESS=others,
            CLARION_INGEST_ADDRESS=others,
            CLARION_ROUTER_ADDRESS=others,
            CLARION_RETRY_DELAYS_S="0.5,0.5",
            CLARION_EGRESS_ALLOW="127.0.0.1:*",
        )
        running = Senders(variables, tmp_path / "senders.log", address, connection, stack)
        await running.tenant()
        try:
            await running.start()
            yield running
        finally:
            running.process.kill()
            running.process.wait()
