"""A whole local stack for the tests of this folder, and tenants of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from stack import client
from stack.client import Running
from stack.local import Options
from tests.conftest import free_port
from tests.exchanges import described

CreateTenant = Callable[..., Awaitable["Tenant"]]


@dataclass(frozen=True)
class Tenant:
    """A tenant of one test."""

    id: str
    name: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """What its calls carry."""
        return {"x-api-key": self.key}

    def inbox(self, user_id: str, rest: str = "") -> str:
        """Return the path of a user's inbox."""
        return f"/api/v1/notifications/{self.id}/{user_id}{rest}"


@pytest.fixture(scope="package")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The five services, the hub and the gateway as processes of their own."""
    options = Options(data=tmp_path_factory.mktemp("stack"), port=free_port())
    # All tests fail to show who they are, and have their pages, from one address.
    environment = {
        "CLARION_AUTH_FAILURES_PER_MINUTE": "0",
        "CLARION_SIGN_IN_FAILURES_PER_MINUTE": "0",
        "CLARION_MAX_WEBSOCKETS_PER_ADDRESS": "0",
        "CLARION_EGRESS_WEBHOOK_ALLOW": "127.0.0.1:*",
    }
    with client.started(options, environment=environment) as running:
        yield running


@pytest.fixture
async def http(local_stack: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the gateway; paths go out as they are written."""
    async with aiohttp.ClientSession(
        base_url=local_stack.url, connector=aiohttp.TCPConnector(limit=0), middlewares=(described,)
    ) as session:
        yield session


@pytest.fixture
def admin(local_stack: Running) -> dict[str, str]:
    """The operator's headers."""
    return {"Authorization": f"Bearer {local_stack.state.admin_token}"}


@pytest.fixture
def create_tenant(http: aiohttp.ClientSession, admin: dict[str, str]) -> CreateTenant:
    """Return what makes a tenant."""

    async def create(name: str = "Acme", **fields: Any) -> Tenant:
        async with http.post("/api/v1/admin/tenants", json={"name": name, **fields}, headers=admin) as answer:
            assert answer.status == 201, await answer.text()
            body = await answer.json()
        return Tenant(body["id"], body["name"], body["api_key"])

    return create
