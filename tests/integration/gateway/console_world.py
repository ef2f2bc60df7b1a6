"""Two tenants with one object of each kind, for what people of one may not see of the other."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from gateway.access.rules import Kind
from runtime.ids import new_id
from tests.waiting import eventually

_ADMIN = "/api/v1/admin"


@dataclass(frozen=True)
class Belongings:
    """A tenant, and the ids of what belongs to it."""

    tenant_id: str
    account_id: str
    objects: dict[Kind, str]


class Maker:
    """Makes objects with the admin token."""

    def __init__(self, http: aiohttp.ClientSession, headers: dict[str, str]) -> None:
        self._http = http
        self._headers = headers

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the body of an answer. AssertionError if it is an error."""
        async with self._http.request(method, _ADMIN + path, json=body, headers=self._headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def attempt(self, method: str, path: str, body: Any = None) -> int:
        """Make a call that may be refused; return its status."""
        async with self._http.request(method, _ADMIN + path, json=body, headers=self._headers) as answer:
            return answer.status

    async def post(self, path: str, **body: Any) -> Any:
        """Create something."""
        return await self.call("POST", path, body)

    async def belongings(self) -> Belongings:
        """Make a tenant with one object of each kind."""
        tenant = await self.post("/tenants", name="Acme")
        tenant_id: str = tenant["id"]
        own = {"tenant_id": tenant_id}
        template = {"event_type": "a.b", "channel": "SMS", "body": "Hello {{name}}"}
        objects: dict[Kind, str] = {
            "provider": (await self.post("/providers", **own, channel="SMS", kind="sandbox"))["id"],
            "suppression": (await self.post("/suppressions", **own, channel="EMAIL", address="a@example.com"))["id"],
            "template": (await self.post("/templates", **own, **template, activate=True))["id"],
            "part": (await self.post("/template-parts", **own, kind="PARTIAL", name="p", body="x"))["id"],
        }
        events = f"/tenants/{tenant_id}/events"
        audience = [{"recipient": {"user_id": "u1", "phone": "+254712345678"}}]
        objects["event"] = (await self.post(events, event_type="a.b", audience=audience))["event_id"]
        objects["run"] = (await self.post(events, event_type="a.b", audience=audience, due_at="2027-01-01T00:00:00Z"))[
            "event_id"
        ]
        objects["delivery"] = await eventually(lambda: self._delivery(objects["event"]))
        await eventually(lambda: self._has_run(objects["run"]))
        objects["replay"] = (
            await self.post("/replays", **own, since="2026-01-01T00:00:00Z", until="2026-01-02T00:00:00Z")
        )["id"]
        return Belongings(tenant_id, tenant["account_id"], objects)

    async def platform(self) -> dict[Kind, str]:
        """Make what belongs to no tenant."""
        template = {"event_type": f"t.{new_id()}", "channel": "SMS", "body": "Hello"}
        return {
            "template": (await self.post("/templates", **template))["id"],
            "part": (await self.post("/template-parts", kind="PARTIAL", name=f"p{new_id()[:8]}", body="x"))["id"],
        }

    async def _delivery(self, event_id: str) -> str:
        async with self._http.get(f"{_ADMIN}/events/{event_id}/deliveries", headers=self._headers) as answer:
            found = (await answer.json()).get("data") or [{}]
            delivery_id: str = found[0].get("id", "")
            return delivery_id

    async def _has_run(self, event_id: str) -> bool:
        async with self._http.get(f"{_ADMIN}/events/{event_id}/run", headers=self._headers) as answer:
            return answer.status == 200
