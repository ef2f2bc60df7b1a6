"""The audit log of the operator's API, on real services."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.app import create_app
from gateway.audit import resource_of
from gateway.clients import Clients
from gateway.server import HttpServer
from gateway.settings import Settings
from runtime.settings import Secret
from stack.client import Running
from tests.conftest import free_port
from tests.integration.gateway.conftest import CreateTenant

BASE = "/api/v1/admin"
ADA = "ada-has-a-token-of-her-own"

StartGateway = Callable[..., Awaitable[aiohttp.ClientSession]]


@pytest.fixture
async def start_gateway(local_stack: Running) -> AsyncIterator[StartGateway]:
    """Return what starts a further gateway on the stack's services; fields replace its settings."""
    closing: list[Callable[[], Awaitable[None]]] = []

    async def start(**fields: Any) -> aiohttp.ClientSession:
        known = local_stack.variables
        addresses = {
            f"{name}_address": known[f"CLARION_{name.upper()}_ADDRESS"]
            for name in ("ingest", "router", "render", "senders", "realtime")
        }
        settings = Settings(
            **{
                **addresses,
                "service_token": Secret(known["CLARION_SERVICE_TOKEN"]),
                "http_address": "",
                "admin_token": Secret(local_stack.state.admin_token),
                "admin_tokens": Secret(f"ada:{ADA}"),
                "centrifugo_url": known["CLARION_CENTRIFUGO_URL"],
                **fields,
            }
        )
        clients = Clients(settings)
        gateway = HttpServer("127.0.0.1:0", create_app(settings, clients))
        await gateway.start()
        session = aiohttp.ClientSession(base_url=f"http://127.0.0.1:{gateway.port}")
        closing.extend((session.close, lambda: gateway.stop(1.0), clients.close))
        return session

    yield start
    for close in closing:
        await close()


async def entries(http: aiohttp.ClientSession, admin: dict[str, str], **filters: str) -> list[dict[str, Any]]:
    """Return a page of the log."""
    async with http.get(f"{BASE}/audit", params=filters, headers=admin) as answer:
        assert answer.status == 200, await answer.text()
        page = await answer.json()
    return list(page["data"])


