"""A tenant that gives every screen of the console something real to show: sent, failed, refused, waiting, stored.

All of it is made by calls that programs and people make. The servers that its mail, text messages and webhooks go to
run for as long as the context lasts, so that what fails keeps failing for the reason that is shown.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

from checks.client import Client, Tenant
from stack.client import Running
from tests.e2e import provider_apis
from tests.e2e.console import seeded_templates as templates
from tests.e2e.console.importing import imported
from tests.e2e.provider_apis import TWILIO, twilio_says
from tests.e2e.webhook_receiver import Receiver, receiving
from tests.integration.gateway.console_visitor import Visitor, owner
from tests.integration.senders.mail_servers import Catcher, serving
from tests.waiting import eventually

NAME = "Walnut Lamps"
ADA = {"userId": "ada", "recipientEmail": "ada@example.com", "recipientPhone": "+254712345678"}
# A landline, by what the provider reports later.
_GRACE = {"userId": "grace", "recipientEmail": "grace@example.com", "recipientPhone": "+254712345679"}
# The mail server takes nothing for this address.
_FULL = "full@example.com"
_UNWANTED = "linus@example.com"
_SETTLED_S = 60.0


class _MailServer(Catcher):
    """Takes every mail but those for a mailbox that is full."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer RCPT TO."""
        if address == _FULL:
            return "452 4.2.2 The mailbox is full, try again later"
        return await super().handle_RCPT(server, session, envelope, address, options)


@dataclass(frozen=True)
class World:
    """ids: of objects, by what they are: the {words} of the paths of screens.py. boss: the owner, who has signed in."""

    ids: dict[str, str]
    boss: Visitor


