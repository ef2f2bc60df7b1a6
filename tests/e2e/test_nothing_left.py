"""A person goes through everything, and is erased: then no table, no file of the broker and no log has them."""

import asyncio
import hashlib
import re
import urllib.parse
from typing import Any

from checks.client import Client, Tenant
from checks.waiting import until
from clarion.common.v1 import event_pb2
from runtime import nats, postgres
from runtime.configuration import ConfigurationOutbox
from runtime.ids import new_id
from services.ingest.janitor import Janitor
from services.ingest.ledger.store import LedgerStore
from services.ingest.privacy.clearing import Clearing
from services.realtime.store import EpochStore
from stack.client import Running
from tests.e2e import provider_apis, searching
from tests.e2e.provider_apis import RESEND, Apis
from tests.waiting import eventually

# No part of them is in anything else.
USER = "Zw7q/Lovelace-Qx3v#9k"
EMAIL = "Zw7q.Vk5Lovelace@Example.com"
PHONE = "+254733918274"
CONTENT = "Hk8vTop4SecretWq2"
WORDS = {"user": USER, "address": EMAIL, "number": PHONE, "digits": PHONE[1:], "content": CONTENT}
MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>{{note}}</mj-text></mj-column></mj-section></mj-body></mjml>"
PAYLOAD = {"userId": USER, "recipientEmail": EMAIL, "recipientPhone": PHONE}
# One that travels with each delivery, and one that is stored once.
VARIABLES = ({"note": CONTENT}, {"note": CONTENT, "more": "x" * 20_000})


async def _tenant(client: Client) -> Tenant:
    resend = {"from_email": "us@tenant.example", **RESEND}
    providers = {"EMAIL": ("resend", resend), "SMS": ("sandbox", {})}
    tenant = await client.operator.create_tenant("Leaving", providers=providers)
    body = {"tenant_id": tenant.id, "event_type": "letter", "channel": "EMAIL", "body": MJML, "subject": "{{note}}"}
    await client.operator.must("POST", "/templates", json={**body, "subscribed": True, "activate": True})
    await client.operator.create_template(tenant, "letter", "SMS", "{{note}}")
    await client.operator.create_template(tenant, "letter", "PUSH", "{{note}}", subject="{{note}}")
    return tenant


async def _finished(client: Client, event_id: str) -> dict[str, Any]:
    return await until(lambda: client.operator.finished(event_id), f"{event_id}'s end", deadline=60)


async def _send(client: Client, tenant: Tenant, *, variables: dict[str, Any] = VARIABLES[0]) -> dict[str, Any]:
    event = {"eventType": "letter", "eventId": f"{CONTENT}-{new_id()}", "payload": PAYLOAD, "variables": variables}
    return await _finished(client, await tenant.accept(event))


