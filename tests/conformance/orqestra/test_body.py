"""The trigger's body and its answer, of both pages."""

import json
from typing import Any

import pytest

from checks.client import Answer
from runtime.ids import is_uuid
from tests.conformance.orqestra import contract
from tests.conformance.orqestra.conftest import EMAIL, MJML, PHONE, Shop, assert_refused, event


def example(seed: str, first: str) -> Any:
    """Return the published request body that has this line second."""
    lines = contract.read_seed(seed).splitlines()
    start = lines.index(first) - 1
    assert lines[start] == "{"
    return json.loads("\n".join(lines[start : lines.index("}", start) + _closing(lines, start)]))


def _closing(lines: list[str], start: int) -> int:
    """Return how far behind the first closing brace the object's own one is, plus one."""
    end, depth = start, 0
    while True:
        depth += lines[end].count("{") - lines[end].count("}")
        end += 1
        if depth == 0:
            return end - lines.index("}", start)


async def test_example_of_sending_events(shop: Shop) -> None:
    """The body as it is printed."""
    await shop.templates("order.confirmed")
    body = example("sending-events", '"eventType": "order.confirmed",')
    answer = await shop.tenant.trigger(body)
    assert await shop.decisions(answer) == {"EMAIL": "sent", "SMS": "sent", "PUSH": "sent"}
    sent = await shop.messages(answer)
    assert sent["EMAIL"].recipient == body["payload"]["recipientEmail"]
    assert sent["SMS"].text == "Order ORD-2026-1234 for Alice: $49.99"


async def test_example_of_the_api_reference(shop: Shop) -> None:
    """The body as it is printed: by e-mail alone, under the caller's own id."""
    await shop.templates("order.confirmed")
    body = example("api-reference", '"eventType": "order.confirmed",')
    answer = await shop.tenant.trigger(body)
    assert await shop.decisions(answer) == {"EMAIL": "sent", "SMS": "not_requested", "PUSH": "not_requested"}
    assert (await shop.end(answer))["caller_event_id"] == "evt_optional_custom_id"


async def test_event_type(shop: Shop) -> None:
    """Required, a string; it must match a template's exactly to send anything."""
    await shop.template("order.confirmed", "SMS")
    assert await shop.decisions(await shop.tenant.trigger(event("order.confirmed"))) == {"SMS": "sent"}
    for other in ("Order.Confirmed", "order.confirmed ", "order", "order.*", "*"):
        assert await shop.decisions(await shop.tenant.trigger(event(other))) == {}
    refused: list[Any] = [None, "", 7, ["order.confirmed"], {}]
    for wrong in refused:
        answer = await shop.tenant.trigger(event(eventType=wrong))
        assert_refused(answer, 422, "Validation Error", "eventType")


async def test_event_id(shop: Shop) -> None:
    """Kept, and found by it."""
    answer = await shop.tenant.trigger(event(eventId="evt_optional_custom_id"))
    assert (await shop.end(answer))["caller_event_id"] == "evt_optional_custom_id"
    query = f"/events?tenant_id={shop.tenant.id}&event_id=evt_optional_custom_id"
    found = (await shop.operator.must("GET", query))["data"]
    assert [item["id"] for item in found] == [answer.event_id]


async def test_event_id_generated(shop: Shop) -> None:
    """Left out: the event has a UUID of our making, another one each time."""
    first, second = [await shop.tenant.trigger(event()) for _ in range(2)]
    assert is_uuid(first.event_id)
    assert is_uuid(second.event_id)
    assert first.event_id != second.event_id


@pytest.mark.parametrize("name", ["EMAIL", "SMS", "PUSH"])
async def test_channels(shop: Shop, name: str) -> None:
    """Each valid value restricts the dispatch to itself."""
    await shop.templates("order.confirmed")
    decisions = await shop.decisions(await shop.tenant.trigger(event(channels=[name])))
    others = dict.fromkeys({"EMAIL", "SMS", "PUSH"} - {name}, "not_requested")
    assert decisions == {**others, name: "sent"}


async def test_channels_invalid(shop: Shop) -> None:
    """Anything else is a validation error that names the field."""
    refused: list[Any] = [["email"], ["FAX"], ["EMAIL", "WEBHOOK"], "EMAIL", [1], [None], {"EMAIL": True}]
    for wrong in refused:
        answer = await shop.tenant.trigger(event(channels=wrong))
        assert_refused(answer, 422, "Validation Error", "channels")


async def test_channels_optional(shop: Shop) -> None:
    """Absent, null and empty: no restriction; twice the same: once."""
    await shop.template("order.confirmed", "SMS")
    accepted: list[Any] = [{}, {"channels": None}, {"channels": []}, {"channels": ["SMS", "SMS"]}]
    for fields in accepted:
        answer = await shop.tenant.trigger(event(**fields))
        assert list(await shop.messages(answer)) == ["SMS"]


async def test_user_id(shop: Shop) -> None:
    """Required; whose inbox it is."""
    await shop.template("order.confirmed", "PUSH")
    answer = await shop.tenant.trigger(event(payload={"userId": "b5dae3e8-2d5d-6f3c-cd3c-3c4d5e6f7a8b"}))
    await shop.end(answer)
    assert len(await shop.inbox("b5dae3e8-2d5d-6f3c-cd3c-3c4d5e6f7a8b")) == 1
    refused: list[Any] = [None, "", 7, ["u"], {}]
    for wrong in refused:
        answer = await shop.tenant.trigger(event(payload={"userId": wrong}))
        assert_refused(answer, 422, "Validation Error", "payload.userId")


