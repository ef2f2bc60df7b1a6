"""Both pages on the same event twice."""

import asyncio

import nats

from checks.client import Answer, Client
from services.domain import topology
from stack.client import Running
from tests.conformance.orqestra.conftest import END_S, PHONE, Shop, event, later, well
from tests.waiting import eventually


async def sent_of(shop: Shop, answers: list[Answer]) -> list[str]:
    """Return the ids of all events of a tenant, once those of the answers are at their end."""
    for answer in answers:
        await shop.messages(answer)
    found = await shop.operator.must("GET", f"/events?tenant_id={shop.tenant.id}")
    return [item["id"] for item in found["data"]]


async def test_same_event(shop: Shop) -> None:
    """The same answer, and no duplicate delivery."""
    await shop.template("order.confirmed", "SMS")
    body = event()
    answers = [await shop.tenant.trigger(body) for _ in range(3)]
    assert len({(answer.status, str(answer.body), answer.event_id) for answer in answers}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true", "true"]
    assert await sent_of(shop, answers) == [answers[0].event_id]


async def test_same_key_with_another_body(shop: Shop) -> None:
    """On purpose no error: the first answer to the letter, and only the first event is sent."""
    await shop.template("order.confirmed", "SMS")
    body = event()
    key = {"X-Idempotency-Key": "order-1"}
    answers = [await shop.tenant.trigger(sent, headers=key) for sent in (body, {**body, "eventType": "order.shipped"})]
    assert len({(answer.status, str(answer.body), answer.event_id) for answer in answers}) == 1
    assert await sent_of(shop, answers) == [answers[0].event_id]


async def test_retries_at_once(shop: Shop) -> None:
    """Fifty at the same time, as an impatient backend sends them: processed once."""
    body = event()
    answers = await asyncio.gather(*[shop.tenant.trigger(body) for _ in range(50)])
    assert {answer.status for answer in answers} == {200}
    assert await sent_of(shop, [answers[0]]) == [answers[0].event_id]


async def test_composite_key(shop: Shop) -> None:
    """Another tenant, event type or payload is another event."""
    other = await shop.operator.create_tenant("Another shop")
    body = event()
    answers = [
        await shop.tenant.trigger(body),
        await other.trigger(body),
        await shop.tenant.trigger({**body, "eventType": "order.shipped"}),
        await shop.tenant.trigger({**body, "payload": {**body["payload"], "recipientPhone": "+254712345679"}}),
    ]
    assert len({answer.event_id for answer in answers}) == len(answers)


async def test_composite_key_departure(shop: Shop) -> None:
    """On purpose: variables count too, else a user's second order would be lost."""
    body = event()
    second = {**body, "variables": {**body["variables"], "orderNumber": "ORD-2026-1235"}}
    answers = [await shop.tenant.trigger(body), await shop.tenant.trigger(second)]
    assert answers[0].event_id != answers[1].event_id


async def test_composite_key_to_the_letter(shop: Shop) -> None:
    """For those who rely on it, a tenant's setting makes it tenantId + eventType + payload, as it is written."""
    await shop.change(content_key="seed")

    async def is_so() -> bool:
        body = event()
        second = {**body, "variables": {"orderNumber": "ORD-2026-1235"}}
        third = {**body, "payload": {**body["payload"], "userId": "someone else"}}
        answers = [await shop.tenant.trigger(sent) for sent in (body, second, third)]
        return answers[0].event_id == answers[1].event_id != answers[2].event_id

    await eventually(is_so, END_S)


async def test_override(shop: Shop) -> None:
    """A unique key sends again what would be a duplicate: an intentional reminder."""
    await shop.template("order.confirmed", "SMS")
    body = event()
    answers = [
        await shop.tenant.trigger(body, headers={"X-Idempotency-Key": key} if key else {})
        for key in ("", "reminder-2026-04-22-user-001", "reminder-2026-04-23-user-001")
    ]
    assert len({answer.event_id for answer in answers}) == 3
    assert len([await shop.messages(answer) for answer in answers]) == 3


async def test_key_is_the_tenants_own(shop: Shop) -> None:
    """Two tenants with the same key never meet."""
    other = await shop.operator.create_tenant("Another shop")
    key = {"X-Idempotency-Key": "reminder-2026-04-22-user-001"}
    body = event(payload={"userId": "u", "recipientPhone": PHONE})
    answers = [await tenant.trigger(body, headers=key) for tenant in (shop.tenant, other)]
    assert answers[0].event_id != answers[1].event_id


async def test_expire_after_24_hours(orqestra_stack: Running, client: Client, shop: Shop) -> None:
    """A minute before that, the same; a minute after it, another event, by either kind of key."""
    await shop.template("order.confirmed", "SMS")
    body = event()
    kinds: tuple[dict[str, str], ...] = ({}, {"X-Idempotency-Key": "daily-report"})
    first = [await shop.tenant.trigger(body, headers=headers) for headers in kinds]
    async with later(orqestra_stack, "23:59:00"):
        before = [await shop.tenant.trigger(body, headers=headers) for headers in kinds]
    assert [(answer.status, answer.event_id) for answer in before] == [(200, answer.event_id) for answer in first]
    sent = [await shop.messages(answer) for answer in first]
    await forget(orqestra_stack, client)
    async with later(orqestra_stack, "24:01:00"):
        after = [await shop.tenant.trigger(body, headers=headers) for headers in kinds]
    assert [(answer.status, answer.body) for answer in after] == [(200, answer.body) for answer in first]
    sent += [await shop.messages(answer) for answer in after]
    assert len({answer.event_id for answer in first + after}) == len(sent) == 4


async def forget(running: Running, client: Client) -> None:
    """Make the broker forget what it remembers for ten minutes: an empty one that starts knows no ids."""
    connection = await nats.connect(running.variables["CLARION_NATS_URL"])
    await connection.jetstream().purge_stream(topology.EVENTS)
    await connection.close()
    await running.wait_restarted("nats", running.kill("nats"), deadline=30)
    await well(client)
