"""An HTTP client of Clarion: the calls of a tenant and of the operator, and the outbox page."""

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from checks.waiting import expect
from services.domain.channels import PUBLIC_NAMES_FOR_PEOPLE
from stack.state import StackState

# Longest any single call may take, seconds.
DEADLINE_S = 40.0

CHANNELS = tuple(PUBLIC_NAMES_FOR_PEOPLE)


@dataclass(frozen=True)
class Answer:
    """An HTTP response. body: decoded JSON, None if it is not JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def event_id(self) -> str:
        """The accepted event's id."""
        return self.headers.get("X-Event-Id", "")


class Http:
    """Calls one gateway, or several in turn. Raises aiohttp.ClientError or TimeoutError."""

    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str]) -> None:
        self.session = session
        self._urls = urls
        self._turn = 0

    @property
    def url(self) -> str:
        """The first gateway's address."""
        return self._urls[0]

    async def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        data: bytes | None = None,
    ) -> Answer:
        """Send a request. path: already percent-encoded. json: encoded; data: sent unchanged as JSON."""
        self._turn += 1
        url = URL(self._urls[self._turn % len(self._urls)] + path, encoded=True)
        body = msgspec.json.encode(json) if json is not None else data
        sent = dict(headers or {})
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(method, url, headers=sent, data=body and io.BytesIO(body)) as answer:
            return Answer(answer.status, answer.headers.copy(), _json(await answer.read()))


