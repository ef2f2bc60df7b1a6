"""Retention, erasure and export of what the ledger stores of deliveries to endpoints, on real PostgreSQL."""

from typing import Any

import pytest
from nats.aio.client import Client

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import privacy_pb2
from runtime.ids import new_id
from services.ingest.ledger.reader import LedgerReader
from services.ingest.privacy.retention import RetentionWorker
from services.ingest.privacy.servicer import PrivacyServicer
from services.ingest.privacy.store import LedgerPrivacyStore
from tests.integration.ingest import builders, webhooks
from tests.integration.ingest.builders import DEAD, QUEUED, SENT
from tests.integration.ingest.ledger import Ledger
from tests.integration.outboxes import PatientOutbox
from tests.keyed import KEYED

A = new_id()


class Privacy:
    """Retention and privacy of the ledger, as ingest wires them."""

    def __init__(self, ledger: Ledger, connection: Client) -> None:
        self.ledger = ledger
        outbox = PatientOutbox(ledger.pool, "ingest", connection)
        self.keeper = RetentionWorker(ledger.pool, outbox, events_days=90, payload_days=30)
        self.servicer = PrivacyServicer(LedgerPrivacyStore(ledger.pool, outbox, LedgerReader(ledger.pool), KEYED))

    async def call(self, method: str, **fields: Any) -> Any:
        """Call "BeginErasure" or its like."""
        request = getattr(privacy_pb2, f"{method}Request")(tenant_id=self.ledger.tenant, **fields)
        return await getattr(self.servicer, method)(request, None)

    async def erase(self, user_id: str) -> None:
        """Erase as the gateway does, the ledger's part only."""
        erasure_id = (await self.call("BeginErasure", user_id=user_id)).erasure_id
        while ids := (await self.call("ListErasureEvents", erasure_id=erasure_id, user_id=user_id)).event_ids:
            await self.call("EraseEvents", erasure_id=erasure_id, user_id=user_id, event_ids=ids)

    async def answers(self) -> int:
        """How many answers of endpoints are stored."""
        return int(
            await self.ledger.pool.fetchval("SELECT count(*) FROM ingest.attempts WHERE http_answer IS NOT NULL")
        )

    async def payloads(self) -> int:
        """How many bodies of events are stored."""
        return int(await self.ledger.pool.fetchval("SELECT count(*) FROM ingest.event_payloads"))


@pytest.fixture
def privacy(ledger: Ledger, connection: Client) -> Privacy:
    """Retention and privacy of one tenant's ledger."""
    return Privacy(ledger, connection)


async def test_answers_go_with_the_payload(ledger: Ledger, privacy: Privacy) -> None:
    """After 30 days; status and URL stay until the event goes, after 90."""
    event = webhooks.event(ledger.tenant, A)
    builders.age(event, 31)
    await ledger.write(event, webhooks.plan(event), webhooks.attempted(event, A, SENT, http=webhooks.answer()))
    young = webhooks.event(ledger.tenant, A)
    builders.age(young, 29)
    await ledger.write(young, webhooks.plan(young), webhooks.attempted(young, A, SENT, http=webhooks.answer()))
    assert await privacy.answers() == 2
    await privacy.keeper.expire()
    assert (await privacy.answers(), await privacy.payloads()) == (1, 1)
    [attempt] = (
        await ledger.call("ListAttempts", tenant_id=ledger.tenant, delivery_id=webhooks.delivery(event, A))
    ).attempts
    assert attempt.http == trace_pb2.HttpExchange(url="https://a.example/hook", status=200)
    answer = await ledger.call("GetDelivery", delivery_id=webhooks.delivery(event, A))
    assert not answer.delivery.has_content


