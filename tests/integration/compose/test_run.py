"""docker-compose.yml as it runs: every service with its own command, environment, health check and stop.

The tests share one deployment and stand in the order of its life; the last one stops it.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from checks.client import Http, Operator, Tenant
from services.realtime import centrifugo
from stack.processes import ROLES
from tests.integration.compose.engine import Engine
from tests.waiting import eventually

OURS = [role.name for role in ROLES if role.name != "mail"]
_EVENT = "order.confirmed"


@pytest.fixture
async def http(deployment: Engine) -> AsyncIterator[Http]:
    """The gateway, from outside."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield Http(session, [f"http://{deployment.places.address('gateway', 8080)}"])


@pytest.fixture
def operator(deployment: Engine, http: Http) -> Operator:
    """Whoever has the .env."""
    return Operator(http, deployment.variables["CLARION_ADMIN_TOKEN"])


def test_everything_is_up(deployment: Engine) -> None:
    """Migration and Centrifugo's configuration have ended well; all the others run and are healthy."""
    assert set(deployment.completed) == {"migrate", "centrifugo-config"}
    assert set(deployment.running) == {*OURS, "nats", "centrifugo"}
    for name in (*deployment.running, "postgres"):
        deployment.wait_healthy(name)


def test_the_code_is_the_images(deployment: Engine) -> None:
    """No process was started in the checkout, and each got only what the file gives it."""
    for name in OURS:
        environment = deployment.environment(name)
        assert "PYTHONPATH" not in environment
        assert deployment.command(name)[0] == "python"
        assert environment["PATH"].startswith(f"{deployment.image.folder}/bin:")


def test_doctor_finds_nothing_wrong(deployment: Engine) -> None:
    """`docker compose run --rm doctor`: NATS syncs, Centrifugo is closed, every secret is long enough."""
    said = deployment.run("doctor")
    assert "sync_interval is `always`" in said
    assert "centrifugo.json is safe" in said
    assert ", 0 failed" in said


async def test_nats_runs_with_the_mounted_file(deployment: Engine) -> None:
    """It is the file's name, limits and store, and without the password nobody gets in."""
    url = f"http://{deployment.places.address('nats', 8222)}"
    async with aiohttp.ClientSession() as session, session.get(f"{url}/varz") as answer:
        seen = await answer.json(content_type=None)
    assert seen["server_name"] == "clarion"
    assert seen["max_payload"] == 8 * 1024**2
    config = seen["jetstream"]["config"]
    assert config["max_storage"] == 5 * 1024**3
    assert config["sync_always"]
    assert config["store_dir"].startswith(str(deployment.places.volume("nats")))

    reader, writer = await asyncio.open_connection("127.0.0.1", deployment.places.port("nats", 4222))
    writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
    lines = [line async for line in reader]
    writer.close()
    assert b'"auth_required":true' in lines[0]
    assert lines[1:] == [b"-ERR 'Authorization Violation'\r\n"]


def test_centrifugo_runs_with_the_generated_file(deployment: Engine) -> None:
    """The file that the one-off service wrote is private, safe, and named on the command line."""
    file = deployment.places.volume("centrifugo") / "centrifugo.json"
    assert file.stat().st_mode & 0o077 == 0
    assert centrifugo.unsafe_settings(json.loads(file.read_text())) == []
    assert str(file) in deployment.command("centrifugo")[-1]
    assert not file.with_name("centrifugo.json.part").exists()


async def test_an_event_is_delivered(deployment: Engine, http: Http, operator: Operator) -> None:
    """One event in over HTTP: an SMS in the sandbox, a push in the inbox, and the demo page shows both."""
    tenant = await operator.create_tenant("Harbour Books")
    await operator.create_template(tenant, _EVENT, "SMS", "Order {{orderId}} is on its way")
    await operator.create_template(
        tenant, _EVENT, "PUSH", "On its way", subject="Order {{orderId}}", push_namespace="orders"
    )
    event_id = await tenant.accept(
        {
            "eventType": _EVENT,
            "channels": ["SMS", "PUSH"],
            "payload": {"userId": "ada", "recipientPhone": "+254712345678"},
            "variables": {"orderId": "C-1"},
        }
    )
    event = await eventually(lambda: operator.finished(event_id))
    assert {delivery["channel"]: delivery["status"] for delivery in event["deliveries"]} == {
        "SMS": "sent",
        "PUSH": "sent",
    }
    (notification,) = await tenant.whole_inbox("ada")
    assert notification["title"] == "Order C-1"
    await _check_demo(deployment, http, operator, tenant, event_id)


async def _check_demo(deployment: Engine, http: Http, operator: Operator, tenant: Tenant, event_id: str) -> None:
    """With CLARION_DEMO_TENANT_ID in .env and the gateway started anew there is a demo page, with its client."""
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


def test_a_health_check_says_no(deployment: Engine) -> None:
    """A service that does not serve is unhealthy, and so is the gateway that needs it; both are well again after."""
    assert deployment.stop("router") == 0
    assert not deployment.is_healthy("router")
    assert not deployment.is_healthy("gateway")
    deployment.start("router")
    deployment.wait_healthy("router")
    deployment.wait_healthy("gateway")


def test_migrating_again_changes_nothing(deployment: Engine) -> None:
    """`docker compose up` runs it at each start."""
    assert deployment.run("migrate") == ""


def test_everything_stops_in_time(deployment: Engine) -> None:
    """SIGTERM: each of ours drains and ends with status 0 within its stop_grace_period; then the servers."""
    for name in ("gateway", "senders", "realtime", "router", "ingest", "render"):
        assert deployment.stop(name) == 0, deployment.said(name)
    deployment.stop("centrifugo")
    deployment.stop("nats")
    assert deployment.running == {}
