"""The state that is recorded: made with the previous version, and stopped in the middle of things.

Nothing here waits for a time to pass: what is to be under way is held by a service that does not run, by a mail server
that does not, or by a lock on a table of the ledger.
"""

import asyncio
import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
from nats.aio.client import Client as NatsClient

from checks.client import Answer, Operator, Tenant
from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import nats
from services.domain import topology
from tests.conftest import free_port
from tests.integration.upgrade.installation import Installation, Version
from tests.integration.upgrade.recording import (
    Manifest,
    RecordedEvent,
    RecordedTenant,
    RecordedToken,
    State,
)
from tests.streams import count
from tests.waiting import eventually

EMAIL, PHONE = "ada@example.com", "+254712345678"
ALL = {"EMAIL": "sent", "SMS": "sent", "PUSH": "sent"}
# Much more than the 4 KiB that each delivery may carry itself, and small when compressed.
LARGE = [{"name": "A lamp with a long description", "price": 3000}] * 100

# Addresses that get no newsletter, and why.
SUPPRESSED = {"quiet@example.com": "manual", "left@example.com": "unsubscribed"}
_MAIL_AND_PUSH = {"EMAIL": "sent", "PUSH": "sent"}

_LAYOUT = "<mjml><mj-body>{{{content}}}<mj-section><mj-column>{{> sign}}</mj-column></mj-section></mj-body></mjml>"
_SIGN = "<mj-text>Your shop</mj-text>"
_MAIL = "<mj-section><mj-column><mj-text>Order {{marker}}</mj-text></mj-column></mj-section>"
# How many events the replay takes; a page of it has 50.
_REPLAYED, _PAGE = 60, 50
# Two attempts one after the other, and later one that waits until long after the recording.
_QUICK = {"CLARION_RETRY_DELAYS_S": "0.2"}
_SLOW = {"CLARION_RETRY_DELAYS_S": "120,120,120"}


def call(
    event_type: str,
    marker: str,
    user_id: str,
    *,
    email: str = EMAIL,
    locale: str = "",
    channels: list[str] | None = None,
    **variables: Any,
) -> dict[str, Any]:
    """Return the body of a trigger."""
    payload = {"userId": user_id, "recipientEmail": email, "recipientPhone": PHONE}
    if locale:
        payload["locale"] = locale
    body: dict[str, Any] = {"eventType": event_type, "payload": payload, "variables": {"marker": marker, **variables}}
    return body if channels is None else {**body, "channels": channels}


def signature(secret: str, raw: bytes) -> dict[str, str]:
    """Return the header that signs a body; none without a secret."""
    return {"X-Orqestra-Signature": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()} if secret else {}


async def trigger(tenant: Tenant, raw: bytes, *, key: str = "", secret: str = "") -> Answer:
    """Send a body, signed and with a key where there is one."""
    headers = {**signature(secret, raw), **({"X-Idempotency-Key": key} if key else {})}
    return await tenant.trigger(raw=raw, headers=headers)


async def suppression(operator: Operator, shop: Tenant, address: str) -> str:
    """Return why the shop's newsletter is not sent to an address; empty: it is."""
    query = f"tenant_id={shop.id}&event_type=news&user_id=u&email={address}"
    (planned,) = (await operator.must("GET", f"/route-explain?{query}"))["deliveries"]
    return str(planned["reason"] or "").removeprefix("suppressed_")