async def test_what_is_parked_keeps_its_payload(ledger: Ledger, privacy: Privacy) -> None:
    """However old it is, until it is sent: then it goes with the next run. So does one that is sent again."""
    event = webhooks.event(ledger.tenant, A)
    builders.age(event, 100)
    call = webhooks.answer(500)
    await ledger.write(event, webhooks.plan(event), webhooks.attempted(event, A, builders.RETRYING, 1, http=call))
    await ledger.write(webhooks.parked(event, A, attempt=2))
    await privacy.keeper.expire()
    assert (await privacy.payloads(), await privacy.answers()) == (1, 1)
    await ledger.write(webhooks.attempted(event, A, DEAD, 2))
    await ledger.call("RetryDelivery", tenant_id=ledger.tenant, delivery_id=webhooks.delivery(event, A))
    await privacy.keeper.expire()
    assert (await privacy.payloads(), await privacy.answers()) == (1, 1)
    await ledger.write(webhooks.attempted(event, A, SENT, 1, replay=1))
    await privacy.keeper.expire()
    assert (await privacy.payloads(), await privacy.answers()) == (0, 0)
    assert await ledger.pool.fetchval("SELECT count(*) FROM ingest.deliveries") == 0


async def test_an_erasure_leaves_deliveries_to_endpoints(ledger: Ledger, privacy: Privacy) -> None:
    """Of an event of the person alone the body, the labels and the answers go; the endpoint's delivery stays."""
    event = builders.event(ledger.tenant, user_id="ada", id_scheme=1, metadata={"name": "Ada"})
    plan = builders.routed(event, {builders.delivery_id(event): QUEUED})
    plan.routed.deliveries.append(webhooks.planned(event, A))
    await ledger.write(
        event,
        plan,
        builders.attempted(event, builders.delivery_id(event), SENT),
        webhooks.attempted(event, A, SENT, http=webhooks.answer(body=b"hello Ada")),
    )
    alone = webhooks.event(ledger.tenant, A, metadata={"source": "shop"})
    await ledger.write(
        alone, webhooks.plan(alone), webhooks.attempted(alone, A, SENT, http=webhooks.answer(body=b"ok"))
    )
    await privacy.erase("ada")
    page = await ledger.call("ListEndpointDeliveries", tenant_id=ledger.tenant, endpoint_id=A)
    assert [(one.event_id, dict(one.metadata), one.has_content) for one in page.deliveries] == [
        (alone.id, {"source": "shop"}, True),
        (event.id, {}, False),
    ]
    bodies = {
        one.event_id: (await ledger.call("ListAttempts", tenant_id=ledger.tenant, delivery_id=one.id)).attempts[0].http
        for one in page.deliveries
    }
    assert (bodies[alone.id].body, bodies[event.id].body) == (b"ok", b"")
    assert bodies[event.id].status == 200
    found = await ledger.call("ListEndpointDeliveries", tenant_id=ledger.tenant, metadata={"name": "Ada"})
    assert not found.deliveries


async def test_an_event_that_is_read_after_the_erasure_has_no_labels(ledger: Ledger, privacy: Privacy) -> None:
    """As its own id, they may name the person."""
    event = builders.event(ledger.tenant, user_id="ada", metadata={"name": "Ada"})
    await ledger.write(event)
    await privacy.erase("ada")
    await ledger.write(event)
    assert await ledger.pool.fetchval("SELECT metadata::text FROM ingest.events") == "{}"


async def test_an_export_has_the_deliveries_to_endpoints(ledger: Ledger, privacy: Privacy) -> None:
    """Of an event of the person alone: with what the endpoint answered."""
    event = builders.event(ledger.tenant, user_id="ada", id_scheme=1)
    plan = builders.routed(event, {builders.delivery_id(event): QUEUED})
    plan.routed.deliveries.append(webhooks.planned(event, A))
    call = webhooks.answer(body=b"hello Ada")
    await ledger.write(event, plan, webhooks.attempted(event, A, DEAD, http=call))
    [exported] = (await privacy.call("ExportEvents", user_id="ada")).events
    assert {one.endpoint_id for one in exported.event.deliveries} == {"", A}
    assert [step.http for step in exported.steps if step.step == "dead"] == [call]
    assert [letter.endpoint_id for letter in exported.dead_letters] == [A]
    shared = builders.shared_event(ledger.tenant, builders.person("bob"), builders.person("eve"))
    plans = [builders.planned(shared, "bob"), builders.planned(shared, "eve"), webhooks.planned(shared, A)]
    await ledger.write(shared, builders.plan(shared, plans), webhooks.attempted(shared, A, SENT, http=call))
    [exported] = (await privacy.call("ExportEvents", user_id="bob")).events
    assert [one.recipient.user_id for one in exported.event.deliveries] == ["bob"]
