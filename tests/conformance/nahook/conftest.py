"""One running stack for all rows, a workspace of its own for each, and the table that is printed at the end."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checks.client import Answer, Client, Tenant, connect
from checks.waiting import until
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.conformance.nahook.receiver import Arrived, Receiver
from tests.conformance.table import Table
from tests.conftest import free_port
from tests.exchanges import described

# How soon what was accepted has arrived, seconds: generous, for machines that are busy.
END_S = 30.0
# The example of the published page.
PAYLOAD = {"orderId": "ord_123", "status": "paid"}
METADATA = {"source": "checkout-service"}

_TABLE = Table("Nahook", Path(__file__).parent, without=("test_every_sentence",))
# Retries soon. All rows fail to show who they are from one address.
_ENVIRONMENT = {"CLARION_RETRY_DELAYS_S": "0.2,0.4,1,2", "CLARION_AUTH_FAILURES_PER_MINUTE": "0"}

CreateWorkspace = Callable[[], Awaitable["Workspace"]]


@dataclass(frozen=True)
class Key:
    """A credential as the operator gets it. text: what its callers send."""

    id: str
    text: str


@dataclass(frozen=True)
class Workspace:
    """A tenant with an API key and a management token. client: also of its operator."""

    client: Client
    tenant: Tenant
    receiver: Receiver
    key: Key
    token: Key

    @property
    def id(self) -> str:
        """The workspace's public id."""
        return public("ws_", self.tenant.id)

    async def send(
        self,
        path: str,
        json: object = None,
        *,
        key: str | None = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST to the ingest API. path: the part after /api/ingest. key: another one; empty: none."""
        text = self.key.text if key is None else key
        shown = {"Authorization": f"Bearer {text}"} if text else {}
        sent = {**shown, **(headers or {})}
        return await self.client.http.call("POST", f"/api/ingest{path}", headers=sent, json=json, data=raw)

    async def trigger(self, event_type: str, payload: object = None, **fields: Any) -> dict[str, Any]:
        """Trigger a type; it must be accepted."""
        body = {"payload": PAYLOAD if payload is None else payload, **fields}
        answer = await self.send(f"/event/{event_type}", body)
        assert answer.status == 202, answer.body
        return dict(answer.body)

    async def manage(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        token: str | None = None,
        workspace_id: str | None = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the management API. path: the part after the workspace's id."""
        text = self.token.text if token is None else token
        shown = {"Authorization": f"Bearer {text}"} if text else {}
        whole = f"/management/v1/workspaces/{workspace_id or self.id}{path}"
        return await self.client.http.call(method, whole, headers={**shown, **(headers or {})}, json=json, data=raw)

    async def must(self, method: str, path: str, json: object = None) -> Any:
        """Call the management API and return the body. The call must succeed."""
        answer = await self.manage(method, path, json)
        assert answer.status < 300, answer.body
        return answer.body

    async def create_key(self, kind: str = "nahook", **fields: Any) -> Key:
        """Create a credential as the operator does. fields: scopes, endpoint_ids, rates, expires_at."""
        body = {"name": "a test's", "kind": kind, **fields}
        made = await self.client.operator.must("POST", f"/tenants/{self.tenant.id}/keys", json=body)
        return Key(made["id"], made["api_key"])

    async def change_key(self, key: Key, **fields: Any) -> None:
        """Change a credential as the operator does."""
        await self.client.operator.must("PATCH", f"/tenants/{self.tenant.id}/keys/{key.id}", json=fields)

    async def revoke(self, key: Key) -> None:
        """Revoke a credential as the operator does."""
        await self.client.operator.must("DELETE", f"/tenants/{self.tenant.id}/keys/{key.id}")

    async def change(self, **fields: Any) -> None:
        """Change the tenant as its operator does."""
        await self.client.operator.must("PATCH", f"/tenants/{self.tenant.id}", json=fields)

    async def endpoint(self, *event_types: str, **fields: Any) -> "Target":
        """Create an endpoint of the receiver that subscribes to these types, which are created if need be."""
        path = f"/{secrets.token_hex(8)}"
        made = await self.must("POST", "/endpoints", {"url": self.receiver.url(path), **fields})
        if event_types:
            wanted = [await self.event_type(name) for name in event_types]
            await self.must("POST", f"/endpoints/{made['id']}/subscriptions", {"eventTypeIds": wanted})
        return Target(self, path, made)

    async def event_type(self, name: str) -> str:
        """Return the public id of an event type, which is created if need be."""
        answer = await self.manage("POST", "/event-types", {"name": name})
        if answer.status == 409:
            return next(str(one["id"]) for one in await self.must("GET", "/event-types") if one["name"] == name)
        assert answer.status == 201, answer.body
        return str(answer.body["id"])

    async def delivery(self, delivery_id: str, *wanted: str) -> dict[str, Any]:
        """Return a delivery once it has one of these statuses."""

        async def found() -> dict[str, Any] | None:
            answer = await self.manage("GET", f"/deliveries/{delivery_id}")
            return dict(answer.body) if answer.status == 200 and answer.body["status"] in wanted else None

        return await until(found, f"{delivery_id} {' or '.join(wanted)}", deadline=END_S)


@dataclass(frozen=True)
class Target:
    """An endpoint of a workspace, and what arrives there. made: the response of its creation."""

    workspace: Workspace
    path: str
    made: dict[str, Any]

    @property
    def id(self) -> str:
        """The endpoint's public id."""
        return str(self.made["id"])

    @property
    def uuid(self) -> str:
        """The endpoint's id as operators see it."""
        return private(self.id)

    async def arrived(self, number: int = 1) -> list[Arrived]:
        """Return what arrived, once it is so much."""

        async def enough() -> list[Arrived] | None:
            found = self.workspace.receiver.arrived(self.path)
            return found if len(found) >= number else None

        return await until(enough, f"{number} requests at the endpoint", deadline=END_S)

    def fails(self, status: int = 500) -> None:
        """Let the endpoint answer with this status."""
        self.workspace.receiver.answer(self.path, status)


def public(prefix: str, uuid: str) -> str:
    """Return the public id of a UUID."""
    return prefix + uuid.replace("-", "")


def private(public_id: str) -> str:
    """Return the UUID of a public id."""
    digits = public_id.rpartition("_")[2]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def assert_refused(answer: Answer, status: int, code: str, *words: str) -> None:
    """The published error body and nothing else, with these words in its message."""
    assert (answer.status, answer.body["error"]["code"]) == (status, code), answer.body
    assert set(answer.body) == {"error"}
    assert set(answer.body["error"]) == {"code", "message"}
    message = answer.body["error"]["message"]
    assert isinstance(message, str)
    assert all(word in message for word in words), message


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    """Where all endpoints are."""
    with Receiver(free_port(), free_port()) as running:
        yield running


@pytest.fixture(scope="package")
def nahook_stack(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Running]:
    """The stack that every row asks."""
    options = Options(data=tmp_path_factory.mktemp("nahook"), port=free_port())
    allowed = ",".join(f"127.0.0.1:{port}" for port in (receiver.port, receiver.nobody_port))
    environment = {**_ENVIRONMENT, "CLARION_EGRESS_WEBHOOK_ALLOW": allowed}
    with stack_client.started(options, environment=environment) as running:
        yield running


@pytest.fixture
async def client(nahook_stack: Running) -> AsyncIterator[Client]:
    """The operator of the stack, and HTTP."""
    async with connect(nahook_stack.state, middlewares=(described,)) as connected:
        yield connected


@pytest.fixture
def create_workspace(client: Client, receiver: Receiver) -> CreateWorkspace:
    """Return what makes a new workspace with nothing but a key and a token."""

    async def create() -> Workspace:
        made = await client.operator.must("POST", "/tenants", json={"name": f"Shop {secrets.token_hex(3)}"})
        tenant = Tenant(client.http, made["id"], made["api_key"], made["name"])
        unkeyed = Workspace(client, tenant, receiver, Key("", ""), Key("", ""))
        key, token = await unkeyed.create_key(), await unkeyed.create_key("nahook_management")
        return Workspace(client, tenant, receiver, key, token)

    return create


@pytest.fixture
async def workspace(create_workspace: CreateWorkspace) -> Workspace:
    """A new workspace with nothing but a key and a token."""
    return await create_workspace()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each row."""
    _TABLE.name_rows(items)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    _TABLE.write(terminalreporter)
