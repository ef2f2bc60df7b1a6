"""A gateway that has an identity provider, in the process of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp.test_utils import TestServer

from gateway.app import create_app
from gateway.clients import Clients
from gateway.settings import Settings
from runtime import settings as environment
from runtime.ids import new_id
from stack.client import Running
from tests.conftest import free_port
from tests.integration.gateway.oidc.identity import CLIENT_ID, CLIENT_SECRET


class World(NamedTuple):
    """A gateway, the port of its provider, and an e-mail address that nobody else of the stack has."""

    url: str
    port: int
    email: str

    @property
    def accounts(self) -> dict[str, dict[str, Any]]:
        """The people whom the provider knows, by their logins."""
        return {
            "bob": {"email": self.email, "email_verified": True, "name": "Bob"},
            "again": {"email": self.email, "email_verified": True},
            "unverified": {"email": self.email, "email_verified": False},
            "stranger": {"email": f"{new_id()}@example.com", "email_verified": True},
            "outsider": {"email": f"{new_id()}@else.example", "email_verified": True},
        }


@asynccontextmanager
async def gateway(stack: Running, **settings: str) -> AsyncIterator[World]:
    """Run a gateway of the stack's services that has an identity provider."""
    own, port = free_port(), free_port()
    url = f"http://127.0.0.1:{own}"
    values = {
        **stack.variables,
        "CLARION_HTTP_ADDRESS": f"127.0.0.1:{own}",
        "CLARION_PUBLIC_URL": url,
        "CLARION_OIDC_ISSUER": f"http://127.0.0.1:{port}",
        "CLARION_OIDC_CLIENT_ID": CLIENT_ID,
        "CLARION_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "CLARION_SIGN_IN_FAILURES_PER_MINUTE": "0",
        **settings,
    }
    loaded = environment.load(Settings, values)
    clients = Clients(loaded)
    server = TestServer(create_app(loaded, clients), host="127.0.0.1", port=own)
    await server.start_server()
    try:
        yield World(url, port, f"{new_id()}@example.com")
    finally:
        await server.close()
        await clients.close()