async def test_every_write_leaves_an_entry_and_no_value(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Who, what, on what, with what answer; the names of the fields, never what was in them."""
    tenant = await create_tenant(reply_to="secret@acme.example")
    body = {
        "tenant_id": tenant.id,
        "channel": "EMAIL",
        "kind": "smtp",
        "settings": {"host": "h", "port": 25, "username": "u", "password": "hush-hush", "from_email": "a@b.example"},
    }
    async with http.post(f"{BASE}/providers", json=body, headers={**admin, "X-Trace-Id": "t-17"}) as answer:
        provider = await answer.json()
        assert answer.status == 201, provider
    async with http.delete(f"{BASE}/providers/{provider['id']}", headers=admin) as answer:
        assert answer.status == 204
    async with http.patch(f"{BASE}/tenants/{tenant.id}", json={"name": ""}, headers=admin) as answer:
        assert answer.status == 422

    of_tenant = await entries(http, admin, tenant_id=tenant.id)
    assert [(entry["method"], entry["route"], entry["status"]) for entry in of_tenant] == [
        ("PATCH", f"{BASE}/tenants/{{id}}", 422),
        ("DELETE", f"{BASE}/providers/{{id}}", 204),
        ("POST", f"{BASE}/providers", 201),
        ("POST", f"{BASE}/tenants", 201),
    ]
    made = of_tenant[2]
    assert made["actor"] == "admin"
    assert made["resource"] == provider["id"]
    assert made["fields"] == ["tenant_id", "channel", "kind", "settings"]
    assert made["trace_id"] == "t-17"
    # The provider is deleted: only its id is known.
    short = f"{provider['id'][:8]}…{provider['id'][-4:]}"
    assert made["text"] == f"A program with the admin token “admin” added the provider {short} in {tenant.name}"
    assert "".join(part["text"] for part in made["sentence"]) == made["text"]
    assert made["sentence"][-1]["link"] == f"/console/tenants/{tenant.id}?tenant={tenant.id}"
    assert of_tenant[0]["text"].endswith(f"tried to change the settings of {tenant.name}, which was refused (422)")
    of_providers = await entries(http, admin, tenant_id=tenant.id, kind="provider")
    assert [one["id"] for one in of_providers] == [entry["id"] for entry in of_tenant[1:3]]
    assert made["begun_at"] < made["finished_at"]
    assert "hush" not in str(of_tenant)
    assert "secret@" not in str(of_tenant)
    assert [entry["method"] for entry in await entries(http, admin, resource=provider["id"])] == ["DELETE", "POST"]


async def test_an_object_of_another_tenant_has_no_name(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """A path with a foreign id does not show to the log's readers what that id is called."""
    own, other = await create_tenant(), await create_tenant()
    body = {"url": "https://shop.example.com/hooks", "description": "Secret plan"}
    async with http.post(f"{BASE}/tenants/{other.id}/endpoints", json=body, headers=admin) as answer:
        endpoint = await answer.json()
    async with http.delete(f"{BASE}/tenants/{own.id}/endpoints/{endpoint['id']}", headers=admin) as answer:
        assert answer.status == 404
    (refused,) = await entries(http, admin, tenant_id=own.id, kind="endpoint")
    assert "Secret plan" not in str(refused)
    (made,) = await entries(http, admin, tenant_id=other.id, kind="endpoint")
    assert made["text"].endswith(f"created the endpoint Secret plan in {other.name}")


async def test_reading_leaves_no_entry(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """What changes nothing, and what a stranger tried, is not in the log."""
    await create_tenant()
    before = await entries(http, admin, limit="1")
    async with http.get(f"{BASE}/tenants", headers=admin) as answer:
        assert answer.status == 200
    draft = {"channel": "SMS", "body": "Hello"}
    async with http.post(f"{BASE}/templates/preview", json=draft, headers=admin) as answer:
        assert answer.status == 200
    async with http.post(f"{BASE}/tenants", json={"name": "x"}) as answer:
        assert answer.status == 401
    assert await entries(http, admin, limit="1") == before


async def test_the_log_is_read_in_pages(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Each entry once, newest first; a filter holds on every page."""
    made = [await create_tenant(f"Page {number}") for number in range(3)]
    async with http.get(f"{BASE}/audit?method=POST&limit=2", headers=admin) as answer:
        first = await answer.json()
    rest = await entries(http, admin, method="POST", limit="1", cursor=first["next_cursor"])
    assert [entry["tenant_id"] for entry in first["data"] + rest] == [tenant.id for tenant in reversed(made)]
    assert await entries(http, admin, until="2001-01-01T00:00:00Z") == []


async def test_a_write_that_cannot_be_audited_does_not_happen(
    start_gateway: StartGateway, http: aiohttp.ClientSession, admin: dict[str, str]
) -> None:
    """Render alone could have saved the platform's template; the log was away, so nobody asked it to."""
    cut_off = await start_gateway(ingest_address=f"127.0.0.1:{free_port()}")
    body = {"event_type": f"audit.{secrets.token_hex(4)}", "channel": "SMS", "body": "Hello"}
    async with cut_off.post(f"{BASE}/templates", json=body, headers=admin) as answer:
        assert answer.status == 503
        assert (await answer.json())["type"] == "urn:clarion:problem:unavailable"
    async with http.get(f"{BASE}/templates?event_type={body['event_type']}", headers=admin) as answer:
        assert (await answer.json())["data"] == []


async def test_named_tokens_are_told_apart(
    start_gateway: StartGateway, http: aiohttp.ClientSession, admin: dict[str, str]
) -> None:
    """The log says who it was, not which secret she showed."""
    gateway = await start_gateway()
    headers = {"Authorization": f"Bearer {ADA}"}
    async with gateway.post(f"{BASE}/tenants", json={"name": "Hers"}, headers=headers) as answer:
        tenant = await answer.json()
    (entry,) = await entries(http, admin, actor="ada", tenant_id=tenant["id"])
    assert entry["actor"] == "ada"
    async with http.post(f"{BASE}/tenants", json={"name": "Hers"}, headers=headers) as answer:
        assert answer.status == 401  # the stack's own gateway was not told of her


def test_a_person_in_a_path_does_not_stand_in_the_log() -> None:
    """Not as a digest either, for it could be guessed: an entry outlives an erasure."""
    request = make_mocked_request("DELETE", "/", match_info={"id": "t1", "user_id": "ada@example.org"})
    assert resource_of(request) == "t1/(a person)"
