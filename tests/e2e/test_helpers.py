"""Handlebars on a running stack: helpers and partials in what is sent, faults at save, a bomb that harms nobody."""

from typing import Any

from checks.client import Client
from checks.waiting import until

PHONE = "+254712345678"
BODY = (
    "{{default nick name 'friend'}}: {{pluralize items.length 'item' 'items'}} "
    "{{formatCurrency total 'BRL'}}, {{formatDate at 'short' time='short'}}. "
    "{{#each items}}{{> row}}{{/each}}{{#and paid (gt total 1000)}}Obrigado!{{/and}}"
)
VARIABLES = {
    "name": "Ana",
    "total": "1234.5",
    "at": "2026-11-21T18:05:00Z",
    "items": [{"name": "<lamp>"}, {"name": "shade"}],
    "paid": True,
}
BOMB = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}"


async def _finished(client: Client, event_id: str) -> dict[str, Any]:
    return await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)


async def test_helpers_in_what_is_sent(client: Client) -> None:
    """A Brazilian's SMS: money, date and time of their own language and zone, a partial for each row."""
    tenant = client.tenant
    part = {"tenant_id": tenant.id, "kind": "PARTIAL", "name": "row", "body": "{{uppercase (truncate name 5)}}; "}
    await client.operator.must("POST", "/template-parts", json=part)
    await client.operator.create_template(tenant, "helped", "SMS", BODY, locale="pt")
    payload = {"userId": "u", "recipientPhone": PHONE, "locale": "pt-BR"}
    variables = {**VARIABLES, "timezone": "America/Sao_Paulo"}
    event_id = await tenant.accept({"eventType": "helped", "payload": payload, "variables": variables})
    event = await _finished(client, event_id)
    assert [(one["status"], one["reason"]) for one in event["deliveries"]] == [("sent", None)]
    (message,) = await client.operator.outbox(event_id)
    assert message["text"] == "Ana: items R$ 1.234,50, 21/11/2026 15:05. <L...; SHADE; Obrigado!"


async def test_faults_are_found_at_save(client: Client) -> None:
    """What does not exist is refused with line and column, and nothing is saved."""
    for body, detail in (
        ("a\n  {{shout name}}", "Line 2, column 3: 'shout' is not a helper"),
        ("{{> nosuch}}", "Line 1, column 1: there is no partial 'nosuch'"),
        ("{{#if (eq a)}}{{/if}}", "Line 1, column 1: 'eq' takes 2 arguments"),
    ):
        new = {"tenant_id": client.tenant.id, "event_type": "faulty", "channel": "SMS", "body": body}
        answer = await client.operator.call("POST", "/templates", json=new)
        assert answer.status == 422
        assert detail in str(answer.body)


async def test_a_bomb_harms_nobody(client: Client) -> None:
    """Its event fails at render's limit of time; another tenant's events, sent meanwhile, are rendered."""
    bomber = await client.operator.create_tenant("Bomber")
    await client.operator.create_template(bomber, "boom", "SMS", BOMB)
    await client.operator.create_template(client.tenant, "calm", "SMS", "calm {{n}}")
    payload = {"userId": "u", "recipientPhone": PHONE}
    variables = {"a": list(range(3000))}
    boom = await bomber.accept({"eventType": "boom", "payload": payload, "variables": variables})
    calm = [
        await client.tenant.accept({"eventType": "calm", "payload": payload, "variables": {"n": number}})
        for number in range(10)
    ]
    for event_id in calm:
        assert [one["status"] for one in (await _finished(client, event_id))["deliveries"]] == ["sent"]
    event = await _finished(client, boom)
    assert [(one["status"], one["reason"]) for one in event["deliveries"]] == [("failed", "render_timeout")]
