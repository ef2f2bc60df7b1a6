"""Alerts on a whole stack: what operators and tenants get by a real mail server and a real receiver, and how often."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session

from checks.client import Client, Tenant
from runtime import grpc, postgres
from services.senders.alerts.neighbours import IngestTroubles
from services.senders.alerts.store import OutageStore
from services.senders.alerts.troubles import Patrol
from services.senders.alerts.watch import ProviderWatch
from stack.client import Running
from tests.e2e.webhook_receiver import Receiver, receiving
from tests.integration.senders.mail_servers import Catcher, serving
from tests.waiting import eventually

LATER = "451 4.3.0 Try again later"
TYPES = ("endpoint_down", "endpoint_recovered", "dead_letters_piling_up", "dead_letters_settled")
QUOTA_TYPES = ("quota_nearly_used_up", "quota_used_up", "quota_free", "provider_down", "provider_recovered")
END_S = 60.0


class Holding(Catcher):
    """A mail server that takes a message only when the gate is open."""

    def __init__(self, gate: asyncio.Event) -> None:
        super().__init__()
        self._gate = gate

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Answer the content."""
        await self._gate.wait()
        return await super().handle_DATA(server, session, envelope)


@dataclass
class Operators:
    """The alert tenant, its mail server, and its receiver."""

    tenant: Tenant
    mail: Catcher
    receiver: Receiver
    secret: str

    def mails(self, name: str, recipient: str = "ops@example.com") -> list[str]:
        """Return the subjects of the mails to a recipient about a tenant, as they came."""
        return [subject for subject in _subjects(self.mail, recipient) if name in subject]

    def events(self, name: str) -> list[str]:
        """Return the types of the webhooks about a tenant, as they came. Raises where a signature is wrong."""
        about = [one for one in self.receiver.verified(self.secret) if one["tenant_name"] == name]
        return [one["type"].removeprefix("clarion.") for one in about]


def _subjects(catcher: Catcher, recipient: str) -> list[str]:
    found = []
    for envelope in catcher.envelopes:
        if envelope.rcpt_tos == [recipient]:
            assert isinstance(envelope.content, bytes)
            found.append(str(email.message_from_bytes(envelope.content, policy=email.policy.default)["Subject"]))
    return found


def _smtp(port: int) -> dict[str, tuple[str, dict[str, Any]]]:
    return {"EMAIL": ("smtp", {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "us@tenant.example"})}


@asynccontextmanager
async def _operators(client: Client, mail: Catcher, kinds: list[str]) -> AsyncIterator[Operators]:
    """Let alerts of these kinds go to a tenant with that mail server; afterwards there are none."""
    async with serving(mail) as port, receiving() as receiver:
        tenant = await client.operator.create_tenant("Operators", providers=_smtp(port))
        endpoint = await _subscribed(client, tenant, [f"clarion.{one}" for one in (*TYPES, *QUOTA_TYPES)], receiver.url)
        settings = {"tenant_id": tenant.id, "recipients": ["ops@example.com"], "kinds": kinds}
        await client.operator.must("PUT", "/alerts", json=settings)
        try:
            yield Operators(tenant, mail, receiver, endpoint["secret"])
        finally:
            await client.operator.must("PUT", "/alerts", json={"tenant_id": None})


async def _subscribed(client: Client, tenant: Tenant, types: list[str], url: str) -> dict[str, Any]:
    base = f"/tenants/{tenant.id}"
    for name in types:
        await client.operator.must("POST", f"{base}/event-types", json={"name": name})
    made: dict[str, Any] = await client.operator.must("POST", f"{base}/endpoints", json={"url": url})
    await client.operator.must("POST", f"{base}/endpoints/{made['id']}/subscriptions", json={"event_types": types})
    return made


async def _arrives(found: Callable[[], list[str]], expected: list[str]) -> None:
    """Wait until as many have arrived as expected, and compare."""
    await eventually(lambda: len(found()) >= len(expected), END_S)
    assert found() == expected


