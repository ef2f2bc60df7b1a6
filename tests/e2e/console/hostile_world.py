"""Stores hostile texts (hostile.py) by real calls in every field that takes free text and is shown somewhere."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from aiosmtpd.smtp import SMTP

from checks.client import Client, Tenant
from stack.client import Running
from tests.e2e.console.hostile import LONG_WORD, STRINGS, ascii_only, packs, printable
from tests.e2e.console.importing import imported
from tests.e2e.webhook_receiver import Receiver, receiving
from tests.integration.gateway.console_visitor import OWNER, PASSWORD, Visitor, owner, visitor
from tests.integration.senders.mail_servers import Catcher, serving
from tests.waiting import eventually

_SETTLED_S = 60.0
_DEMO_ADDRESSES = {"recipientEmail": "ada@example.com", "recipientPhone": "+254712345678"}
_MAIL = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{{evil}}</mj-text>{{{evil}}}"
    "</mj-column></mj-section></mj-body></mjml>"
)


class HostileWorld:
    """What was stored. texts: by field. ids: of objects, by what they are, as paths name them."""

    def __init__(self, client: Client, boss: Visitor) -> None:
        self.client = client
        self.boss = boss
        self.texts: dict[str, list[str]] = {}
        self.ids: dict[str, str] = {}
        self.tenant = client.tenant

    async def must(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a call of the admin API answers."""
        return await self.client.operator.must(method, path, json=body)

    def keep(self, field: str, texts: Iterable[str]) -> list[str]:
        """Note the texts of a field, and return them."""
        self.texts[field] = list(texts)
        return self.texts[field]

    @property
    def base(self) -> str:
        """The path of the first tenant."""
        return f"/tenants/{self.tenant.id}"

    async def store_tenants(self) -> None:
        """A tenant for each pack; the first one has everything else."""
        senders = self.keep("sender name", packs(240, printable()))
        for number, name in enumerate(self.keep("tenant", packs(100, printable()))):
            body = {"name": name, "sender_email": "us@tenant.example", "sender_name": senders[0]}
            made = await self.must("POST", "/tenants", body)
            if not number:
                self.tenant = Tenant(self.client.http, made["id"], made["api_key"], name)
        self.ids["tenant"] = self.tenant.id
        for name in self.keep("key", packs(100, printable())):
            made = await self.must("POST", f"{self.base}/keys", {"name": name})
        self.keep("revoked key", [self.texts["key"].pop()])
        await self.must("DELETE", f"{self.base}/keys/{made['id']}")
        self.ids["key"] = made["api_key"]
        # A tenant has at most ten, the default one among them.
        for number, name in enumerate(self.keep("environment", list(packs(100))[-9:])):
            await self.must("POST", f"{self.base}/environments", {"name": name, "slug": f"e{number}"})
        for name in self.keep("application", packs(240)):
            made = await self.must("POST", f"{self.base}/applications", {"name": name, "external_id": name})
            self.ids.setdefault("application", made["id"])
        portal = await self.must("POST", f"{self.base}/applications/{self.ids['application']}/portal", {})
        self.ids["portal"] = urlsplit(portal["url"]).path

    async def store_people(self) -> None:
        """Recipients, suppressions and users of the console."""
        recipients = self.keep("recipient", packs(240))
        named = self.keep("recipient name", packs(240, (*STRINGS,)))
        for number, recipient_id in enumerate(recipients):
            body = {"recipient_id": recipient_id, "name": named[number], "email": "ada@example.com"}
            more = {"tags": self.keep("tag", packs(64)), "data": {text: text for text in STRINGS}}
            await self.must("PUT", f"{self.base}/recipients", {"recipients": [{**body, **more}]})
        self.ids["recipient"] = quote(recipients[0], safe="")
        refused = [{"channel": "EMAIL", "category": text, "wanted": False} for text in self.keep("category", packs(64))]
        path = f"{self.base}/recipients/{self.ids['recipient']}"
        await self.must("PATCH", path, {"category_preferences": refused})
        test = {"field": "name", "op": "contains"}
        filter_ = {"any": [{**test, "value": text} for text in self.keep("segment value", printable())]}
        for number, name in enumerate(self.keep("segment", packs(240, printable()))):
            segment: dict[str, Any] = {"key": f"segment-{number}", "name": name, "filter": filter_}
            self.ids.setdefault("segment", (await self.must("POST", f"{self.base}/segments", segment))["id"])
        # A header that is no field is left out; a cell that is no address is what a row's fault names.
        [header] = self.keep("column", ["email"])
        file = f"{header},name\n{STRINGS[0]},x\n".encode()
        for name in self.keep("file", packs(240, printable())):
            self.ids.setdefault("import", await imported(self.client, self.tenant.id, name, file))
        for number, note in enumerate(self.keep("suppression", packs(240))):
            body = {
                "tenant_id": self.tenant.id,
                "channel": "EMAIL",
                "address": f"u{number}@example.com",
                "detail": note,
            }
            await self.must("POST", "/suppressions", body)
        for number, name in enumerate(self.keep("user", packs(100, printable()))):
            made = await self.must("POST", "/users", {"email": f"u{number}.{self.tenant.id}@example.com", "name": name})
            self.ids.setdefault("user", made["id"])
            self.ids.setdefault("invitation", urlsplit(made["invitation"]["url"]).fragment)

    async def store_templates(self) -> None:
        """Event types, subjects, bodies, layouts, partials and samples."""
        owned = {"tenant_id": self.tenant.id}
        bodies = self.keep("template", [LONG_WORD, *(one for one in STRINGS if "{{" not in one and "<mj" not in one)])
        for number, event_type in enumerate(self.keep("template type", packs(240, printable()))):
            new = {**owned, "event_type": event_type, "activate": True}
            body = " ".join(bodies)
            await self.must(
                "POST", "/templates", {**new, "channel": "PUSH", "subject": "{{evil}}", "body": "{{evil}} " + body}
            )
            made = await self.must(
                "POST", "/templates", {**new, "channel": "EMAIL", "subject": "{{evil}}", "body": _MAIL}
            )
            self.ids.setdefault("template", made["id"])
            self.ids.setdefault("type", event_type)
            if not number:
                for name in self.keep("sample", packs(64, printable())):
                    sample = {**owned, "event_type": event_type, "name": name, "variables": {"evil": " ".join(STRINGS)}}
                    await self.must("POST", "/template-samples", sample)
        for kind in ("PARTIAL", "LAYOUT"):
            part = {**owned, "kind": kind, "name": f"part-{kind.lower()}"}
            made = await self.must(
                "POST", "/template-parts", {**part, "body": "{{{content}}} " * (kind == "LAYOUT") + " ".join(bodies)}
            )
            self.ids[kind.lower()] = made["id"]

    async def store_providers(self, port: int) -> None:
        """Providers, the first of which is the mail server that refuses."""
        smtp = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "us@tenant.example"}
        smtp["from_name"] = self.texts["sender name"][0]
        for number, name in enumerate(self.keep("provider", packs(100))):
            kind, channel, settings = ("sandbox", "SMS", {}) if number else ("smtp", "EMAIL", smtp)
            body = {"tenant_id": self.tenant.id, "channel": channel, "kind": kind, "name": name, "settings": settings}
            made = await self.must("POST", "/providers", body)
            self.ids.setdefault("provider", made["id"])

    async def store_endpoints(self, receiver: Receiver) -> None:
        """Endpoints with descriptions, and types of events with theirs."""
        for number, text in enumerate(self.keep("event type", packs(500))):
            await self.must("POST", f"{self.base}/event-types", {"name": f"t{number}", "description": text})
        url = f"{receiver.url}/?q={quote(STRINGS[1])}"
        [user] = self.keep("user of an endpoint", [STRINGS[2]])
        more: dict[str, Any] = {"headers": {"X-Evil": ascii_only()[0]}, "metadata": {"label": STRINGS[1]}}
        of_application = {"application_id": self.ids["application"]}
        for text in self.keep("endpoint", packs(240)):
            body = {"url": url, "description": text, "auth_username": user, **more, **of_application}
            made = await self.must("POST", f"{self.base}/endpoints", body)
            self.ids.setdefault("endpoint", made["id"])
        rule = {"==": [{"var": "payload.evil"}, " ".join(STRINGS)]}
        path = f"{self.base}/endpoints/{self.ids['endpoint']}/subscriptions"
        await self.must("POST", path, {"event_types": ["t0"], "filter": rule})
        self.keep("filter", STRINGS)

    async def store_workflows(self) -> None:
        """Workflows; the first one has two versions, and steps, tags and rules with everything hostile."""
        send = {"kind": "send", "channel": "EMAIL", "template": {"key": self.texts["template type"][0]}}
        named = self.keep("step", packs(100, (*STRINGS,)))
        steps: list[dict[str, object]] = [
            {**send, "id": f"s{number}", "name": name} for number, name in enumerate(named)
        ]
        rule = {"==": [{"var": f"event.data.{STRINGS[0]}"}, STRINGS[1]]}
        steps.append({"id": "rule", "kind": "condition", "rule": rule, "then": [{"id": "end", "kind": "stop"}]})
        tags = self.keep("workflow tag", [one for one in packs(64) if "," not in one])
        document = {"filters": {"tags": tags}, "category": STRINGS[3], "steps": steps}
        [described] = self.keep("description of a workflow", [" ".join(STRINGS)[:1000]])
        [event_type] = self.keep("workflow type", [STRINGS[2]])
        for name in self.keep("workflow", packs(100, printable())):
            body = {"name": name, "event_type": event_type, "document": document, "description": described}
            made = await self.must("POST", f"{self.base}/workflows", body)
            self.ids.setdefault("workflow", made["id"])
        path = f"{self.base}/workflows/{self.ids['workflow']}"
        await self.must("PATCH", path, {"document": {**document, "steps": steps[1:]}})

    async def plan_ahead(self) -> None:
        """Schedules, and an event that waits for its time."""
        [event_type] = self.keep("planned type", [" ".join(STRINGS)[:255]])
        event = {
            "event_type": event_type,
            "audience": [{"group": STRINGS[1]}],
            "variables": {"evil": " ".join(STRINGS), "word": LONG_WORD},
        }
        for name in self.keep("schedule", packs(100, printable())):
            body = {"name": name, "cron": "0 9 * * *", "event": event}
            made = await self.must("POST", f"{self.base}/schedules", body)
            self.ids.setdefault("schedule", made["id"])
        sent = await self.must("POST", f"{self.base}/events", {**event, "due_at": "2999-01-01T09:00:00Z"})
        self.ids["trigger"] = sent["event_id"]

    async def send(self) -> None:
        """Events with everything hostile, on all channels; a test event whose receiver answers hostile text."""
        everything = " ".join(STRINGS)
        self.keep("variables", (*STRINGS, LONG_WORD))
        types = self.texts["template type"]
        for number, pack in enumerate(self.texts["recipient"]):
            event = {
                "eventType": types[number % len(types)],
                "eventId": pack,
                "payload": {"userId": pack, "recipientEmail": "ada@example.com", everything: everything},
                "variables": {"evil": everything, "word": LONG_WORD, everything: everything},
            }
            key = ascii_only()[number % len(ascii_only())].replace(" ", "/")
            event_id = await self.tenant.accept(event, headers={"X-Idempotency-Key": key})
            self.ids.setdefault("event", event_id)
        base = f"{self.base}/endpoints/{self.ids['endpoint']}"
        sent = await self.must("POST", f"{base}/test", {"payload": {"evil": everything}})
        self.ids["webhook"] = sent["event_id"]
        answer = await self.tenant.trigger({"eventType": "", everything: everything})
        assert answer.status == 422, answer.body
        await self._send_to_demo()

    async def _send_to_demo(self) -> None:
        """Messages for the demo page and the outbox, none so long that a list shows its beginning only."""
        for pack in self.keep("demo", packs(100)):
            event = {
                "eventType": "global.info",
                "channels": ["PUSH", "EMAIL", "SMS"],
                "payload": {"userId": self.client.user_id, **_DEMO_ADDRESSES},
                "variables": {"title": pack, "message": pack},
            }
            self.ids["demo"] = await self.client.tenant.accept(event)

    async def finish(self) -> None:
        """Wait until all of it has ended."""

        async def has_ended() -> bool:
            found = [await self.client.operator.finished(self.ids[one]) for one in ("event", "webhook", "demo")]
            return all([*found, await self.client.operator.event(self.ids["trigger"])])

        async def is_refused() -> bool:
            await self.tenant.trigger({"eventType": "t0"}, headers={"x-api-key": self.ids["key"]})
            found = await self.must("GET", f"/refused-requests?tenant_id={self.tenant.id}")
            return "key_revoked" in {one["reason"] for one in found["data"]}

        await eventually(has_ended, _SETTLED_S, every=0.2)
        await eventually(is_refused, _SETTLED_S, every=0.5)


