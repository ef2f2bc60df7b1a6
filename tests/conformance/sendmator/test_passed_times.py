"""The page's examples whose time has passed, byte for byte, at a gateway whose clock stands before it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from gateway.app import create_app
from gateway.clients import Clients
from gateway.settings import Settings
from runtime.clock import micros_of
from runtime.settings import load
from stack.client import Running
from tests.conformance.sendmator import contract
from tests.conformance.sendmator.conftest import Account

# When the page's other examples were answered.
_THEN = datetime(2024, 12, 10, 10, tzinfo=UTC)
_SCHEDULED = 3


@pytest.fixture
async def earlier(sendmator_stack: Running) -> AsyncIterator[str]:
    """The address of a gateway of the stack for which it is December 2024."""
    settings = load(Settings, {**sendmator_stack.variables, "CLARION_HTTP_ADDRESS": "127.0.0.1:0"})
    clients = Clients(settings)
    async with TestServer(create_app(settings, clients, now=lambda: micros_of(_THEN))) as server:
        yield str(server.make_url("")).rstrip("/")
    await clients.close()


async def _sent(account: Account, url: str, body: bytes) -> tuple[int, dict[str, Any]]:
    headers = {**account.headers, "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/v1/events/send", data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def test_the_scheduled_example(account: Account, earlier: str) -> None:
    """Answered in exactly the published words."""
    await account.declare("subscription_renewal_reminder")
    status, answer = await _sent(account, earlier, contract.body_of(contract.curls()[_SCHEDULED]))
    assert status == 201, answer
    assert answer["message"] == "Event scheduled for 2024-12-15T10:00:00.000Z"
    assert answer["scheduled_for"] == "2024-12-15T10:00:00.000Z"
    assert set(answer) == {"success", "trigger_id", "job_id", "message", "scheduled_for"}


async def test_the_scheduled_sample(account: Account, earlier: str) -> None:
    """The time as JavaScript writes it."""
    await account.declare("holiday_greeting")
    body = {
        "event_name": "holiday_greeting",
        "user_info": {"contact_external_id": "user_123"},
        "trigger_at": "2024-12-25T10:00:00.000Z",
    }
    status, answer = await _sent(account, earlier, json.dumps(body, separators=(",", ":")).encode())
    assert (status, answer["scheduled_for"]) == (201, "2024-12-25T10:00:00.000Z")


async def test_a_time_that_has_passed_then(account: Account, earlier: str) -> None:
    """It is the same refusal as now."""
    body = {"event_name": "x", "trigger_at": "2024-12-10T09:59:59Z"}
    status, answer = await _sent(account, earlier, json.dumps(body).encode())
    assert (status, answer["message"]) == (400, "trigger_at must be a future date")