async def _live(client: Client, tenant: Tenant, apis: Apis) -> None:
    """Every channel; the page's token and inbox; a test, a replay, an export, a click, a bounce, a note by hand.

    And stored, in a group.
    """
    stored = {"email": EMAIL, "phone": PHONE, "name": CONTENT, "data": {"note": CONTENT}, "tags": [CONTENT]}
    at = f"/tenants/{tenant.id}"
    await client.operator.must("PUT", f"{at}/recipients/{urllib.parse.quote(USER, safe='')}", json=stored)
    await client.operator.must("PUT", f"{at}/groups/readers", json={})
    await client.operator.must("POST", f"{at}/groups/readers/members", json={"add": [USER]})
    found = await client.operator.must("GET", f"{at}/recipients?address={urllib.parse.quote(EMAIL)}&tag={CONTENT}")
    assert [one["recipient_id"] for one in found["data"]] == [USER]
    for variables in VARIABLES:
        event = await _send(client, tenant, variables=variables)
        assert {one["status"] for one in event["deliveries"]} == {"sent"}
    token = (await tenant.token(USER))["token"]
    as_page = {"Authorization": f"Bearer {token}"}
    assert (await tenant.inbox(USER, headers=as_page)).status == 200
    [item, *_] = await tenant.whole_inbox(USER)
    assert (await tenant.mark_read(USER, item["id"], headers=as_page)).status == 200
    assert await tenant.unread(USER) >= 1
    assert not (await tenant.mark_read(USER, CONTENT, headers=as_page)).body["success"]
    assert (await tenant.inbox(USER, headers={"Authorization": f"Bearer {CONTENT}"})).status in (401, 403)
    # Refused, and accepted though nothing can be sent there.
    refused = await tenant.trigger({"eventType": "letter", "payload": {**PAYLOAD, "recipientPhone": 1}})
    assert refused.status in (400, 422)
    odd = {**PAYLOAD, "recipientEmail": f"no address of {CONTENT}", "recipientPhone": f"no number of {CONTENT}"}
    await _finished(client, await tenant.accept({"eventType": "letter", "payload": odd, "variables": VARIABLES[0]}))
    templates = (await client.operator.must("GET", f"/templates?tenant_id={tenant.id}"))["data"]
    recipient = {"user_id": USER, "email": EMAIL, "phone": PHONE}
    body = {"recipient": recipient, "variables": {"note": CONTENT}}
    for template in templates:
        sent = await client.operator.must("POST", f"/templates/{template['id']}/test", json=body)
        await _finished(client, sent["event_id"])
    again = await client.operator.must("POST", f"/events/{event['id']}/replay", json={})
    await _finished(client, again["event_id"])
    query = urllib.parse.urlencode({"tenant_id": tenant.id, "event_type": "letter", **recipient})
    await client.operator.must("GET", f"/route-explain?{query}")
    await client.operator.must("GET", f"/events?tenant_id={tenant.id}&recipient={urllib.parse.quote(USER, safe='')}")
    await client.operator.must("POST", f"/tenants/{tenant.id}/recipients/export", json={"user_id": USER})
    await client.operator.must("POST", f"/tenants/{tenant.id}/revoke-tokens", json={"user_id": USER})
    assert (await tenant.inbox(USER, headers=as_page)).status in (401, 403)

    link = re.fullmatch(r"<http://[^/]+(/.+)>", apis.taken[0][2]["headers"]["List-Unsubscribe"])
    assert link is not None
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    click = await client.http.call("POST", link.group(1), headers=form, data=b"List-Unsubscribe=One-Click")
    assert click.status == 200
    bounce = {"type": "Permanent", "subType": "General", "message": f"550 5.1.1 <{EMAIL}> unknown, {PHONE}"}
    path = await callback_path_of(client, tenant)
    assert await provider_apis.resend_says(client, path, "email.bounced", apis.ids("resend")[0], bounce=bounce) == 204
    note = {"tenant_id": tenant.id, "channel": "SMS", "address": PHONE, "reason": "manual", "detail": f"{EMAIL} asked"}
    await client.operator.must("POST", "/suppressions", json=note)

    async def skipped() -> bool:
        event = await _send(client, tenant)
        return {one["status"] for one in event["deliveries"] if one["channel"] != "PUSH"} == {"skipped"}

    await until(skipped, "the suppressions", deadline=30)


async def callback_path_of(client: Client, tenant: Tenant) -> str:
    """Return the path of the callbacks of a tenant's provider for e-mail."""
    providers = (await client.operator.must("GET", f"/providers?tenant_id={tenant.id}"))["data"]
    [provider] = [one for one in providers if one["channel"] == "EMAIL"]
    callback = await client.operator.must("GET", f"/providers/{provider['id']}/callback")
    return str(urllib.parse.urlsplit(callback["url"]).path)


async def _die(client: Client, tenant: Tenant) -> None:
    """Leave a dead letter: nobody plays the provider any more."""
    event = await _send(client, tenant)
    assert "dead" in {one["status"] for one in event["deliveries"]}
    [letter] = (await client.operator.must("GET", f"/dead-letters?tenant_id={tenant.id}"))["data"]
    assert letter["event_id"] == event["id"]