@asynccontextmanager
async def hostile_world(client: Client, running: Running) -> AsyncIterator[HostileWorld]:
    """Store everything; the mail server and the receiver run for as long as the context lasts."""

    async def refuse(_server: SMTP) -> str:
        return "451 4.7.0 " + " ".join(ascii_only()[:3])

    async with AsyncExitStack() as stack:
        boss = await stack.enter_async_context(owner(running))
        port = await stack.enter_async_context(serving(Catcher(data=refuse)))
        receiver = await stack.enter_async_context(receiving())
        receiver.answer = (500, " ".join(STRINGS).encode())
        world = HostileWorld(client, boss)
        browser = await stack.enter_async_context(visitor(running))
        [agent] = world.keep("user agent", [" ".join(ascii_only()[:3])])
        signing_in = {"email": OWNER, "password": PASSWORD}
        status, _ = await browser.call("POST", "/session", signing_in, headers={"User-Agent": agent})
        assert status == 200
        world.keep("answer of a mail server", ascii_only()[:3])
        world.keep("answer of a receiver", STRINGS)
        world.keep("text", [" ".join(STRINGS[:8])])
        await world.store_tenants()
        await world.store_people()
        await world.store_templates()
        await world.store_providers(port)
        await world.store_endpoints(receiver)
        await world.store_workflows()
        await world.plan_ahead()
        await world.send()
        await world.finish()
        yield world