@dataclass
class Senders:
    """What a further process of the senders has: the tables, and one that looks for tenants in trouble."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    patrol: Patrol


@pytest_asyncio.fixture(loop_scope="session")
async def senders(shared_stack: Running) -> AsyncIterator[Senders]:
    """Look by ourselves, as each process of the senders does every minute."""
    variables = shared_stack.variables
    async with AsyncExitStack() as stack:
        pool = await postgres.connect(variables["CLARION_POSTGRES_URL"], name="test", size=2)
        stack.push_async_callback(pool.close)
        ingest = await stack.enter_async_context(grpc.channel(variables["CLARION_INGEST_ADDRESS"]))
        store = OutageStore(pool)
        caller = grpc.Caller(variables["CLARION_SERVICE_TOKEN"])
        yield Senders(pool, Patrol(store, IngestTroubles(ingest, caller), ProviderWatch(store)))


async def test_an_endpoint_fails_until_it_is_disabled(client: Client) -> None:
    """The operator and the tenant's own people get one mail and one webhook of each step, however many messages fail.

    Another tenant, with settings of its own, gets none of it.
    """
    async with AsyncExitStack() as stack:
        operators = await stack.enter_async_context(_operators(client, Catcher(), ["endpoint"]))
        failing = await stack.enter_async_context(receiving())
        mail = Catcher()
        port = await stack.enter_async_context(serving(mail))
        tenant, other = [
            await client.operator.create_tenant(name, providers=_smtp(port)) for name in ("Walnut Lamps", "Others")
        ]
        for one, recipient in ((tenant, "walnut@example.com"), (other, "others@example.com")):
            own = {"recipients": [recipient], "endpoints": True}
            assert await client.operator.must("PUT", f"/tenants/{one.id}/alerts", json=own) == {**own, "kinds": []}
        listening = await stack.enter_async_context(receiving())
        foreign = await stack.enter_async_context(receiving())
        types = ["clarion.endpoint_down", "clarion.endpoint_recovered"]
        known = await _subscribed(client, tenant, types, listening.url)
        await _subscribed(client, other, types, foreign.url)
        endpoint = await _subscribed(client, tenant, ["order.shipped"], failing.url)
        base, title = f"/tenants/{tenant.id}", f"{endpoint['id']} of Walnut Lamps"

        async def ship(count: int) -> None:
            body = {"event_type": "order.shipped", "endpoints": {"subscribers": True}}
            for number in range(count):
                await client.operator.must("POST", f"{base}/events", json={**body, "variables": {"n": number}})

        async def all_got(events: list[str], subjects: list[str]) -> None:
            await _arrives(lambda: operators.events("Walnut Lamps"), events)
            await _arrives(lambda: operators.mails("Walnut Lamps"), subjects)
            await _arrives(lambda: _subjects(mail, "walnut@example.com"), subjects)
            await _arrives(
                lambda: [one["type"].removeprefix("clarion.") for one in listening.verified(known["secret"])], events
            )

        failing.answer = (500, b"broken")
        await ship(12)
        await all_got(["endpoint_down"], [f"Endpoint down: {title}"])
        failing.answer = (410, b"")
        await client.operator.must("POST", f"{base}/endpoints/{endpoint['id']}/probe", json={})
        events, subjects = ["endpoint_down"], [f"Endpoint down: {title}"]
        # The type says that it is down, the reason why: somebody must enable it.
        await all_got([*events, "endpoint_down"], [*subjects, f"Endpoint disabled: {title}"])
        failing.answer = (204, b"")
        await client.operator.must("PATCH", f"{base}/endpoints/{endpoint['id']}", json={"active": True})
        await ship(1)
        await all_got(
            [*events, "endpoint_down", "endpoint_recovered"],
            [*subjects, f"Endpoint disabled: {title}", f"Endpoint works again: {title}"],
        )
        assert foreign.arrived == []
        assert _subjects(mail, "others@example.com") == []
        reasons = [one["reason"] for one in listening.verified(known["secret"])]
        assert reasons == ["endpoint_down", "endpoint_disabled", "endpoint_disabled"]


async def test_deliveries_die(client: Client, senders: Senders) -> None:
    """A hundred of one tenant within an hour are one alert; when they are replayed, it is over."""
    async with AsyncExitStack() as stack:
        operators = await stack.enter_async_context(_operators(client, Catcher(), ["dead_letters"]))
        mail = Catcher(rcpt=LATER)
        port = await stack.enter_async_context(serving(mail))
        tenant = await client.operator.create_tenant("Dying", providers=_smtp(port))
        people = [{"recipient": {"user_id": f"u{n}", "email": f"u{n}@example.com"}} for n in range(100)]
        event = {
            "event_type": "global.info",
            "channels": ["EMAIL"],
            "audience": people,
            "variables": {"title": "Hello", "message": "World"},
        }
        await client.operator.must("POST", f"/tenants/{tenant.id}/events", json=event)

        async def dead(count: int) -> bool:
            found = await client.operator.must("GET", f"/dead-letters/count?tenant_id={tenant.id}")
            return bool(found["count"] == count)

        await eventually(lambda: dead(100), END_S, every=0.5)
        for _ in range(2):
            await senders.patrol.look()
        await _arrives(lambda: operators.events("Dying"), ["dead_letters_piling_up"])
        await _arrives(lambda: operators.mails("Dying"), ["Deliveries of Dying die"])
        mail.rcpt = ""
        replay = {"tenant_id": tenant.id, "per_second": 500}
        await client.operator.must("POST", "/dead-letters/replay", json=replay)
        await eventually(lambda: dead(0), END_S, every=0.5)
        await senders.patrol.look()
        await _arrives(lambda: operators.events("Dying"), ["dead_letters_piling_up", "dead_letters_settled"])
        await _arrives(lambda: operators.mails("Dying"), ["Deliveries of Dying die", "No more deliveries of Dying die"])


async def test_a_quota_is_used_up(client: Client, senders: Senders) -> None:
    """The operator is told when nine tenths are used, when all of it is, and when there is room again."""
    gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        operators = await stack.enter_async_context(_operators(client, Catcher(), ["quota"]))
        port = await stack.enter_async_context(serving(Holding(gate)))
        stack.callback(gate.set)
        tenant = await client.operator.create_tenant("Busy", providers=_smtp(port))
        await client.operator.must("PATCH", f"/tenants/{tenant.id}", json={"max_unfinished_events": 10})
        told: list[str] = []
        subjects: list[str] = []
        for numbers, word, subject in (
            (range(9), "quota_nearly_used_up", "The quota of Busy is nearly used up"),
            (range(9, 10), "quota_used_up", "The quota of Busy is used up"),
        ):
            for number in numbers:
                await tenant.accept(_info(number))
            await senders.patrol.look()
            await senders.patrol.look()
            told, subjects = [*told, word], [*subjects, subject]
            await _arrives(lambda: operators.events("Busy"), told)
            await _arrives(lambda: operators.mails("Busy"), subjects)
        assert (await tenant.trigger(_info(99))).status == 429
        gate.set()

        async def has_room() -> bool:
            usage = await client.operator.must("GET", f"/tenants/{tenant.id}/usage")
            return any(one["name"] == "unfinished_events" and one["used"] == 0 for one in usage["limits"])

        await eventually(has_room, END_S)
        await senders.patrol.look()
        await _arrives(lambda: operators.events("Busy"), [*told, "quota_free"])
        await _arrives(lambda: operators.mails("Busy"), [*subjects, "The quota of Busy has room again"])


async def test_an_alert_that_is_not_accepted_is_tried_again(client: Client, senders: Senders) -> None:
    """The alert tenant may have no further event at first. The alert waits, and arrives once."""
    gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        operators = await stack.enter_async_context(_operators(client, Holding(gate), ["endpoint"]))
        stack.callback(gate.set)
        path = f"/tenants/{operators.tenant.id}"
        await operators.tenant.accept(_info(1))  # its mail is held
        await client.operator.must("PATCH", path, json={"max_unfinished_events": 1})
        failing = await stack.enter_async_context(receiving())
        failing.answer = (410, b"")
        tenant = await client.operator.create_tenant("Waiting")
        endpoint = await _subscribed(client, tenant, ["order.shipped"], failing.url)
        body = {"event_type": "order.shipped", "endpoints": {"subscribers": True}, "variables": {}}
        await client.operator.must("POST", f"/tenants/{tenant.id}/events", json=body)

        async def was_tried() -> bool:
            query = "SELECT attempts FROM senders.outages WHERE object_id = $1"
            return bool(await senders.pool.fetchval(query, endpoint["id"]))

        await eventually(was_tried, END_S)
        assert operators.events("Waiting") == []
        gate.set()
        await client.operator.must("PATCH", path, json={"max_unfinished_events": 1000})
        await _arrives(lambda: operators.mails("Waiting"), [f"Endpoint disabled: {endpoint['id']} of Waiting"])
        await _arrives(lambda: operators.events("Waiting"), ["endpoint_down"])


def _info(number: int) -> dict[str, Any]:
    return {
        "eventType": "global.info",
        "channels": ["EMAIL"],
        "payload": {"userId": "u1", "recipientEmail": "ada@example.com"},
        "variables": {"title": f"Number {number}", "message": "Hello."},
    }
