"""The tenant of the load, created through the admin API."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from bench import ground, load
from bench.load import PLACEHOLDER
from stack.client import Running

EVENT_TYPE = "bench.order"
# The unique id stands between these, to be found in the outbox.
SMS_TEMPLATE = (
    "Hello {{customerName}}, your order #{{orderId}}# of {{total}} is confirmed and on its way. Thank you, Acorn Shop."
)
# A saturating load is meant to queue: the quota has tests of its own.
_MAX_UNFINISHED = 2_000_000
_BASE = "/api/v1/admin"
_TIMEOUT = aiohttp.ClientTimeout(total=20)


class TenantError(Exception):
    """The admin API refused a call. The text is its response."""


@dataclass(frozen=True)
class Tenant:
    """A tenant with a sandbox provider and an SMS template."""

    id: str
    api_key: str


def event_body() -> str:
    """Return the body of each event, with placeholders for its id."""
    event = {
        "eventType": EVENT_TYPE,
        "eventId": PLACEHOLDER,
        "channels": ["SMS"],
        "payload": {"userId": "bench-user", "recipientPhone": "+254712345678"},
        "variables": {"customerName": "Ada", "orderId": PLACEHOLDER, "total": "KES 4,200"},
    }
    return msgspec.json.encode(event).decode()


def bare_order(port: int, *, rate: float, seconds: float, connections: int) -> load.Order:
    """Return the order for the same load on the server of a baseline, without a tenant."""
    return load.Order(
        host="127.0.0.1",
        port=port,
        path="/",
        headers={"x-api-key": "baseline"},
        body=event_body(),
        run=ground.new_run(),
        rate=rate,
        seconds=seconds,
        connections=connections,
    )


async def create(stack: Running) -> Tenant:
    """Create the tenant. Raises TenantError."""
    headers = {"Authorization": f"Bearer {stack.state.admin_token}"}
    async with aiohttp.ClientSession(stack.url, headers=headers, timeout=_TIMEOUT) as session:
        made = await post(session, "/tenants", {"name": "Bench", "max_unfinished_events": _MAX_UNFINISHED})
        tenant = Tenant(made["id"], made["api_key"])
        await post(session, "/providers", {"tenant_id": tenant.id, "channel": "SMS", "kind": "sandbox"})
        template = {"tenant_id": tenant.id, "event_type": EVENT_TYPE, "channel": "SMS", "body": SMS_TEMPLATE}
        await post(session, "/templates", {**template, "activate": True})
    return tenant


async def post(session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Call the admin API; return what was created. Raises TenantError."""
    async with session.post(_BASE + path, json=body) as response:
        text = await response.text()
        if response.status != 201:
            raise TenantError(f"POST {_BASE}{path}: {response.status} {text[:300]}")
        return msgspec.json.decode(text, type=dict[str, Any])
