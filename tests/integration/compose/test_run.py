"""docker-compose.yml as it runs: every service with its own command, environment, health check and stop.

The tests share one deployment and stand in the order of its life; the last one stops it.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from checks.client import Http, Operator
from stack.processes import ROLES
from tests.integration.compose.compose_file import read_env
from tests.integration.compose.deployment import Deployment
from tests.waiting import eventually

_EVENT = "order.confirmed"


@pytest.fixture(scope="module")
def deployment(built: Path, env_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """All of docker-compose.yml, up and healthy."""
    if shutil.which("wget") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the health checks of NATS and Centrifugo need wget")
    deployment = Deployment(tmp_path_factory.mktemp("deployment"), read_env(env_file), built)
    try:
        deployment.up()
        yield deployment
    finally:
        deployment.down()


@pytest.fixture
async def http(deployment: Deployment) -> AsyncIterator[Http]:
    """The gateway, from outside."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield Http(session, [f"http://127.0.0.1:{deployment.ports['gateway:8080']}"])


def test_everything_is_up_and_doctor_finds_nothing_wrong(deployment: Deployment) -> None:
    """NATS syncs, Centrifugo is closed and its file private, every secret is long enough."""
    ours = {role.name for role in ROLES} - {"mail"}
    assert set(deployment.running) == {*ours, "postgres", "nats", "centrifugo"}
    said = deployment.run("doctor")
    assert "sync_interval is `always`" in said
    assert "centrifugo.json is safe" in said
    assert ", 0 failed" in said
    assert deployment.hub_config.stat().st_mode & 0o077 == 0
    assert deployment.run("migrate") == ""  # `docker compose up` runs it at each start


async def test_the_owner_joins_the_console(deployment: Deployment, http: Http) -> None:
    """By the link that the command prints in the gateway's container, also without CLARION_PUBLIC_URL."""
    path, _, code = deployment.execute("gateway", "clarion", "owner-link").strip().partition("#")
    assert path == "/console/join"
    page = await http.call("GET", path)
    assert (page.status, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    body = {"code": code, "password": "correct horse battery", "email": "owner@example.com"}
    joined = await http.call("POST", "/api/v1/admin/invitations/accept", json=body)
    assert (joined.status, joined.body["memberships"][0]["role"]) == (200, "owner")
    assert deployment.execute("gateway", "clarion", "owner-link", "--unless-owned") == ""


async def test_an_event_is_delivered(deployment: Deployment, http: Http) -> None:
    """An SMS in the sandbox and a push in the inbox; with CLARION_DEMO_TENANT_ID the demo page shows them."""
    operator = Operator(http, deployment.variables["CLARION_ADMIN_TOKEN"])
    tenant = await operator.create_tenant("Harbour Books")
    await operator.create_template(tenant, _EVENT, "SMS", "Order {{orderId}} is on its way")
    await operator.create_template(
        tenant, _EVENT, "PUSH", "On its way", subject="Order {{orderId}}", push_namespace="orders"
    )
    payload = {"userId": "ada", "recipientPhone": "+254712345678"}
    event = {"eventType": _EVENT, "channels": ["SMS", "PUSH"], "payload": payload, "variables": {"orderId": "C-1"}}
    event_id = await tenant.accept(event)
    finished = await eventually(lambda: operator.finished(event_id))
    assert {one["channel"]: one["status"] for one in finished["deliveries"]} == {"SMS": "sent", "PUSH": "sent"}
    (notification,) = await tenant.whole_inbox("ada")
    assert notification["title"] == "Order C-1"

    assert (await http.call("GET", "/demo")).status == 404
    deployment.variables["CLARION_DEMO_TENANT_ID"] = tenant.id
    assert deployment.stop("gateway") == 0
    deployment.start("gateway")
    deployment.wait_healthy("gateway")
    viewer = "/docs/viewer/standalone.esm.js"
    demo = ("/demo", "/demo/demo.js", "/demo/demo.css", "/demo/bell.svg", "/inbox/clarion-inbox.js")
    for path in (*demo, "/docs", viewer):
        assert (await http.call("GET", path)).status == 200, path
    (message,) = await operator.outbox(event_id)
    assert message["text"] == "Order C-1 is on its way"


async def test_everything_stops_in_time_and_health_checks_notice(deployment: Deployment) -> None:
    """SIGTERM: each of ours drains and ends with status 0 within its stop_grace_period. The gateway needs them all."""
    assert deployment.stop("router") == 0
    assert not deployment.is_healthy("router")
    await eventually(lambda: not deployment.is_healthy("gateway"))  # its answer may be half a second old
    for name in ("gateway", "senders", "realtime", "ingest", "render"):
        assert deployment.stop(name) == 0, name