class Seeding:
    """What is being made. found: ids of objects, by what they are."""

    def __init__(self, client: Client, boss: Visitor) -> None:
        self.client = client
        self.boss = boss
        self.found: dict[str, str] = {}
        self.tenant = client.tenant

    async def must(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a call of the admin API answers."""
        return await self.client.operator.must(method, path, json=body)

    async def as_person(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a call answers that the owner makes, so that the audit log names them."""
        status, answer = await self.boss.call(method, path, body)
        assert status < 400, answer
        return answer

    @property
    def base(self) -> str:
        """The path of the tenant."""
        return f"/tenants/{self.tenant.id}"

    async def make_tenant(self) -> None:
        """A tenant with keys, an environment and an application, made by a person."""
        body = {"name": NAME, "sender_name": NAME, "sender_email": "hello@walnut.example"}
        made = await self.as_person("POST", "/tenants", body)
        self.tenant = Tenant(self.client.http, made["id"], made["api_key"], NAME)
        self.found["tenant"] = made["id"]
        await self.as_person("POST", f"{self.base}/environments", {"name": "Staging", "slug": "staging"})
        await self.as_person("POST", f"{self.base}/applications", {"name": "Lamp Studio", "external_id": "studio-1"})
        await self.as_person("PUT", f"{self.base}/retention", {"payload_days": 14})

    async def make_providers(self, mail_port: int) -> None:
        """A mail server, and two providers for text messages."""
        mail = {"host": "127.0.0.1", "port": mail_port, "tls": "none", "from_email": "hello@walnut.example"}
        for channel, kind, name, settings in (
            ("EMAIL", "smtp", "Our mail server", mail),
            ("SMS", "twilio", "Twilio", TWILIO),
            ("SMS", "sandbox", "Sandbox for tests", {}),
        ):
            body = {"tenant_id": self.tenant.id, "channel": channel, "kind": kind, "name": name, "settings": settings}
            made = await self.must("POST", "/providers", {**body, "priority": 10 + 10 * (kind == "sandbox")})
            self.found.setdefault("provider", made["id"])

    async def make_people(self) -> None:
        """Stored recipients, a group, and somebody who uses the console."""
        stored = [
            {"recipient_id": "ada", "email": "ada@example.com", "phone": "+254712345678", "name": "Ada Lovelace"}
            | {"locale": "en", "timezone": "Africa/Nairobi", "tags": ["vip", "newsletter"], "data": {"plan": "gold"}},
            {"recipient_id": "grace", "email": "grace@example.com", "name": "Grace Hopper", "tags": ["vip"]},
            {"recipient_id": "linus", "email": _UNWANTED, "name": "Linus", "muted_channels": ["SMS"]},
        ]
        await self.must("PUT", f"{self.base}/recipients", {"recipients": stored})
        self.found["recipient"] = "ada"
        wanted = {"channel": "SMS", "category": "news", "wanted": False}
        device = {"kind": "fcm", "token": "cGVuZ3Vpb-lamps-are-lovely-4c7e"}
        changes = {"category_preferences": [wanted], "device_tokens": [device]}
        await self.must("PATCH", f"{self.base}/recipients/ada", changes)
        vips = {"all": [{"field": "tags", "op": "has_all", "value": ["vip"]}]}
        segment = {"key": "vips", "name": "VIPs", "filter": vips}
        self.found["segment"] = (await self.as_person("POST", f"{self.base}/segments", segment))["id"]
        file = b"email,name\nkatherine@example.com,Katherine\nnowhere,Nobody\n"
        self.found["import"] = await imported(self.client, self.tenant.id, "people.csv", file)
        found = await self.must("GET", "/users?search=sam.support@")
        if not found["data"]:
            roles = [{"role": "viewer"}, {"role": "operator", "tenant_id": self.tenant.id}]
            body = {"email": "sam.support@example.com", "name": "Sam Support", "memberships": roles}
            found = {"data": [await self.as_person("POST", "/users", body)]}
        self.found["user"] = found["data"][0]["id"]
        invitation = await self.must("POST", f"/users/{self.found['user']}/invitation")
        self.found["invitation"] = urlsplit(invitation["url"]).fragment

    async def make_templates(self) -> None:
        """Versions, languages, a layout with a partial, and samples."""
        owned = {"tenant_id": self.tenant.id}
        for part in templates.PARTS:
            made = await self.as_person("POST", "/template-parts", {**owned, **part})
            self.found[part["kind"].lower()] = made["id"]
        for version in templates.VERSIONS:
            made = await self.as_person("POST", "/templates", {**owned, **version})
            self.found.setdefault("template", made["id"])
        for sample in templates.SAMPLES:
            await self.must("POST", "/template-samples", {**owned, **sample})

    async def suppress(self) -> None:
        """An address that an operator has suppressed."""
        note = "Asked by telephone not to get any more mail"
        body = {"tenant_id": self.tenant.id, "channel": "EMAIL", "address": _UNWANTED, "detail": note}
        await self.as_person("POST", "/suppressions", body)

    async def make_endpoints(self, working: Receiver, failing: Receiver, gone: Receiver) -> None:
        """One that works, one that is down with waiting deliveries, one that said 410, and one with a dead webhook."""
        working.answer = (200, b'{"stored": true}')
        failing.answer = (500, b"The database of the warehouse is read-only")
        gone.answer = (410, b"This endpoint was moved")
        for name, text in (
            ("order.shipped", "An order has left us"),
            ("order.paid", "An order was paid"),
            ("order.returned", "A lamp came back"),
            ("stock.moved", "Lamps went from one store to another"),
        ):
            await self.must("POST", f"{self.base}/event-types", {"name": name, "description": text})
        # One endpoint for each type: the order of several deliveries of one event is not fixed.
        await self._endpoint("Shop backend", working, {"event_types": ["order.shipped"]})
        await self._endpoint("Old customer database", gone, {"event_types": ["order.paid"]})
        await self._endpoint("Returns desk", failing, {"event_types": ["order.returned"]}, retry_delays_s=[1])
        moved = {"event_types": ["stock.moved"], "filter": {">": [{"var": "payload.lamps"}, 100]}}
        made = await self._endpoint("Warehouse", failing, moved, headers={"X-Warehouse": "Nairobi"})
        self.found["endpoint"] = made["id"]

    async def make_workflows(self) -> None:
        """One of two versions with a step of each kind, and one that is not active."""
        wait = {"id": "wait", "kind": "delay", "for_s": 259_200}
        hello = {"id": "hello", "kind": "send", "channel": "EMAIL", "template": {"key": "order.shipped"}}
        text = {"id": "text", "kind": "send", "channel": "SMS", "template": {"key": "order.shipped"}}
        hours = {"from": "09:00", "to": "17:00", "days": ["mon", "tue", "wed", "thu", "fri"]}
        call = {"id": "call", "kind": "webhook", "endpoint_id": self.found["endpoint"]}
        steps = [
            {**hello, "name": "It is on its way"},
            wait,
            {
                "id": "gold",
                "kind": "condition",
                "rule": {"==": [{"var": "contact.data.plan"}, "gold"]},
                "then": [{"id": "hours", "kind": "delay", "within": hours}, text],
                "else": [{"id": "end", "kind": "stop"}],
            },
            {
                "id": "both",
                "kind": "parallel",
                "branches": [
                    [{**hello, "id": "mail"}],
                    [call],
                ],
            },
        ]
        # One person has the tag: the order of several runs is not fixed.
        document = {"filters": {"tags": ["newsletter"], "cooldown_s": 86_400}, "category": "orders", "steps": steps}
        shipped = {"name": "An order goes out", "event_type": "parcel.left", "document": {"steps": [hello, wait]}}
        made = await self.as_person("POST", f"{self.base}/workflows", shipped)
        await self.as_person("PATCH", f"{self.base}/workflows/{made['id']}", {"document": document, "active": True})
        self.found["workflow"] = made["id"]
        draft = {"name": "Win back", "event_type": "customer.quiet", "document": {"steps": [hello]}}
        await self.as_person("POST", f"{self.base}/workflows", draft)

    async def _endpoint(self, name: str, receiver: Receiver, subscription: dict[str, Any], **more: Any) -> Any:
        body = {"url": f"{receiver.url}/{name.split(maxsplit=1)[0].lower()}", "description": name, **more}
        made = await self.must("POST", f"{self.base}/endpoints", body)
        await self.must("POST", f"{self.base}/endpoints/{made['id']}/subscriptions", subscription)
        return made

    async def send(self) -> None:
        """Messages that are sent, reported as delivered and as bounced, skipped, and dead."""
        await self._shipped("W-1041", ADA)
        await self._shipped("W-1042", _GRACE)
        await self._shipped("W-1043", {**ADA, "userId": "linus", "recipientEmail": _UNWANTED})
        await self._shipped("W-1044", {**ADA, "userId": "katherine", "locale": "sw"})
        dead = await self._shipped("W-1045", {**ADA, "userId": "charles", "recipientEmail": _FULL})
        self.found["event"] = dead["id"]
        await self._sent("order.paid", {"userId": "ada"}, {"orderId": "W-1041"})
        await self._sent("order.returned", {"userId": "ada"}, {"orderId": "W-1041"})

    async def _shipped(self, order_id: str, payload: dict[str, str]) -> dict[str, Any]:
        variables = {"orderId": order_id, "customerName": payload["userId"].title(), "total": "KES 4,200"}
        return await self._sent("order.shipped", payload, variables)

    async def _sent(self, event_type: str, payload: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Trigger an event; return it once nothing more of what goes to people is tried."""
        event = {"eventType": event_type, "payload": payload, "variables": variables}
        event_id = await self.tenant.accept(event)

        async def is_over() -> dict[str, Any]:
            found = await self.client.operator.event(event_id)
            if not found or not found["deliveries"]:
                return {}
            people = {one["status"] for one in found["deliveries"] if one["channel"] != "WEBHOOK"}
            return found if not people & {"queued", "retrying"} else {}

        return await eventually(is_over, _SETTLED_S, every=0.2)

    async def plan_ahead(self) -> None:
        """An event whose workflow waits, one that waits for its time, and one that is sent every Monday."""
        left = {"event_type": "parcel.left", "audience": [{"tags": ["vip"]}], "variables": {"orderId": "W-1050"}}
        self.found["trigger"] = (await self.as_person("POST", f"{self.base}/events", left))["event_id"]
        everybody = {"event_type": "news.published", "audience": [{"everybody": True}], "variables": {"title": "Lamps"}}
        due = (datetime.now(UTC) + timedelta(days=90)).isoformat()
        sent = await self.as_person("POST", f"{self.base}/events", {**everybody, "due_at": due})
        weekly = {"name": "Weekly news", "cron": "0 9 * * MON", "timezone": "Africa/Nairobi", "event": everybody}
        self.found["schedule"] = (await self.as_person("POST", f"{self.base}/schedules", weekly))["id"]

        async def waits() -> bool:
            found = await self.client.operator.event(sent["event_id"])
            run = await self.client.operator.call("GET", f"/events/{self.found['trigger']}/run")
            return bool(found and found["waiting"]) and run.status == 200 and run.body["state"] == "running"

        await eventually(waits, _SETTLED_S, every=0.2)

    async def report(self, apis: provider_apis.Apis) -> None:
        """The first text message was delivered, the second one never can be."""
        [twilio] = [
            one
            for one in (await self.must("GET", f"/providers?tenant_id={self.tenant.id}"))["data"]
            if one["kind"] == "twilio"
        ]
        path = urlsplit((await self.must("GET", f"/providers/{twilio['id']}/callback"))["url"]).path
        first, second = apis.ids("twilio")[:2]
        ada, grace = ADA["recipientPhone"], _GRACE["recipientPhone"]
        good = {"MessageSid": first, "MessageStatus": "delivered", "To": ada}
        bad = {"MessageSid": second, "MessageStatus": "undelivered", "ErrorCode": "30006", "To": grace}
        assert await twilio_says(self.client, path, **good) == 204
        assert await twilio_says(self.client, path, **bad) == 204

    async def fail_webhooks(self) -> None:
        """A webhook that the filter leaves out, one that dies, and one that waits because the endpoint is down."""
        base = f"{self.base}/endpoints/{self.found['endpoint']}"

        async def has(status: str) -> bool:
            return len((await self.must("GET", f"{base}/deliveries?status={status}"))["data"]) == 1

        async def is_down(parked: int) -> bool:
            state = await self.must("GET", f"{base}/state")
            return (state["state"], int(state["parked"])) == ("open", parked)

        async def moved(lamps: int) -> None:
            await self._sent("stock.moved", {"userId": "ada", "lamps": lamps}, {"lamps": lamps})

        await moved(50)
        await moved(120)
        await eventually(lambda: has("dead"), _SETTLED_S, every=0.2)
        # Its second attempt is the fifth failure in a row.
        await moved(240)
        await eventually(lambda: is_down(1), _SETTLED_S, every=0.2)

    async def be_refused(self) -> None:
        """Requests with a revoked key, without an event type, and beyond a limit."""
        keys = {
            name: await self.as_person("POST", f"{self.base}/keys", {"name": name})
            for name in ("Shop backend", "Nightly import", "Shop backend of last year")
        }
        revoked, limited = keys["Shop backend of last year"], keys["Nightly import"]
        await self.as_person("DELETE", f"{self.base}/keys/{revoked['id']}")
        rates = [{"window_s": 86_400, "bound": 1, "kind": "fixed"}]
        await self.as_person("PATCH", f"{self.base}/keys/{limited['id']}", {"rates": rates})
        event = {"eventType": "order.shipped", "channels": ["PUSH"], "payload": ADA}

        async def answers(status: int, key: str, **changes: Any) -> bool:
            answer = await self.tenant.trigger({**event, **changes}, headers={"x-api-key": key})
            return answer.status == status

        assert await answers(422, self.tenant.api_key, eventType="")
        assert await answers(200, limited["api_key"], variables={"orderId": "W-1046"})
        assert await answers(429, limited["api_key"], variables={"orderId": "W-1047"})
        # Gateways learn of a revoked key within two seconds.
        await eventually(lambda: answers(401, revoked["api_key"], variables={"orderId": "W-1046"}), _SETTLED_S, every=1)

        async def are_listed() -> bool:
            found = await self.must("GET", f"/refused-requests?tenant_id={self.tenant.id}")
            return {one["status"] for one in found["data"]} == {401, 422, 429}

        await eventually(are_listed, _SETTLED_S, every=0.5)

    async def settle(self) -> None:
        """Wait until the ledger has what was reported and what died, and every content is stored."""

        async def is_dead() -> bool:
            found = await self.must("GET", f"/dead-letters?tenant_id={self.tenant.id}")
            return {one["channel"] for one in found["data"]} == {"EMAIL", "WEBHOOK"}

        async def has_bounced() -> bool:
            found = await self.must("GET", f"/suppressions?tenant_id={self.tenant.id}")
            return {one["reason"] for one in found["data"]} == {"manual", "bounced"}

        async def is_stored() -> bool:
            event = await self.must("GET", f"/events/{self.found['event']}")
            contents = [await self.must("GET", f"/deliveries/{one['id']}/content") for one in event["deliveries"]]
            return all(one["missing"] != "not_written_yet" for one in contents)

        waits: tuple[Callable[[], Awaitable[bool]], ...] = (is_dead, has_bounced, is_stored)
        for wait in waits:
            await eventually(wait, _SETTLED_S, every=0.2)


@asynccontextmanager
async def seeded(client: Client, running: Running) -> AsyncIterator["World"]:
    """Make a tenant called NAME with all that screens show. Whoever is shown them is the owner of the installation."""
    async with AsyncExitStack() as stack:
        boss = await stack.enter_async_context(owner(running))
        apis = await stack.enter_async_context(provider_apis.serving())
        mail_port = await stack.enter_async_context(serving(_MailServer()))
        working, failing, gone = [await stack.enter_async_context(receiving()) for _ in range(3)]
        seeding = Seeding(client, boss)
        await seeding.make_tenant()
        await seeding.make_providers(mail_port)
        await seeding.make_people()
        await seeding.make_templates()
        await seeding.suppress()
        await seeding.make_endpoints(working, failing, gone)
        await seeding.make_workflows()
        await seeding.send()
        await seeding.plan_ahead()
        await seeding.report(apis)
        await seeding.fail_webhooks()
        await seeding.be_refused()
        await seeding.settle()
        yield World(seeding.found, boss)
