"""Templates on a running stack: languages, layouts and partials, what a retry sends, test sends, segments."""

from typing import Any

import pytest

from checks.client import Client, Tenant
from checks.waiting import until
from tests.integration.senders.mail_servers import Catcher, serving

LAYOUT = """<mjml><mj-body>{{{content}}}
<mj-section><mj-column><mj-text>%s {{> sign}}</mj-text></mj-column></mj-section></mj-body></mjml>"""
SECTION = "<mj-section><mj-column><mj-text>%s {{name}}</mj-text></mj-column></mj-section>"
PHONE = "+254712345678"


async def part(client: Client, tenant: Tenant, kind: str, name: str, body: str) -> dict[str, Any]:
    """Make a layout or partial."""
    new = {"tenant_id": tenant.id, "kind": kind, "name": name, "body": body}
    return dict(await client.operator.must("POST", "/template-parts", json=new))


async def finished(client: Client, event_id: str) -> dict[str, Any]:
    """Return the event with its timeline once nothing more happens to it."""
    return await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)


def shown(event: dict[str, Any]) -> str:
    """Return a timeline as lines."""
    lines = [f"event {event['event_type']}, test: {event['test']}"]
    for step in event["timeline"]:
        found = {key: step[key] for key in ("channel", "reason", "detail", "sms", "template_version_id") if step[key]}
        lines.append(f"  {step['step']:9} {found}")
    return "\n".join(lines)


async def test_each_recipient_gets_their_language(client: Client) -> None:
    """By CLDR's parents and scripts, others get the tenant's default; the timeline says which version it was."""
    tenant = await client.operator.create_tenant("Languages")
    make = client.operator.create_template
    versions = {
        locale: await make(tenant, "hello", "SMS", f"{locale} {{{{formatNumber 1234.5}}}}", locale=locale)
        for locale in ("pt", "en", "zh", "zh-Hant", "he")
    }
    await client.operator.must("PUT", f"/tenants/{tenant.id}/locale", json={"locale": "en_gb"})

    async def explained() -> bool:
        """The router has heard of the default."""
        query = f"tenant_id={tenant.id}&event_type=hello&user_id=u&phone=%2B254712345678&locale=de"
        (planned,) = (await client.operator.must("GET", f"/route-explain?{query}"))["deliveries"]
        return bool(planned["template_version_id"] == versions["en"])

    await until(explained, "the default locale at the router", deadline=60)
    wanted = {"pt_BR": "pt", "zh-TW": "zh-Hant", "zh-CN": "zh", "iw": "he", "de": "en", "": "en"}
    for locale, expected in wanted.items():
        payload = {"userId": "u", "recipientPhone": PHONE, **({"locale": locale} if locale else {})}
        event = await finished(client, await tenant.accept({"eventType": "hello", "payload": payload}))
        queued = next(step for step in event["timeline"] if step["step"] == "queued")
        assert queued["template_version_id"] == versions[expected]
        sent = next(step for step in event["timeline"] if step["step"] == "sent")
        assert sent["sms"] == {"segments": 1, "encoding": "GSM-7"}


async def test_keys_keep_the_order_of_the_request(client: Client) -> None:
    """From the request to the text, also of a large body; in a preview, a test, a replay and an export."""
    body = (
        "{{#each totals}}{{@key}}={{this}};{{/each}} {{#each shipTo}}{{@key}}{{#if @last}}.{{/if}}{{/each}}"
        " {{json lines}}"
    )
    variables: dict[str, Any] = {
        "totals": {"Subtotal": "4000", "Shipping": "200", "Total": "4200"},
        "lines": [{"10": "c", "2": "b", "b": 1, "a": 2}],
    }
    rest = {"shipTo": {"zip": "0150", "city": "Oslo"}}
    expected = 'Subtotal=4000;Shipping=200;Total=4200; zipcity. [{"2":"b","10":"c","b":1,"a":2}]'
    draft = {"channel": "SMS", "body": body, "variables": {**variables, **rest}}
    preview = await client.operator.must("POST", "/templates/preview", json=draft)
    assert preview["content"]["text"] == expected
    version = await client.operator.create_template(client.tenant, "ordered", "SMS", body)
    tested = await client.operator.must(
        "POST", f"/templates/{version}/test", json={"recipient": {"phone": PHONE}, "variables": {**variables, **rest}}
    )
    payload = {"userId": "orderly", "recipientPhone": PHONE, **rest}
    for filling in ("", "x" * 5000):
        filled = {**variables, "filling": filling}
        event = {"eventType": "ordered", "payload": payload, "variables": filled}
        event_id = await client.tenant.accept(event)
        await finished(client, event_id)
        again = (await client.operator.must("POST", f"/events/{event_id}/replay", json={}))["event_id"]
        for one in (event_id, again, tested["event_id"]):
            await finished(client, one)
            assert [message["text"] for message in await client.operator.outbox(one)] == [expected]
        assert await client.tenant.accept({**event, "variables": dict(reversed(filled.items()))}) == event_id
    exported = await client.operator.must(
        "POST", f"/tenants/{client.tenant.id}/recipients/export", json={"user_id": "orderly"}
    )
    for one in exported["events"]:
        assert list(one["variables"]) == ["totals", "lines", "filling"]
        assert list(one["variables"]["totals"]) == ["Subtotal", "Shipping", "Total"]
        assert list(one["variables"]["lines"][0]) == ["10", "2", "b", "a"]
        assert list(one["payload"]["shipTo"]) == ["zip", "city"]


