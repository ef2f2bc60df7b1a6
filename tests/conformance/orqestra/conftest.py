"""One running stack for all rows, a tenant of its own for each, and the table that is printed at the end."""

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from checks.client import Answer, Client, Operator, Tenant, connect
from checks.waiting import until
from clarion.senders.v1 import senders_pb2
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.conformance.outbox import Outbox
from tests.conformance.table import Table
from tests.conftest import free_port
from tests.exchanges import described

TRIGGER = "/api/v1/events/trigger"
EMAIL = "customer@example.com"
PHONE = "+254712345678"
MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"
BODIES = {
    "EMAIL": MJML.format("Order {{orderNumber}} for {{customerName}}: {{amount}}"),
    "SMS": "Order {{orderNumber}} for {{customerName}}: {{amount}}",
    "PUSH": "Order {{orderNumber}} for {{customerName}}: {{amount}}",
}
# The variables of the published examples.
VARIABLES = {"orderNumber": "ORD-2026-1234", "amount": "$49.99", "customerName": "Alice"}
RENDERED = "Order ORD-2026-1234 for Alice: $49.99"

# How soon what was accepted is at its end, seconds: generous, for machines that are busy.
END_S = 30.0
# Retries soon, and enough of them for a crowded machine; all rows fail to show who they are from one address.
_ENVIRONMENT = {"CLARION_RETRY_DELAYS_S": "0.2,0.4,1,2,4,8", "CLARION_AUTH_FAILURES_PER_MINUTE": "0"}
_TABLE = Table("Orqestra", Path(__file__).parent, without=("test_every_sentence",))


@dataclass(frozen=True)
class Shop:
    """A tenant of one row, with whatever the row gives it."""

    tenant: Tenant
    operator: Operator
    outbox_of: Outbox

    async def template(self, event_type: str, channel: str, body: str = "", **more: Any) -> str:
        """Create and activate a template; return its id. body: by default, that of the published example."""
        namespace = {"push_namespace": "orders"} if channel == "PUSH" else {}
        subject = {"subject": "Order {{orderNumber}}"} if channel != "SMS" else {}
        wanted = {**namespace, **subject, **more}
        return await self.operator.create_template(self.tenant, event_type, channel, body or BODIES[channel], **wanted)

    async def templates(self, event_type: str, channels: Sequence[str] = ("EMAIL", "SMS", "PUSH")) -> None:
        """Create and activate a template for each of these channels."""
        for name in channels:
            await self.template(event_type, name)

    async def change(self, **fields: Any) -> None:
        """Change the tenant as its operator does."""
        await self.operator.must("PATCH", f"/tenants/{self.tenant.id}", json=fields)

    async def explained(self, event_type: str) -> dict[str, str]:
        """Return what the router would do with a full event now: for each channel the reason of its skip, or ""."""
        planned = await self.operator.planned(self.tenant, event_type)
        return {name: item["reason"] or "" for name, item in planned.items()}

    async def until_routed(self, event_type: str, wanted: Mapping[str, str]) -> None:
        """Wait until the router knows of a change: what is taken away is known to it within moments."""

        async def is_so() -> bool:
            return await self.explained(event_type) == wanted

        await until(is_so, f"{event_type} routed as {wanted}", deadline=END_S)

    async def until_chosen(self, event_type: str, channel: str, template_id: str) -> None:
        """Wait until the router takes that template where it took another before."""

        async def is_so() -> bool:
            planned = await self.operator.planned(self.tenant, event_type)
            return bool(planned[channel]["template_version_id"] == template_id)

        await until(is_so, f"the {channel} template of {event_type}", deadline=END_S)

    async def end(self, answer: Answer) -> dict[str, Any]:
        """Return the timeline of what an answer accepted, once nothing more will happen."""
        assert answer.status == 200, answer.body
        return await until(lambda: self.operator.finished(answer.event_id), "the event's end", deadline=END_S)

    async def decisions(self, answer: Answer) -> dict[str, str | None]:
        """Return what became of each channel at the end: its status, or for a skipped one the reason."""
        event = await self.end(answer)
        shown = {item["channel"]: item for item in event["deliveries"]}
        return {name: item["reason"] if item["status"] == "skipped" else item["status"] for name, item in shown.items()}

    async def messages(self, answer: Answer) -> dict[str, senders_pb2.OutboxMessage]:
        """Return what was sent of an event by e-mail and SMS, at its end, by channel; once each."""
        await self.end(answer)
        return await self.outbox_of(self.tenant.id, answer.event_id)

    async def inbox(self, user_id: str) -> list[dict[str, Any]]:
        """Return a user's notifications, newest first."""
        return await self.tenant.whole_inbox(user_id)


