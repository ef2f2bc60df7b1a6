"""docker-compose.yml as it runs: every service with its own command, environment, health check and stop.

The tests share one deployment and stand in the order of its life; the last one stops it.
"""

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from checks.client import Http, Operator
from services.realtime import centrifugo
from stack.hub.build import hub_binary
from stack.processes import ROLES
from tests.conftest import PostgresServer, in_thread
from tests.integration.compose import files
from tests.integration.compose.deployment import Deployment
from tests.integration.compose.files import ROOT
from tests.integration.compose.image import Image
from tests.waiting import eventually

_OURS = {role.name for role in ROLES if role.name != "mail"}
_EVENT = "order.confirmed"


@pytest.fixture(scope="module")
def deployment(
    built: Image, env_file: Path, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """All of docker-compose.yml, up and healthy."""
    database = f"compose_{secrets.token_hex(4)}"
    in_thread(_administer(postgres_server, f"CREATE DATABASE {database}"))
    deployment = Deployment(
        tmp_path_factory.mktemp("deployment"),
        # The tests' server has a password already.
        {**files.read_env(env_file), "CLARION_POSTGRES_PASSWORD": postgres_server.local.password},
        built,
        hub_binary(ROOT / "build", print),
        database,
        {("postgres", 5432): postgres_server.local.port},
    )
    try:
        deployment.up()
        yield deployment
    finally:
        deployment.down()
        in_thread(_administer(postgres_server, f"DROP DATABASE {database} WITH (FORCE)"))


async def _administer(server: PostgresServer, statement: str) -> None:
    admin = await asyncpg.connect(server.local.url("postgres"))
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


@pytest.fixture
async def http(deployment: Deployment) -> AsyncIterator[Http]:
    """The gateway, from outside."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield Http(session, [f"http://{deployment.address('gateway', 8080)}"])


def test_everything_is_up_and_doctor_finds_nothing_wrong(deployment: Deployment) -> None:
    """NATS syncs, Centrifugo is closed, every secret is long enough; nothing of this process was given to ours."""
    assert deployment.completed == ["migrate", "centrifugo-config"]
    assert set(deployment.running) == {*_OURS, "nats", "centrifugo"}
    said = deployment.run("doctor")
    assert "sync_interval is `always`" in said
    assert "centrifugo.json is safe" in said
    assert ", 0 failed" in said
    assert deployment.run("migrate") == ""  # `docker compose up` runs it at each start


async def test_the_servers_run_with_the_mounted_files(deployment: Deployment) -> None:
    """NATS with the file's name, limits and store; Centrifugo with a private, safe file that its step has written."""
    url = f"http://{deployment.address('nats', 8222)}/varz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        seen = await answer.json(content_type=None)
    config = seen["jetstream"]["config"]
    assert (seen["server_name"], seen["max_payload"], seen["auth_required"]) == ("clarion", 8 * 1024**2, True)
    assert (config["max_storage"], config["sync_always"]) == (5 * 1024**3, True)
    assert config["store_dir"].startswith(str(deployment.volume("nats")))
    (file,) = deployment.volume("centrifugo").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert centrifugo.unsafe_settings(json.loads(file.read_text())) == []


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
    for path in ("/demo", "/demo/demo.js", "/demo/demo.css", "/demo/bell.svg", "/demo/centrifuge.js", "/docs", viewer):
        assert (await http.call("GET", path)).status == 200, path
    (message,) = await operator.outbox(event_id)
    assert message["text"] == "Order C-1 is on its way"


def test_a_health_check_says_no(deployment: Deployment) -> None:
    """A service that does not serve is unhealthy, and so is the gateway that needs it, until it runs again."""
    assert deployment.stop("router") == 0
    assert not deployment.is_healthy("router")
    assert not deployment.is_healthy("gateway")
    deployment.start("router")
    deployment.wait_healthy("router")
    deployment.wait_healthy("gateway")


def test_everything_stops_in_time(deployment: Deployment) -> None:
    """SIGTERM: each of ours drains and ends with status 0 within its stop_grace_period; then the servers."""
    for name in ("gateway", "senders", "realtime", "router", "ingest", "render"):
        assert deployment.stop(name) == 0, deployment.said(name)
    deployment.stop("centrifugo")
    deployment.stop("nats")