async def test_a_retry_sends_what_was_decided(client: Client) -> None:
    """Between two attempts another version is activated and the layout changed: the mail is still the first one."""
    catcher = Catcher(rcpt="451 4.3.0 Try again later")
    async with serving(catcher) as port:
        settings = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "us@tenant.example"}
        tenant = await client.operator.create_tenant("Pinned", providers={"EMAIL": ("smtp", settings)})
        await part(client, tenant, "PARTIAL", "sign", "Acorn")
        await part(client, tenant, "LAYOUT", "base", LAYOUT % "first")
        make = client.operator.create_template
        mail = {"subject": "S", "preheader": "Look {{name}}", "layout": "base"}
        await make(tenant, "letter", "EMAIL", SECTION % "one", **mail)
        payload = {"userId": "u", "recipientEmail": "u@example.com"}
        event_id = await tenant.accept({"eventType": "letter", "payload": payload, "variables": {"name": "Ada"}})

        async def tried() -> bool:
            event = await client.operator.event(event_id)
            return bool(event and any(step["step"] == "retrying" for step in event["timeline"]))

        await until(tried, "the first attempt", deadline=60)
        newer = await part(client, tenant, "LAYOUT", "base", LAYOUT % "second")
        applied = await client.operator.must("POST", f"/template-parts/{newer['id']}/apply")
        assert [one["version"] for one in applied["updated"]] == [2]
        await make(tenant, "letter", "EMAIL", SECTION % "two", **mail)
        catcher.rcpt = ""
        event = await finished(client, event_id)
        if event["deliveries"][0]["status"] == "dead":  # a slow machine was too late to mend it
            await client.operator.must("POST", f"/dead-letters/{event['deliveries'][0]['id']}/replay")
        await until(lambda: _one(catcher.envelopes), "the mail", deadline=60)
        sent = str(catcher.envelopes[0].content)
        assert "one Ada" in sent
        assert "first Acorn" in sent
        assert "Look Ada" in sent


async def test_a_test_send(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """A version that is not active goes to one address, marked as a test, each time anew; the active one stays."""
    tenant = client.tenant
    active = await client.operator.create_template(tenant, "trial", "SMS", "active")
    new = {"tenant_id": tenant.id, "event_type": "trial", "channel": "SMS", "body": "Olá {{name}} ção"}
    draft = await client.operator.must("POST", "/templates", json=new)
    body = {"recipient": {"phone": PHONE}, "variables": {"name": "Ada"}}
    sent = [await client.operator.must("POST", f"/templates/{draft['id']}/test", json=body) for _ in range(2)]
    assert sent[0]["event_id"] != sent[1]["event_id"]
    for one in sent:
        event = await finished(client, one["event_id"])
        assert event["test"] is True
        assert [delivery["status"] for delivery in event["deliveries"]] == ["sent"]
        assert next(s for s in event["timeline"] if s["step"] == "queued")["template_version_id"] == draft["id"]
        assert next(s for s in event["timeline"] if s["step"] == "sent")["sms"] == {"segments": 1, "encoding": "UCS-2"}
        (message,) = await client.operator.outbox(one["event_id"])
        assert message["text"] == "Olá Ada ção"
    with capsys.disabled():
        print(f"\n{shown(event)}")
    payload = {"userId": "u", "recipientPhone": PHONE}
    event = await finished(client, await tenant.accept({"eventType": "trial", "payload": payload}))
    assert event["test"] is False
    queued = next(step for step in event["timeline"] if step["step"] == "queued")
    assert queued["template_version_id"] == active


async def _one(items: list[Any]) -> bool:
    return bool(items)