@dataclass(frozen=True)
class Tenant:
    """The calls of one tenant's servers and its users' browsers."""

    http: Http
    id: str
    api_key: str
    name: str = ""

    async def trigger(
        self, event: object = None, *, raw: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST an event, or raw bytes instead."""
        sent = {"x-api-key": self.api_key, **(headers or {})}
        return await self.http.call("POST", "/api/v1/events/trigger", headers=sent, json=event, data=raw)

    async def accept(self, event: object, *, headers: Mapping[str, str] | None = None) -> str:
        """POST an event that must be accepted; return its id. Raises CheckError."""
        answer = await self.trigger(event, headers=headers)
        expect(answer.status == 200 and answer.event_id, f"the trigger was answered {answer.status}: {answer.body}")
        return answer.event_id

    async def token(self, user_id: str) -> dict[str, Any]:
        """Return {token, channels} of a user. Raises CheckError."""
        answer = await self.http.call(
            "POST", "/api/v1/auth/realtime-token", headers={"x-api-key": self.api_key}, json={"userId": user_id}
        )
        expect(answer.status == 200, f"the token call was answered {answer.status}: {answer.body}")
        return dict(answer.body)

    async def inbox(
        self, user_id: str, *, limit: int = 50, offset: int = 0, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """List a user's notifications; headers replace the API key."""
        path = f"{self.inbox_path(user_id)}?limit={limit}&offset={offset}"
        return await self.http.call("GET", path, headers=headers or {"x-api-key": self.api_key})

    async def whole_inbox(self, user_id: str) -> list[dict[str, Any]]:
        """Return all notifications of a user, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.inbox(user_id, limit=100, offset=len(found))
            expect(answer.status == 200, f"the inbox answered {answer.status}")
            found += answer.body["data"]
            if len(answer.body["data"]) < 100:
                return found

    async def unread(self, user_id: str) -> int:
        """Return the number of unread notifications. Raises CheckError."""
        path = f"{self.inbox_path(user_id)}/unread-count"
        answer = await self.http.call("GET", path, headers={"x-api-key": self.api_key})
        expect(answer.status == 200 and answer.body["success"], f"unread-count: {answer.status} {answer.body}")
        return int(answer.body["unread"])

    async def mark_read(
        self, user_id: str, notification_id: str, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Mark a notification as read; headers replace the API key."""
        path = f"{self.inbox_path(user_id)}/{quote(notification_id, safe='')}/read"
        return await self.http.call("PUT", path, headers=headers or {"x-api-key": self.api_key})

    def inbox_path(self, user_id: str) -> str:
        """Return the path of a user's inbox."""
        return f"/api/v1/notifications/{self.id}/{quote(user_id, safe='')}"


@dataclass(frozen=True)
class Operator:
    """The calls of the operator: /api/v1/admin, the health page, and the outbox page of the local stack."""

    http: Http
    admin_token: str

    async def call(self, method: str, path: str, *, json: object = None) -> Answer:
        """Call the admin API. path: the part after /api/v1/admin."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        return await self.http.call(method, f"/api/v1/admin{path}", headers=headers, json=json)

    async def must(self, method: str, path: str, *, json: object = None) -> Any:
        """Call the admin API and return the body. Raises CheckError for a status of 400 and above."""
        answer = await self.call(method, path, json=json)
        expect(answer.status < 400, f"{method} {path} was answered {answer.status}: {answer.body}")
        return answer.body

    async def event(self, event_id: str) -> dict[str, Any] | None:
        """Return an event with its timeline, None until it is in the ledger."""
        answer = await self.call("GET", f"/events/{event_id}")
        if answer.status == 404:
            return None
        expect(answer.status == 200, f"the timeline was answered {answer.status}: {answer.body}")
        return dict(answer.body)

    async def finished(self, event_id: str) -> dict[str, Any] | None:
        """Return an event once it is finished, else None."""
        event = await self.event(event_id)
        return event if event and event["finished_at"] else None

    async def planned(self, tenant: Tenant, event_type: str) -> dict[str, dict[str, Any]]:
        """Return, by channel, how the router would now plan an event for a recipient with all addresses."""
        recipient = "user_id=u&email=a@example.com&phone=%2B254712345678"
        told = await self.must("GET", f"/route-explain?tenant_id={tenant.id}&event_type={event_type}&{recipient}")
        return {item["channel"]: item for item in told["deliveries"]}

    async def outbox(self, event_id: str) -> list[dict[str, Any]]:
        """Return the messages of an event on the outbox page of the demo tenant, with HTML."""
        answer = await self.http.call("GET", f"/demo/outbox.json?event_id={event_id}")
        expect(answer.status == 200, f"the outbox answered {answer.status}: {answer.body}")
        return list(answer.body["messages"])

    async def health(self) -> Answer:
        """Ask /healthz."""
        return await self.http.call("GET", "/healthz")

    async def create_tenant(
        self, name: str, *, providers: Mapping[str, tuple[str, dict[str, Any]]] | None = None
    ) -> Tenant:
        """Create a tenant. providers: kind and settings by channel; by default sandboxes for e-mail and SMS."""
        made = await self.must(
            "POST", "/tenants", json={"name": name, "sender_name": name, "sender_email": "us@tenant.example"}
        )
        wanted = providers or {"EMAIL": ("sandbox", {"from_email": "us@tenant.example"}), "SMS": ("sandbox", {})}
        for channel, (kind, settings) in wanted.items():
            body = {"tenant_id": made["id"], "channel": channel, "kind": kind, "settings": settings}
            await self.must("POST", "/providers", json=body)
        return Tenant(self.http, made["id"], made["api_key"], name)

    async def create_template(self, tenant: Tenant, event_type: str, channel: str, body: str, **more: str) -> str:
        """Create and activate a template. Return its id. more: subject, push_namespace."""
        template = {
            "tenant_id": tenant.id,
            "event_type": event_type,
            "channel": channel,
            "body": body,
            "activate": True,
            **more,
        }
        return str((await self.must("POST", "/templates", json=template))["id"])


@dataclass(frozen=True)
class Client:
    """The demo tenant and the operator of a running stack."""

    http: Http
    tenant: Tenant
    operator: Operator
    user_id: str


@asynccontextmanager
async def connect(
    state: StackState, *, connections: int = 100, middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()
) -> AsyncIterator[Client]:
    """Open a client for a stack's gateways. connections: HTTP requests at a time. middlewares: of aiohttp."""
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    connector = aiohttp.TCPConnector(limit=connections)
    # A killed gateway is not worth a client's own retries: the caller decides.
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, middlewares=middlewares) as session:
        http = Http(session, state.urls or [state.url])
        tenant = Tenant(http, state.tenant_id, state.api_key, "Acorn Shop")
        yield Client(http, tenant, Operator(http, state.admin_token), state.user_id)


def order(order_id: str, user_id: str, channels: Sequence[str] = CHANNELS) -> dict[str, Any]:
    """Return an event for an order, like the one that `make run` prints."""
    return {
        "eventType": "order.confirmed",
        "channels": list(channels),
        "payload": {"userId": user_id, "recipientEmail": "ada@example.com", "recipientPhone": "+254712345678"},
        "variables": {
            "customerName": "Ada",
            "orderId": order_id,
            "total": "KES 4,200",
            "items": [
                {"name": "Walnut desk lamp", "quantity": 1, "price": "KES 3,000"},
                {"name": "Linen shade", "quantity": 2, "price": "KES 1,200"},
            ],
        },
    }


def steps(event: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return an event's timeline as (step, channel)."""
    return [(step["step"], step["channel"]) for step in event["timeline"]]


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError:
        return None