@dataclass
class Scenario:
    """Makes the state, in the order of its methods."""

    running: Installation
    previous: Version
    tenants: dict[str, Tenant] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    events: list[RecordedEvent] = field(default_factory=list)
    mail_provider: str = ""

    @property
    def operator(self) -> Operator:
        """The operator."""
        return self.running.operator()

    async def record(self) -> Manifest:
        """Make the state; return what is known of it. The servers still run, and no service does."""
        await self._start()
        broker = await nats.connect(self.running.nats_url, name="record")
        try:
            await self._configure()
            await self._finished()
            tokens = await self._tokens()
            revoked_key = await self._rotate_key()
            await self._retrying()
            await self._erased()
            await self.running.stop("senders", "realtime")
            await self._planned()
            replay = await self._replay()
            shown = {name: await self._shown(tenant) for name, tenant in self.tenants.items()}
            await self._unread_and_accepted(broker)
        finally:
            await broker.close()
        return Manifest(
            recorded_at=time.time(),
            secrets=self.running.plan.secrets,
            tenants={
                name: RecordedTenant(
                    tenant.id,
                    tenant.api_key,
                    shown[name],
                    self.secrets.get(name, ""),
                    revoked_key if name == "shop" else "",
                )
                for name, tenant in self.tenants.items()
            },
            events=self.events,
            tokens=tokens,
            mail_provider=self.mail_provider,
            read="f-order",
            redelivered=["f-order", "f-large", "f-signed"],
            dead_letter="f-dead-replayed",
            replay=replay,
            replayed=_REPLAYED,
        )

    async def _start(self) -> None:
        running = self.running
        await running.start_servers()
        await running.command(self.previous, "migrate")
        await asyncio.gather(
            running.start(self.previous, "senders", "realtime", environment=_QUICK),
            running.start(self.previous, "render", "router", "ingest", "gateway"),
        )

    async def _configure(self) -> None:
        operator = self.operator
        for name in ("shop", "signed", "bulk"):
            self.tenants[name] = await operator.create_tenant(name.title())
        nobody = {"host": "127.0.0.1", "port": free_port(), "tls": "none", "from_email": "us@tenant.example"}
        post = await operator.create_tenant("Post", providers={"EMAIL": ("smtp", nobody)})
        self.tenants["post"] = post
        providers = await operator.must("GET", f"/providers?tenant_id={post.id}")
        self.mail_provider = providers["data"][0]["id"]
        shop, signed, bulk = (self.tenants[name] for name in ("shop", "signed", "bulk"))

        for kind, name, body in (("PARTIAL", "sign", _SIGN), ("LAYOUT", "frame", _LAYOUT)):
            new = {"tenant_id": shop.id, "kind": kind, "name": name, "body": body}
            await operator.must("POST", "/template-parts", json=new)
        make = operator.create_template
        await make(shop, "order.placed", "EMAIL", _MAIL, subject="#{{marker}}# placed", layout="frame")
        await make(shop, "order.placed", "SMS", "#{{marker}}# placed, {{items.length}} items")
        await make(shop, "order.placed", "PUSH", "Placed", subject="#{{marker}}# placed", push_namespace="orders")
        for locale, word in (("en", "Hello"), ("de", "Guten Tag"), ("pt", "Bom dia")):
            await make(shop, "hello", "SMS", f"#{{{{marker}}}}# {word}", locale=locale)
        await operator.must("PUT", f"/tenants/{shop.id}/locale", json={"locale": "en"})
        await make(shop, "global.info", "SMS", "#{{title}}# of the shop's own")
        news = {"tenant_id": shop.id, "event_type": "news", "channel": "EMAIL", "activate": True, "subscribed": True}
        await operator.must("POST", "/templates", json={**news, "subject": "#{{marker}}# news", "body": "<p>News</p>"})
        for address, reason in SUPPRESSED.items():
            new = {"tenant_id": shop.id, "channel": "EMAIL", "address": address, "reason": reason}
            await operator.must("POST", "/suppressions", json=new)

        await make(post, "parcel.sent", "EMAIL", "<p>Sent {{items.length}}</p>", subject="#{{marker}}# parcel")
        await make(post, "parcel.sent", "PUSH", "Sent", subject="#{{marker}}# parcel")
        await make(bulk, "note", "SMS", "#{{marker}}#")
        await operator.must("PATCH", f"/tenants/{post.id}", json={"content_key": "seed"})
        limits = {"rate_limit_per_minute": 5000, "daily_cap": 90000, "delivery_channels": ["EMAIL", "PUSH"]}
        await operator.must("PATCH", f"/tenants/{signed.id}", json=limits)
        retention = {"events_days": 400, "payload_days": 300, "inbox_days": 200, "outbox_days": 100}
        await operator.must("PUT", f"/tenants/{signed.id}/retention", json=retention)
        made = await operator.must("POST", f"/tenants/{signed.id}/webhook-secret", json={})
        self.secrets["signed"] = made["webhook_secret"]
        await eventually(self._is_configured)

    async def _is_configured(self) -> bool:
        """Return whether the router knows the suppressions and the languages, which it asks nobody for."""
        shop, operator = self.tenants["shop"], self.operator
        if [await suppression(operator, shop, address) for address in SUPPRESSED] != list(SUPPRESSED.values()):
            return False
        query = f"tenant_id={shop.id}&event_type=hello&user_id=u&phone=%2B254712345678&locale=fr"
        (planned,) = (await operator.must("GET", f"/route-explain?{query}"))["deliveries"]
        policy = await operator.planned(self.tenants["signed"], "global.success")
        return (planned["locale"], policy["SMS"]["reason"]) == ("en", "tenant_policy")

    async def _finished(self) -> None:
        """Events of each kind that ended, two of them as dead letters."""
        await self._send("shop", "finished", call("order.placed", "f-order", "reader", items=[]), ALL, key="k-1")
        await self._send("shop", "finished", call("order.placed", "f-content", "reader", items=[]), ALL)
        await self._send("shop", "finished", call("order.placed", "f-large", "reader", items=LARGE), ALL)
        german = call("hello", "f-german", "reader", locale="de-AT")
        await self._send("shop", "finished", german, {"SMS": "sent"}, says="Guten Tag")
        for address, reason in SUPPRESSED.items():
            body = call("news", f"f-{reason}", "reader", email=address)
            await self._send("shop", "finished", body, {"EMAIL": "skipped"})
        own = call("global.info", "f-own", "reader", title="f-own", message="m", channels=["SMS"])
        await self._send("shop", "finished", own, {"SMS": "sent"}, says="of the shop's own")
        platform = call("global.success", "f-signed", "signer", title="#f-signed#", message="It is done.")
        await self._send("signed", "finished", platform, {**ALL, "SMS": "skipped"}, key="k-1")
        only_push = call("parcel.sent", "f-seed", "seeded", channels=["PUSH"])
        await self._send("post", "finished", only_push, {"PUSH": "sent"})
        for marker, end in (("f-dead-replayed", "sent"), ("f-dead", "dead")):
            body = call("parcel.sent", marker, f"user-of-{marker}", channels=["EMAIL"], items=LARGE)
            await self._send("post", "dead", body, {"EMAIL": end}, key=marker)
        gone = call("order.placed", "e-gone", "gone", items=[])
        await self._send("shop", "erased", gone, {})
        for number in range(_REPLAYED):
            body = call("note", f"r-{number}", f"bulk-{number}")
            await self._send("bulk", "finished", body, {"SMS": "sent"}, messages=2)
        await self._send_over_grpc("f-grpc")
        for event in self.events:
            await eventually(lambda: self.operator.finished(event.id))  # noqa: B023 - called at once
        shop = self.tenants["shop"]
        other = msgspec.json.encode(call("order.placed", "f-order", "reader", items=[], changed=True))
        assert (await trigger(shop, other, key="k-1")).event_id == self.events[0].id
        await eventually(self._is_noted)
        (entry,) = [one for one in await shop.whole_inbox("reader") if "#f-order#" in one["title"]]
        assert (await shop.mark_read("reader", entry["id"])).status == 200

    async def _is_noted(self) -> bool:
        """Return whether the first event's timeline has the call that used its key for something else."""
        event = await self.operator.event(self.events[0].id) or {"timeline": []}
        return any(step["step"] == "repeated" for step in event["timeline"])

    async def _tokens(self) -> list[RecordedToken]:
        shop, signed = self.tenants["shop"], self.tenants["signed"]
        kept = await shop.token("reader")
        revoked = await signed.token("signer")
        await self.operator.must("POST", f"/tenants/{signed.id}/revoke-tokens", json={"user_id": "signer"})
        return [RecordedToken(kept["token"], revoked=False), RecordedToken(revoked["token"], revoked=True)]

    async def _rotate_key(self) -> str:
        """Give the shop another key; return the one that it had."""
        shop = self.tenants["shop"]
        made = await self.operator.must("POST", f"/tenants/{shop.id}/rotate-key")
        self.tenants["shop"] = Tenant(shop.http, shop.id, made["api_key"], shop.name)
        return shop.api_key

    async def _retrying(self) -> None:
        """Mail that failed once and waits in TIMERS, of one person who is erased meanwhile."""
        running = self.running
        await running.stop("senders", "realtime")
        await running.start(self.previous, "senders", "realtime", environment=_SLOW)
        await self._send("post", "retrying", call("parcel.sent", "t-small", "waiting", items=[]), _MAIL_AND_PUSH)
        await self._send("post", "retrying", call("parcel.sent", "t-large", "heavy", items=LARGE), _MAIL_AND_PUSH)
        leaving = call("parcel.sent", "t-erased", "leaving", items=[], channels=["EMAIL"])
        await self._send("post", "retrying", leaving, {"EMAIL": "skipped"})
        for marker in ("t-small", "t-large", "t-erased"):
            await eventually(lambda: self._stands(marker, "EMAIL", "retrying"))  # noqa: B023 - called at once
        for marker in ("t-small", "t-large"):
            await eventually(lambda: self._stands(marker, "PUSH", "sent"))  # noqa: B023 - called at once

    async def _erased(self) -> None:
        for name, user_id in (("shop", "gone"), ("post", "leaving")):
            path = f"/tenants/{self.tenants[name].id}/recipients/erase"

            async def is_complete(path: str = path, user_id: str = user_id) -> bool:
                return bool((await self.operator.must("POST", path, json={"user_id": user_id}))["complete"])

            await eventually(is_complete)

    async def _planned(self) -> None:
        """Deliveries that wait in DELIVERIES, because neither senders nor realtime run."""
        await self._send("shop", "planned", call("order.placed", "p-order", "patient", items=[]), ALL, key="k-p")
        await self._send("shop", "planned", call("order.placed", "p-large", "patient", items=LARGE), ALL)
        # Erased before, and accepted after that.
        await self._send("shop", "planned", call("order.placed", "p-again", "gone", items=[]), ALL)
        portuguese = call("hello", "p-portuguese", "patient", locale="pt-BR")
        await self._send("shop", "planned", portuguese, {"SMS": "sent"}, says="Bom dia")
        await self._send("post", "planned", call("parcel.sent", "p-mail", "patient", items=[]), _MAIL_AND_PUSH)
        await self._test("p-test")
        for event in self.events:
            if event.state == "planned":
                for channel in event.ends:
                    await eventually(lambda: self._stands(event.marker, channel, "queued"))  # noqa: B023 - called at once

    async def _replay(self) -> str:
        """A replay of which the first page is done, and the second is due in _PAGE seconds."""
        bulk = self.tenants["bulk"]
        new = {"tenant_id": bulk.id, "since": "2020-01-01", "per_second": 1}
        replay = await self.operator.must("POST", "/replays", json=new)

        async def has_begun() -> bool:
            found = await self.operator.must("GET", f"/replays/{replay['id']}")
            return bool(found["state"] == "running" and found["replayed"] == _PAGE)

        await eventually(has_begun)
        return str(replay["id"])

    async def _unread_and_accepted(self, broker: NatsClient) -> None:
        """Events of which the ledger has read nothing, and then events that the router has not read either."""
        running, jetstream = self.running, broker.jetstream()
        connection = await asyncpg.connect(running.postgres_url)
        held = connection.transaction()
        await held.start()
        await connection.execute("LOCK TABLE ingest.events IN EXCLUSIVE MODE")
        before = await count(jetstream, topology.DELIVERIES)
        await self._send("shop", "unread", call("order.placed", "u-order", "unread", items=[]), ALL, key="k-u")
        await self._send("post", "unread", call("parcel.sent", "u-mail", "unread", items=[]), _MAIL_AND_PUSH)

        async def is_routed() -> bool:
            return await count(jetstream, topology.DELIVERIES) == before + 5 and await _is_read(broker, "router-")

        await eventually(is_routed)
        await running.stop("router")
        await self._send("shop", "accepted", call("order.placed", "a-order", "late", items=[]), ALL, key="k-a")
        await self._send("shop", "accepted", call("order.placed", "a-large", "late", items=LARGE), ALL)
        german = call("hello", "a-german", "late", locale="de")
        await self._send("shop", "accepted", german, {"SMS": "sent"}, says="Guten Tag")
        await self._send("post", "accepted", call("parcel.sent", "a-mail", "late", items=[]), _MAIL_AND_PUSH)
        platform = call("global.alert", "a-signed", "late", title="#a-signed#", message="It is late.")
        await self._send("signed", "accepted", platform, {**ALL, "SMS": "skipped"})
        await self._test("a-test")
        await running.stop("gateway")
        await running.kill("ingest")  # it waits for the lock
        await running.stop("render")
        await held.rollback()
        await connection.close()
        unread = (await jetstream.consumer_info(topology.TRACE, "ledger")).num_ack_pending
        assert unread, "the ledger has read all of TRACE"

    async def _send(
        self,
        name: str,
        state: State,
        body: dict[str, Any],
        ends: dict[str, str],
        *,
        key: str = "",
        says: str = "",
        messages: int = 1,
    ) -> None:
        raw = msgspec.json.encode(body)
        answer = await trigger(self.tenants[name], raw, key=key, secret=self.secrets.get(name, ""))
        assert answer.status == 200, f"{body}: {answer.status} {answer.body}"
        assert "Idempotent-Replayed" not in answer.headers, f"{body} is the same as an event before"
        marker, user_id = body["variables"]["marker"], body["payload"]["userId"]
        self.events.append(
            RecordedEvent(answer.event_id, marker, name, user_id, state, ends, raw.decode(), key, says, messages)
        )

    async def _send_over_grpc(self, marker: str) -> None:
        """Send an event as an internal service does, and keep the request's bytes."""
        shop = self.tenants["shop"]
        request = ingest_pb2.TriggerEventRequest(
            event=ingest_pb2.NewEvent(
                event_type="order.placed",
                caller_event_id="order-1",
                recipient=event_pb2.Recipient(user_id="reader", email=EMAIL, phone=PHONE),
                variables=msgspec.json.encode({"marker": marker}),
                payload_extra=b'{"locale":"de"}',
                channels=[event_pb2.CHANNEL_SMS],
                idempotency_key="k-grpc",
            )
        ).SerializeToString()
        answer = await self.running.trigger_over_grpc(shop.api_key, request)
        assert not answer.duplicate
        ends = {"SMS": "sent"}
        self.events.append(RecordedEvent(answer.event_id, marker, "shop", "reader", "finished", ends, request=request))

    async def _test(self, marker: str) -> None:
        """Try a template that is not active."""
        shop = self.tenants["shop"]
        new = {"tenant_id": shop.id, "event_type": "draft", "channel": "SMS", "body": "#{{marker}}# a draft"}
        template = await self.operator.must("POST", "/templates", json=new)
        wanted = {"recipient": {"user_id": "tester", "phone": PHONE}, "variables": {"marker": marker}}
        made = await self.operator.must("POST", f"/templates/{template['id']}/test", json=wanted)
        state: State = "planned" if marker.startswith("p") else "accepted"
        self.events.append(
            RecordedEvent(made["event_id"], marker, "shop", "tester", state, {"SMS": "sent"}, says="draft")
        )

    async def _stands(self, marker: str, channel: str, status: str) -> bool:
        (event_id,) = [event.id for event in self.events if event.marker == marker]
        event = await self.operator.event(event_id)
        return event is not None and any(
            one["channel"] == channel and one["status"] == status for one in event["deliveries"]
        )

    async def _shown(self, tenant: Tenant) -> dict[str, Any]:
        return dict(await self.operator.must("GET", f"/tenants/{tenant.id}"))


async def _is_read(broker: NatsClient, prefix: str) -> bool:
    """Return whether the consumers of EVENTS with this prefix have acknowledged everything."""
    infos = await broker.jetstream().consumers_info(topology.EVENTS)
    found = [info for info in infos if info.name.startswith(prefix)]
    return bool(found) and all(not info.num_pending and not info.num_ack_pending for info in found)
