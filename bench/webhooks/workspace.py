"""The workspaces of the loads: made through the admin API and the management API of the Nahook dialect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from bench.load import PLACEHOLDER
from bench.loads import Request
from bench.tenant import TenantError
from stack.client import Running

EVENT_TYPE = "bench.order"
# A saturating load is meant to queue: the quota has tests of its own.
_MAX_UNFINISHED = 2_000_000
_ADMIN = "/api/v1/admin"
_TIMEOUT = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True)
class Workspace:
    """A tenant whose endpoints subscribe to EVENT_TYPE. secrets: by path of the receiver."""

    id: str
    api_key: str
    secrets: dict[str, str]

    def request(self) -> Request:
        """Return the trigger of one event."""
        payload = {"orderId": PLACEHOLDER, "status": "paid", "total": "KES 4,200", "customer": "Ada"}
        return Request(
            f"/api/ingest/event/{EVENT_TYPE}",
            {"Authorization": f"Bearer {self.api_key}"},
            msgspec.json.encode({"payload": payload}).decode(),
        )


async def create(stack: Running, name: str, paths: Sequence[str], port: int) -> Workspace:
    """Create a tenant with an endpoint for each path. Raises TenantError."""
    async with aiohttp.ClientSession(stack.url, timeout=_TIMEOUT) as session:
        admin = {"Authorization": f"Bearer {stack.state.admin_token}"}
        body = {"name": f"Bench {name}", "max_unfinished_events": _MAX_UNFINISHED}
        tenant = (await _post(session, f"{_ADMIN}/tenants", admin, body))["id"]
        keys = {}
        for kind, prefix in (("nahook", "nhk_us_"), ("nahook_management", "nhm_")):
            body = {"name": "bench", "kind": kind, "prefix": prefix}
            keys[kind] = (await _post(session, f"{_ADMIN}/tenants/{tenant}/keys", admin, body))["api_key"]
        token = {"Authorization": f"Bearer {keys['nahook_management']}"}
        workspace = f"/management/v1/workspaces/ws_{tenant.replace('-', '')}"
        event_type = await _post(session, f"{workspace}/event-types", token, {"name": EVENT_TYPE})
        secrets = {}
        for path in paths:
            made = await _post(session, f"{workspace}/endpoints", token, {"url": f"http://127.0.0.1:{port}{path}"})
            secrets[path] = made["secret"]
            subscribed = {"eventTypeIds": [event_type["id"]]}
            await _post(session, f"{workspace}/endpoints/{made['id']}/subscriptions", token, subscribed)
        return Workspace(tenant, keys["nahook"], secrets)


async def _post(
    session: aiohttp.ClientSession, path: str, headers: dict[str, str], body: dict[str, Any]
) -> dict[str, Any]:
    async with session.post(path, json=body, headers=headers) as response:
        text = await response.text()
        if response.status not in (200, 201):
            raise TenantError(f"POST {path}: {response.status} {text[:300]}")
        return msgspec.json.decode(text, type=dict[str, Any])