def _digests(tenant: Tenant) -> dict[str, bytes]:
    """What whoever knows the person could look for."""
    number, address = event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_EMAIL
    texts = {
        "user": f"{tenant.id}/{USER}",
        "suppressed number": f"{tenant.id}/{number}/{PHONE}",
        "suppressed address": f"{tenant.id}/{address}/{EMAIL.lower()}",
        "user alone": USER,
        "address alone": EMAIL,
        "number alone": PHONE,
    }
    return {
        f"SHA-256 of the {name} of {tenant.id}": hashlib.sha256(text.encode()).digest() for name, text in texts.items()
    }


async def _erase(client: Client, tenant: Tenant) -> None:
    path = f"/tenants/{tenant.id}/recipients/erase"
    for _ in range(2):  # as docs/privacy.md says
        answer = await client.operator.must("POST", path, json={"user_id": USER})
        assert answer["complete"]


async def _let_time_pass(running: Running) -> None:
    """Do what the janitors do within an hour, and with the epochs what they do in 26."""
    pool = await postgres.connect(running.variables["CLARION_POSTGRES_URL"], name="test", size=4)
    connection = await nats.connect(running.variables["CLARION_NATS_URL"], name="test")
    try:
        await pool.execute("UPDATE realtime.revocations SET used_at = now() - interval '27 hours'")
        epochs = EpochStore(pool, ConfigurationOutbox(pool, "realtime", connection))
        await epochs.expire()
        assert await pool.fetchval("SELECT count(*) FROM realtime.revocations WHERE recipient <> ''") == 0
        janitor = Janitor(connection, LedgerStore(pool, pool), keep_s=0)
        clearing = Clearing(pool, connection, janitor.spent, after_s=0, keep_s=0)
        assert not await clearing.step()
        await eventually(clearing.step, 120)
    finally:
        await connection.close()
        await pool.close()


async def test_nothing_is_left_of_a_person(client: Client, shared_stack: Running) -> None:
    """User, address, number and content, plain, encoded or as a digest: there before, and nowhere afterwards."""
    tenant, dead_end = [await _tenant(client) for _ in range(2)]
    async with provider_apis.serving() as apis:
        await _live(client, tenant, apis)
    await _die(client, dead_end)

    spelt = {f"{name}, {form}": one for name, word in WORDS.items() for form, one in searching.spellings(word).items()}
    raw = {**_digests(tenant), **_digests(dead_end)}
    short = {name: digest[1:9] for name, digest in raw.items()}  # as suppressions are published
    forms = {**spelt, **searching.digests(raw)}
    store, log, database = shared_stack.data / "nats", shared_stack.data / "log", shared_stack.variables
    url = database["CLARION_POSTGRES_URL"]

    def in_files() -> set[str]:
        return searching.in_files([store, log], forms, short)

    # What finds nothing afterwards finds something before.
    tables, files = await searching.in_tables(url, forms), in_files()
    for table in ("ingest.events", "ingest.event_payloads", "ingest.dead_letters", "senders.outbox", "realtime.inbox"):
        assert [one for one in tables if one.startswith(f"{table}: ")], f"{table} is not looked through"
    for stream in ("EVENTS", "DELIVERIES", "TIMERS"):
        assert [one for one in files if f"/{stream}/" in one], f"{stream} is not looked through"
    assert not [one for one in files if one.startswith("log/")]

    for one in (tenant, dead_end):
        await _erase(client, one)
    assert await searching.in_tables(url, forms) == set()
    await _let_time_pass(shared_stack)

    async def nothing() -> bool:
        # The server deletes files behind its answer.
        return not await asyncio.to_thread(in_files)

    await eventually(nothing, 60, every=0.5)
    assert in_files() == set()
    assert await searching.in_tables(url, forms) == set()
    # And the suppressions hold.
    query = f"tenant_id={tenant.id}&event_type=letter&user_id=u&email={EMAIL}&phone={urllib.parse.quote(PHONE)}"
    told = (await client.operator.must("GET", f"/route-explain?{query}"))["deliveries"]
    assert {one["channel"]: one["reason"] for one in told if one["reason"]} == {
        "EMAIL": "suppressed_bounced",
        "SMS": "suppressed_manual",
    }
