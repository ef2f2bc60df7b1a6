"""The state that is recorded: made with the previous version, and stopped in the middle of things.

Nothing here waits for a time to pass: what is to be under way is held by a service that does not run, by a mail server
that does not, or by a lock on a table of the ledger.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
from nats.aio.client import Client as NatsClient

from checks.client import Operator, Tenant
from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import nats
from services.domain import topology
from tests.e2e import provider_apis
from tests.e2e.conftest import PROVIDER_PORT
from tests.integration.upgrade.calls import ALL, EMAIL, LARGE, MAIL_AND_PUSH, PHONE, SUPPRESSED, call, trigger
from tests.integration.upgrade.installation import Installation, Version
from tests.integration.upgrade.recording import (
    Manifest,
    RecordedEvent,
    RecordedReport,
    RecordedTenant,
    RecordedToken,
    State,
)
from tests.integration.upgrade.tenants import Configured, create_tenants
from tests.streams import count
from tests.waiting import eventually

# How many events the replay takes; a page of it has 50.
_REPLAYED, _PAGE = 60, 50
# Two attempts one after the other, and later one that waits until long after the recording.
_API = f"http://127.0.0.1:{PROVIDER_PORT}"
_QUICK = {"CLARION_RETRY_DELAYS_S": "0.2", "CLARION_PROVIDER_URLS": f"resend={_API},africastalking={_API}"}
_SLOW = {"CLARION_RETRY_DELAYS_S": "120,120,120"}


@dataclass
class Scenario:
    """Makes the state, in the order of its methods."""

    running: Installation
    previous: Version
    made: Configured = field(default_factory=Configured)
    events: list[RecordedEvent] = field(default_factory=list)

    @property
    def operator(self) -> Operator:
        """The operator."""
        return self.running.operator()

    async def record(self) -> Manifest:
        """Make the state; return what is known of it. The servers still run, and no service does."""
        await self._start()
        broker = await nats.connect(self.running.nats_url, name="record")
        try:
            self.made = await create_tenants(self.operator)
            report = await self._reported()
            await self._finished()
            tokens = await self._tokens()
            revoked_key = await self._rotate_key()
            await self._retrying()
            await self._erased()
            await self.running.stop("senders", "realtime")
            await self._planned()
            replay = await self._replay()
            shown = {name: await self._shown(tenant) for name, tenant in self.made.tenants.items()}
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
                    self.made.secrets.get(name, ""),
                    revoked_key if name == "shop" else "",
                )
                for name, tenant in self.made.tenants.items()
            },
            events=self.events,
            tokens=tokens,
            mail_provider=self.made.mail_provider,
            read="f-order",
            report=report,
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

    async def _reported(self) -> RecordedReport:
        """Messages at providers that report later what became of them, and a mail from which one can unsubscribe."""
        reported = self.made.tenants["reported"]
        providers = (await self.operator.must("GET", f"/providers?tenant_id={reported.id}"))["data"]
        (provider,) = (one["id"] for one in providers if one["channel"] == "SMS")
        url = (await self.operator.must("GET", f"/providers/{provider}/callback"))["url"]
        async with provider_apis.serving() as apis:
            ends = {"EMAIL": "sent"}
            await self._send("reported", "finished", call("letter", "f-reported", "reported"), ends, messages=0)
            await eventually(lambda: self.operator.finished(self.events[-1].id))
        ((_, _, mail),) = (one for one in apis.taken if one[0] == "resend")
        link = mail["headers"]["List-Unsubscribe"].strip("<>")
        (message_id,) = apis.ids("africastalking")
        return RecordedReport(urlsplit(url).path, message_id, urlsplit(link).path)

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
        shop = self.made.tenants["shop"]
        other = msgspec.json.encode(call("order.placed", "f-order", "reader", items=[], changed=True))
        assert (await trigger(shop, other, key="k-1")).event_id == self._id("f-order")
        await eventually(self._is_noted)
        (entry,) = [one for one in await shop.whole_inbox("reader") if "#f-order#" in one["title"]]
        assert (await shop.mark_read("reader", entry["id"])).status == 200

    async def _is_noted(self) -> bool:
        """Return whether the first event's timeline has the call that used its key for something else."""
        event = await self.operator.event(self._id("f-order")) or {"timeline": []}
        return any(step["step"] == "repeated" for step in event["timeline"])

    async def _tokens(self) -> list[RecordedToken]:
        shop, signed = self.made.tenants["shop"], self.made.tenants["signed"]
        kept = await shop.token("reader")
        revoked = await signed.token("signer")
        await self.operator.must("POST", f"/tenants/{signed.id}/revoke-tokens", json={"user_id": "signer"})
        return [RecordedToken(kept["token"], revoked=False), RecordedToken(revoked["token"], revoked=True)]

    async def _rotate_key(self) -> str:
        """Give the shop another key; return the one that it had."""
        shop = self.made.tenants["shop"]
        made = await self.operator.must("POST", f"/tenants/{shop.id}/rotate-key")
        self.made.tenants["shop"] = Tenant(shop.http, shop.id, made["api_key"], shop.name)
        return shop.api_key

    async def _retrying(self) -> None:
        """Mail that failed once and waits in TIMERS, of one person who is erased meanwhile."""
        running = self.running
        await running.stop("senders", "realtime")
        await running.start(self.previous, "senders", "realtime", environment=_SLOW)
        await self._send("post", "retrying", call("parcel.sent", "t-small", "waiting", items=[]), MAIL_AND_PUSH)
        await self._send("post", "retrying", call("parcel.sent", "t-large", "heavy", items=LARGE), MAIL_AND_PUSH)
        leaving = call("parcel.sent", "t-erased", "leaving", items=[], channels=["EMAIL"])
        await self._send("post", "retrying", leaving, {"EMAIL": "skipped"})
        for marker in ("t-small", "t-large", "t-erased"):
            await eventually(lambda: self._stands(marker, "EMAIL", "retrying"))  # noqa: B023 - called at once
        for marker in ("t-small", "t-large"):
            await eventually(lambda: self._stands(marker, "PUSH", "sent"))  # noqa: B023 - called at once

    async def _erased(self) -> None:
        for name, user_id in (("shop", "gone"), ("post", "leaving")):
            path = f"/tenants/{self.made.tenants[name].id}/recipients/erase"

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
        await self._send("post", "planned", call("parcel.sent", "p-mail", "patient", items=[]), MAIL_AND_PUSH)
        await self._test("p-test")
        for event in self.events:
            if event.state == "planned":
                for channel in event.ends:
                    await eventually(lambda: self._stands(event.marker, channel, "queued"))  # noqa: B023 - called at once

    async def _replay(self) -> str:
        """A replay of which the first page is done, and the second is due in _PAGE seconds."""
        bulk = self.made.tenants["bulk"]
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
        await self._send("post", "unread", call("parcel.sent", "u-mail", "unread", items=[]), MAIL_AND_PUSH)

        async def is_routed() -> bool:
            return await count(jetstream, topology.DELIVERIES) == before + 5 and await _is_read(broker, "router-")

        await eventually(is_routed)
        await running.stop("router")
        await self._send("shop", "accepted", call("order.placed", "a-order", "late", items=[]), ALL, key="k-a")
        await self._send("shop", "accepted", call("order.placed", "a-large", "late", items=LARGE), ALL)
        german = call("hello", "a-german", "late", locale="de")
        await self._send("shop", "accepted", german, {"SMS": "sent"}, says="Guten Tag")
        await self._send("post", "accepted", call("parcel.sent", "a-mail", "late", items=[]), MAIL_AND_PUSH)
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
        answer = await trigger(self.made.tenants[name], raw, key=key, secret=self.made.secrets.get(name, ""))
        assert answer.status == 200, f"{body}: {answer.status} {answer.body}"
        assert "Idempotent-Replayed" not in answer.headers, f"{body} is the same as an event before"
        marker, user_id = body["variables"]["marker"], body["payload"]["userId"]
        self.events.append(
            RecordedEvent(answer.event_id, marker, name, user_id, state, ends, raw.decode(), key, says, messages)
        )

    async def _send_over_grpc(self, marker: str) -> None:
        """Send an event as an internal service does, and keep the request's bytes."""
        shop = self.made.tenants["shop"]
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
        shop = self.made.tenants["shop"]
        new = {"tenant_id": shop.id, "event_type": "draft", "channel": "SMS", "body": "#{{marker}}# a draft"}
        template = await self.operator.must("POST", "/templates", json=new)
        wanted = {"recipient": {"user_id": "tester", "phone": PHONE}, "variables": {"marker": marker}}
        made = await self.operator.must("POST", f"/templates/{template['id']}/test", json=wanted)
        state: State = "planned" if marker.startswith("p") else "accepted"
        self.events.append(
            RecordedEvent(made["event_id"], marker, "shop", "tester", state, {"SMS": "sent"}, says="draft")
        )

    def _id(self, marker: str) -> str:
        return next(event.id for event in self.events if event.marker == marker)

    async def _stands(self, marker: str, channel: str, status: str) -> bool:
        event = await self.operator.event(self._id(marker))
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
