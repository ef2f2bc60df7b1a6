"""One recipient's data on a running stack: shown whole, erased everywhere, twice, while something is under way."""

from typing import Any

from checks.client import Client, Tenant
from checks.waiting import until
from tests.e2e.recipients.test_official_client import push
from tests.waiting import eventually

PHONE = "+254712345678"


async def notify(tenant: Tenant, user_id: str, number: int, **changes: Any) -> str:
    """Send a push and a text message."""
    event = {
        "eventType": "note.info",
        "eventId": f"mine-{number}",
        "payload": {"userId": user_id, "recipientPhone": PHONE, "nickname": "Addie"},
        "variables": {"n": number, "secret": "rosebud"},
        **changes,
    }
    return await tenant.accept(event)


async def finished(client: Client, event_id: str) -> dict[str, Any]:
    """Wait for an event's end."""
    return await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)


async def export(client: Client, tenant: Tenant, user_id: str) -> dict[str, Any]:
    """Return all pages as one."""
    whole: dict[str, Any] = {"events": [], "inbox": []}
    cursor = ""
    while cursor is not None:
        body = {"user_id": user_id, "cursor": cursor}
        page = await client.operator.must("POST", f"/tenants/{tenant.id}/recipients/export", json=body)
        for part in whole:
            whole[part] += page[part]
        cursor = page["next_cursor"]
    return whole


async def erase(client: Client, tenant: Tenant, user_id: str) -> dict[str, Any]:
    """Erase; return the answer."""
    path = f"/tenants/{tenant.id}/recipients/erase"
    return dict(await client.operator.must("POST", path, json={"user_id": user_id}))


async def test_shown_then_erased_everywhere(client: Client, tenant: Tenant) -> None:
    """Events, payloads, timeline, sandbox, inbox; then rows that count and name nobody. A neighbour loses nothing."""
    events = [await notify(tenant, "ada", number) for number in range(25)]
    others = await notify(tenant, "bob", 1)
    for event_id in [*events, others]:
        await finished(client, event_id)
    shown = await export(client, tenant, "ada")
    assert {event["id"] for event in shown["events"]} == set(events)
    assert len(shown["inbox"]) == 25
    one = shown["events"][0]
    assert one["variables"]["secret"] == "rosebud"
    assert one["payload"] == {"nickname": "Addie"}
    assert [message["recipient"] for message in one["messages"]] == [PHONE]
    assert one["timeline"]

    answer = await erase(client, tenant, "ada")
    assert answer["complete"]
    erased = answer["erased"]
    assert (erased["events"], erased["payloads"], erased["notifications"], erased["messages"]) == (25, 25, 25, 25)
    again = await erase(client, tenant, "ada")
    assert again["erasure_id"] == answer["erasure_id"]
    assert not any(again["erased"][name] for name in ("events", "payloads", "notifications", "messages"))

    assert await export(client, tenant, "ada") == {"events": [], "inbox": []}
    assert await tenant.whole_inbox("ada") == []
    found = await client.operator.must("GET", f"/events?tenant_id={tenant.id}&limit=100")
    text = repr(found["data"])
    assert len(found["data"]) == 26
    assert text.count(PHONE) == text.count("mine-") == 1  # bob's
    detail = await client.operator.event(events[0])
    assert detail is not None
    assert detail["recipient"]["user_id"] == f"erased:{answer['erasure_id']}"
    assert [delivery["status"] for delivery in detail["deliveries"]] == ["sent", "sent"]
    assert (await client.operator.call("POST", f"/events/{events[0]}/replay", json={})).status == 409
    assert len((await export(client, tenant, "bob"))["events"]) == 1


async def test_what_is_under_way_is_not_sent_and_what_comes_later_is(client: Client) -> None:
    """A mail waits for its retry at a dead server; erased, it ends as skipped. A new event is a new matter."""
    # Nobody listens there.
    settings = {"host": "127.0.0.1", "port": 9, "tls": "none", "from_email": "us@tenant.example"}
    tenant = await client.operator.create_tenant("Dead end", providers={"EMAIL": ("smtp", settings)})
    await client.operator.create_template(tenant, "note.info", "PUSH", "{{n}}", subject="Note")
    mjml = "<mjml><mj-body><mj-section><mj-column><mj-text>{{n}}</mj-text></mj-column></mj-section></mj-body></mjml>"
    await client.operator.create_template(tenant, "letter", "EMAIL", mjml, subject="Letter")
    payload = {"userId": "ada", "recipientEmail": "ada@example.com"}
    event_id = await tenant.accept({"eventType": "letter", "payload": payload, "variables": {"n": 1}})

    async def tried() -> bool:
        event = await client.operator.event(event_id)
        return bool(event and [step for step in event["timeline"] if step["step"] == "retrying"])

    await eventually(tried)
    assert (await erase(client, tenant, "ada"))["complete"]
    event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=60)
    [delivery] = event["deliveries"]
    assert (delivery["status"], delivery["reason"]) == ("skipped", "recipient_erased")
    assert "ada@example.com" not in repr(event)
    assert (await client.operator.must("GET", f"/dead-letters?tenant_id={tenant.id}"))["data"] == []
    await push(tenant, "ada", "new")
    assert [item["body"] for item in await tenant.whole_inbox("ada")] == ["new"]


async def test_each_tenant_has_its_own_days(client: Client, tenant: Tenant) -> None:
    """Set, read, set back; nonsense is refused with the field's name."""
    path = f"/tenants/{tenant.id}/retention"
    days = ("events_days", "payload_days", "inbox_days", "outbox_days")
    defaults = {"events_days": 90, "payload_days": 30, "inbox_days": 90, "outbox_days": 7}
    nothing = {**dict.fromkeys(days), "keep_content": True, "defaults": defaults}
    assert await client.operator.must("GET", path) == nothing
    wanted = {**nothing, "events_days": 30, "outbox_days": 2}
    assert await client.operator.must("PUT", path, json={"events_days": 30, "outbox_days": 2}) == wanted
    assert await client.operator.must("GET", path) == wanted
    answer = await client.operator.call("PUT", path, json={"events_days": 0})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "events_days")
    assert await client.operator.must("PUT", path, json={}) == nothing
    unknown = await client.operator.call("GET", "/tenants/01a1fe7a-0000-7000-8000-000000000000/retention")
    assert unknown.status == 404
    for body in ({"user_id": ""}, {"user_id": "u" * 256}, {"user_id": "a\x00b"}, {}):
        refused = await client.operator.call("POST", f"/tenants/{tenant.id}/recipients/erase", json=body)
        assert (refused.status, refused.body["errors"][0]["field"]) == (422, "user_id")
    cursor = await client.operator.call(
        "POST", f"/tenants/{tenant.id}/recipients/export", json={"user_id": "u", "cursor": "nonsense"}
    )
    assert (cursor.status, cursor.body["errors"][0]["field"]) == (422, "cursor")
