"""One running stack for all rows, an account of its own for each, and the table that is printed at the end."""

import dataclasses
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checks.client import Answer, Client, Tenant, connect
from checks.waiting import until
from clarion.senders.v1 import senders_pb2
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.conformance.outbox import Outbox
from tests.conformance.table import Table
from tests.conftest import free_port
from tests.exchanges import described

# How soon what was accepted has come to its end, seconds: generous, for machines that are busy.
END_S = 30.0
RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

_TABLE = Table("Sendmator", Path(__file__).parent, without=("test_every_sentence",))
# Retries soon. All rows fail to show who they are from one address.
_ENVIRONMENT = {"CLARION_RETRY_DELAYS_S": "0.2,0.4,1,2", "CLARION_AUTH_FAILURES_PER_MINUTE": "0"}


@dataclass(frozen=True)
class Account:
    """A tenant with a key, and the id of its default team. headers: those of the published page."""

    client: Client
    tenant: Tenant
    key: str
    team: str
    outbox: Outbox

    @property
    def headers(self) -> dict[str, str]:
        """What every call of the published page has."""
        return {"X-API-Key": self.key, "X-Team-ID": self.team}

    async def call(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the API. path: the part after /api/v1. headers: instead of those of the page."""
        sent = self.headers if headers is None else headers
        return await self.client.http.call(method, f"/api/v1{path}", headers=sent, json=json, data=raw)

    async def must(self, method: str, path: str, json: object = None, *, status: int | None = None) -> Any:
        """Call the API and return the body. The call must succeed."""
        answer = await self.call(method, path, json)
        assert answer.status == status if status else answer.status < 300, (answer.status, answer.body)
        return answer.body

    async def send(self, event_name: str, **fields: Any) -> str:
        """Send an event; it must be accepted. Return the trigger's id."""
        body = await self.must("POST", "/events/send", {"event_name": event_name, **fields}, status=201)
        return str(body["trigger_id"])

    async def workflow(self, name: str, event_type: str, *channels: str, **fields: Any) -> str:
        """Create a workflow that sends the template "greeting" on these channels. Return its id."""
        steps = [
            {"channel_type": channel, "step_name": f"By {channel}", "configuration": {"template_id": "greeting"}}
            for channel in channels or ("email",)
        ]
        made = await self.must("POST", "/workflows", {"name": name, "event_type": event_type, "steps": steps, **fields})
        return str(made["id"])

    async def template(self, key: str = "greeting", channel: str = "EMAIL", body: str = "") -> str:
        """Create and activate a template. Return its id."""
        subject = {"subject": "Hello {{contact_first_name}}"} if channel != "SMS" else {}
        text = body or "Hello {{contact_first_name}}, {{name}}{{event_data.order_id}}"
        if channel == "EMAIL":
            text = f"<p>{text}</p>"
        return await self.client.operator.create_template(self.tenant, key, channel, text, **subject)

    async def over(self, trigger_id: str) -> dict[str, Any]:
        """Return the summary of a trigger once nothing more of it will happen."""

        async def found() -> dict[str, Any] | None:
            body = await self.must("GET", f"/triggers/{trigger_id}")
            return dict(body) if body["completed_at"] else None

        return await until(found, f"the end of {trigger_id}", deadline=END_S)

    async def messages(self, trigger_id: str) -> dict[str, senders_pb2.OutboxMessage]:
        """Return what was sent of a trigger, at its end, by channel; once each."""
        await self.over(trigger_id)
        return await self.outbox(self.tenant.id, trigger_id)

    async def details(self, trigger_id: str) -> dict[str, Any]:
        """Return what the workflows of a trigger did, once nothing more of it will happen, by the workflow's name."""
        await self.over(trigger_id)
        body = await self.must("GET", f"/triggers/{trigger_id}/workflow")
        return {one["name"]: one for one in body["workflows"]}

    async def create_key(self, **fields: Any) -> str:
        """Create a key as the operator does. fields: scopes, rates, prefix."""
        body = {"name": "a test's", "kind": "sendmator", **fields}
        made = await self.client.operator.must("POST", f"/tenants/{self.tenant.id}/keys", json=body)
        return str(made["api_key"])

    async def create_team(self, name: str) -> str:
        """Create a team as the operator does. Return its id."""
        path = f"/tenants/{self.tenant.id}/environments"
        return str((await self.client.operator.must("POST", path, json={"name": name, "slug": name}))["id"])

    async def declare(self, *event_types: str) -> None:
        """Declare event types, as the published error for an unknown one asks for."""
        for name in event_types:
            await self.client.operator.must("POST", f"/tenants/{self.tenant.id}/event-types", json={"name": name})


def assert_refused(answer: Answer, status: int, error: str, message: str | None = None) -> None:
    """The published error body and nothing else."""
    assert answer.status == status, (answer.status, answer.body)
    assert set(answer.body) == {"statusCode", "message", "error"}
    assert (answer.body["statusCode"], answer.body["error"]) == (status, error)
    assert isinstance(answer.body["message"], str)
    if message is not None:
        assert answer.body["message"] == message


@pytest.fixture(scope="package")
def sendmator_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack that every row asks."""
    options = Options(data=tmp_path_factory.mktemp("sendmator"), port=free_port())
    with stack_client.started(options, environment=_ENVIRONMENT) as running:
        yield running


@pytest.fixture
async def client(sendmator_stack: Running) -> AsyncIterator[Client]:
    """The operator of the stack, and HTTP."""
    async with connect(sendmator_stack.state, middlewares=(described,)) as connected:
        yield connected


async def _open(running: Running, client: Client) -> Account:
    """Return a new account with sandboxes for e-mail and SMS, a key for all teams, and the limit of Starter."""
    tenant = await client.operator.create_tenant(f"Shop {secrets.token_hex(3)}")
    rates = {"rates": [{"window_s": 3_600, "bound": 1_000, "kind": "sliding"}]}
    await client.operator.must("PATCH", f"/tenants/{tenant.id}", json=rates)
    teams = await client.operator.must("GET", f"/tenants/{tenant.id}/environments")
    team = next(one["id"] for one in teams["data"] if one["is_default"])
    unkeyed = Account(client, tenant, "", team, Outbox(running.variables))
    return dataclasses.replace(unkeyed, key=await unkeyed.create_key())


@pytest.fixture
async def account(sendmator_stack: Running, client: Client) -> Account:
    """A new account."""
    return await _open(sendmator_stack, client)


@pytest.fixture
async def another(sendmator_stack: Running, client: Client) -> Account:
    """Another new account."""
    return await _open(sendmator_stack, client)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each row."""
    _TABLE.name_rows(items)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    _TABLE.write(terminalreporter)