async def test_recipient_email(shop: Shop) -> None:
    """Where the e-mail goes; without it that channel alone is skipped."""
    await shop.templates("order.confirmed", ["EMAIL", "SMS"])
    sent = await shop.messages(await shop.tenant.trigger(event()))
    assert sent["EMAIL"].recipient == EMAIL
    for payload in ({"userId": "u"}, {"userId": "v", "recipientEmail": None}, {"userId": "w", "recipientEmail": ""}):
        answer = await shop.tenant.trigger(event(payload={**payload, "recipientPhone": PHONE}))
        assert await shop.decisions(answer) == {"EMAIL": "missing_email", "SMS": "sent"}


async def test_recipient_phone(shop: Shop) -> None:
    """Where the SMS goes, in E.164; without it that channel alone is skipped."""
    await shop.templates("order.confirmed", ["EMAIL", "SMS"])
    sent = await shop.messages(await shop.tenant.trigger(event()))
    assert sent["SMS"].recipient == PHONE
    for payload in ({"userId": "u"}, {"userId": "v", "recipientPhone": None}, {"userId": "w", "recipientPhone": ""}):
        answer = await shop.tenant.trigger(event(payload={**payload, "recipientEmail": EMAIL}))
        assert await shop.decisions(answer) == {"EMAIL": "sent", "SMS": "missing_phone"}


async def test_variables(shop: Shop) -> None:
    """Arbitrary pairs of any shape: text, numbers, truth, lists, objects within objects."""
    body = (
        "{{title}} {{count}} {{price}} {{#if paid}}paid{{/if}} {{order.lines.0.name}} {{#each tags}}[{{this}}]{{/each}}"
    )
    await shop.template("any.shape", "SMS", body)
    variables = {
        "title": "Hello",
        "count": 3,
        "price": 1.5,
        "paid": True,
        "order": {"lines": [{"name": "Lamp"}]},
        "tags": ["a", "b"],
    }
    sent = await shop.messages(await shop.tenant.trigger(event("any.shape", variables=variables)))
    assert sent["SMS"].text == "Hello 3 1.5 paid Lamp [a][b]"


async def test_variables_optional(shop: Shop) -> None:
    """Absent, null and empty are the same: a template without variables is sent."""
    await shop.template("plain", "SMS", "Hello{{name}}")
    accepted: list[Any] = [{}, {"variables": None}, {"variables": {}}]
    for fields in accepted:
        body = {"eventType": "plain", "payload": {"userId": f"u{len(fields)}", "recipientPhone": PHONE}, **fields}
        assert (await shop.messages(await shop.tenant.trigger(body)))["SMS"].text == "Hello"
    refused: list[Any] = [[], "text", 7, True]
    for wrong in refused:
        assert_refused(await shop.tenant.trigger(event(variables=wrong)), 422, "Validation Error", "variables")


async def test_no_reserved_keys(shop: Shop) -> None:
    """Names that mean something elsewhere are just names: helpers, recipients, languages."""
    names = ["each", "if", "with", "lookup", "log", "eventType", "userId", "tenant", "json", "default", "constructor"]
    await shop.template("reserved", "SMS", " ".join("{{" + name + "}}" for name in names))
    variables = {name: f"<{number}>" for number, name in enumerate(names)}
    sent = await shop.messages(await shop.tenant.trigger(event("reserved", variables=variables)))
    assert sent["SMS"].text == " ".join(variables.values())


async def test_variables_in_the_subject(shop: Shop) -> None:
    """Every key is there in subject lines, too: of the mail, and of the push's title."""
    await shop.template("subject", "EMAIL", MJML.format("x"), subject="For {{customerName}}: {{orderNumber}}")
    await shop.template("subject", "PUSH", "x", subject="For {{customerName}}: {{orderNumber}}")
    body = event("subject")
    sent = await shop.messages(await shop.tenant.trigger(body))
    assert sent["EMAIL"].subject == "For Alice: ORD-2026-1234"
    assert (await shop.inbox(body["payload"]["userId"]))[0]["title"] == "For Alice: ORD-2026-1234"


async def test_payload_routes_and_variables_render(shop: Shop) -> None:
    """An address in variables is data for the template, and no address."""
    await shop.template("mixed", "SMS", "{{recipientPhone}}")
    body = event("mixed", payload={"userId": "u"}, variables={"recipientPhone": PHONE, "userId": "someone-else"})
    answer = await shop.tenant.trigger(body)
    assert await shop.decisions(answer) == {"SMS": "missing_phone"}
    assert (await shop.end(answer))["recipient"] == {"user_id": "u", "email": None, "phone": None}


async def test_payload_unknown_fields(shop: Shop) -> None:
    """Three fields are recognised; others neither route nor replace what is in variables."""
    await shop.template("extra", "SMS", "{{orderNumber}}")
    payload = {
        "userId": "u",
        "recipientPhone": PHONE,
        "orderNumber": "from payload",
        "phone": "+1",
        "channels": ["PUSH"],
    }
    sent = await shop.messages(await shop.tenant.trigger(event("extra", payload=payload)))
    assert (sent["SMS"].text, sent["SMS"].recipient) == ("ORD-2026-1234", PHONE)


def assert_accepted(answer: Answer, event_type: str, tenant: str) -> None:
    """The published answer, and nothing beside it."""
    assert answer.status == 200
    assert answer.body == {"success": True, "message": f"Event {event_type} dispatched securely for {tenant}"}
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"


@pytest.mark.parametrize("event_type", ["order.confirmed", "global.info", "nothing matches", 'odd "\\ é😀'])
async def test_success(shop: Shop, event_type: str) -> None:
    """200 with the sentence, naming event type and tenant."""
    assert_accepted(await shop.tenant.trigger(event(event_type)), event_type, shop.tenant.name)