@pytest.fixture(scope="package")
def orqestra_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack that every row asks."""
    options = Options(data=tmp_path_factory.mktemp("orqestra"), port=free_port())
    with stack_client.started(options, environment=_ENVIRONMENT) as running:
        yield running


@pytest.fixture
async def client(orqestra_stack: Running) -> AsyncIterator[Client]:
    """The operator of the stack, and HTTP."""
    async with connect(orqestra_stack.state, middlewares=(described,)) as connected:
        yield connected


@pytest.fixture
async def shop(orqestra_stack: Running, client: Client) -> Shop:
    """A new tenant with sandboxes for e-mail and SMS, and no templates."""
    name = f"Shop {secrets.token_hex(3)}"
    tenant = await client.operator.create_tenant(name)
    return Shop(tenant, client.operator, Outbox(orqestra_stack.variables))


@pytest.fixture
async def bare_shop(orqestra_stack: Running, client: Client) -> Shop:
    """A new tenant with nothing at all."""
    made = await client.operator.must("POST", "/tenants", json={"name": "Bare shop"})
    tenant = Tenant(client.http, made["id"], made["api_key"], made["name"])
    return Shop(tenant, client.operator, Outbox(orqestra_stack.variables))


@pytest.fixture(scope="package")
def kept() -> dict[str, str]:
    """The id and key of the tenant that `common` makes."""
    return {}


@pytest.fixture
async def common(orqestra_stack: Running, client: Client, kept: dict[str, str]) -> Shop:
    """One tenant with nothing at all for every row that is refused anyway."""
    if not kept:
        made = await client.operator.must("POST", "/tenants", json={"name": "Common shop"})
        kept |= {"id": made["id"], "key": made["api_key"]}
    tenant = Tenant(client.http, kept["id"], kept["key"], "Common shop")
    return Shop(tenant, client.operator, Outbox(orqestra_stack.variables))


@asynccontextmanager
async def later(running: Running, interval: str) -> AsyncIterator[None]:
    """Set admission's one clock ahead, by an interval of PostgreSQL's, for the whole stack."""
    connection = await asyncpg.connect(running.variables["CLARION_POSTGRES_URL"])
    clock = "CREATE OR REPLACE FUNCTION ingest.clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp(){}'"
    try:
        await connection.execute(clock.format(f" + interval ''{interval}''"))
        yield
    finally:
        await connection.execute(clock.format(""))
        await connection.close()


async def well(client: Client) -> None:
    """Wait until every part of the stack serves again."""

    async def is_well() -> bool:
        return (await client.operator.health()).status == 200

    await until(is_well, "the stack's recovery", deadline=60, every=0.1)


def event(event_type: str = "order.confirmed", **fields: Any) -> dict[str, Any]:
    """Return an event as the published example has it; fields replace whole keys."""
    payload = {"userId": secrets.token_hex(8), "recipientEmail": EMAIL, "recipientPhone": PHONE}
    return {"eventType": event_type, "payload": payload, "variables": VARIABLES, **fields}


def assert_refused(answer: Answer, status: int, error: str, *words: str) -> None:
    """The published error body and nothing else, with these words in its message."""
    assert answer.status == status, answer.body
    extra = {"retryAfter"} if status in {429, 503} else set()
    assert set(answer.body) == {"statusCode", "error", "message"} | extra
    assert (answer.body["statusCode"], answer.body["error"]) == (status, error)
    assert isinstance(answer.body["message"], str)
    assert all(word in answer.body["message"] for word in words), answer.body["message"]
    assert "X-Event-Id" not in answer.headers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each row."""
    _TABLE.name_rows(items)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    _TABLE.write(terminalreporter)
