"""The operator's API on real services."""

import re
from functools import partial
from typing import Any

import aiohttp
import pytest

from gateway.access.rules import Place
from gateway.access.table import rule_of
from gateway.openapi.document import document
from tests.integration.gateway.conftest import CreateTenant
from tests.waiting import eventually

BASE = "/api/v1/admin"


async def call(
    http: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str], body: Any = None
) -> tuple[int, Any]:
    """Return status and body; a problem must be a problem document."""
    async with http.request(method, BASE + path, headers=headers, json=body) as answer:
        if answer.status >= 400:
            assert answer.content_type == "application/problem+json"
            problem = await answer.json()
            assert problem["status"] == answer.status
            assert problem["type"].startswith("urn:clarion:problem:")
            return answer.status, problem
        return answer.status, None if answer.status == 204 else await answer.json()


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Basic {token}", "Bearer {token}x", "Bearer ü"])
async def test_only_the_operator_gets_in(http: aiohttp.ClientSession, admin: dict[str, str], shown: str) -> None:
    """Without the admin token every path is 401, even one that is not there."""
    token = admin["Authorization"].removeprefix("Bearer ")
    headers = {"Authorization": shown.format(token=token)} if shown else {}
    for path in ("/tenants", "/events", "/nothing"):
        status, problem = await call(http, "GET", path, headers)
        assert status == 401
        assert problem["type"] == "urn:clarion:problem:unauthenticated"


_RATE = {"scope": "", "window_s": 60, "bound": 10, "kind": "sliding"}


async def test_a_tenants_key_is_no_admin_token(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """A customer is no operator."""
    tenant = await create_tenant()
    assert (await call(http, "GET", "/tenants", {"Authorization": f"Bearer {tenant.key}"}))[0] == 401


async def test_a_tenant_from_first_to_last(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """Created with its key once, read, listed, changed, deactivated."""
    new = {"name": "Acorn", "delivery_channels": ["EMAIL", "PUSH"], "reply_to": "help@acorn.example"}
    status, created = await call(http, "POST", "/tenants", admin, new)
    assert status == 201
    key = created.pop("api_key")
    assert created["key_last4"] == key[-4:]
    assert created["delivery_channels"] == ["EMAIL", "PUSH"]
    assert (await call(http, "GET", f"/tenants/{created['id']}", admin)) == (200, created)

    _, page = await call(http, "GET", "/tenants?limit=1", admin)
    assert page["data"] == [created]
    _, second = await call(http, "GET", f"/tenants?limit=1&cursor={page['next_cursor']}", admin)
    assert second["data"][0]["id"] != created["id"]

    change = {"delivery_channels": [], "sender_name": "Acorn Shop"}
    _, changed = await call(http, "PATCH", f"/tenants/{created['id']}", admin, change)
    assert changed == {**created, **change}
    _, gone = await call(http, "DELETE", f"/tenants/{created['id']}", admin)
    assert gone["active"] is False


@pytest.mark.parametrize("expires_at", ["2020-01-01", "1970-01-01T00:00:00Z"])
async def test_the_end_of_a_key_is_named_as_in_the_request(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant, expires_at: str
) -> None:
    """Not as ingest calls it, nor in its unit."""
    tenant = await create_tenant()
    new = {"name": "k", "expires_at": expires_at}
    status, problem = await call(http, "POST", f"/tenants/{tenant.id}/keys", admin, new)
    assert (status, problem["errors"]) == (
        422,
        [{"field": "expires_at", "detail": "must be in the future, and before the year 10000"}],
    )
    assert problem["detail"] == "expires_at must be in the future, and before the year 10000"


async def test_a_tenants_rates(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """One list, in which two have a field of their own."""
    other = {"scope": "eu", "window_s": 3600, "bound": 7, "kind": "fixed"}
    new = {"name": "Acorn", "rates": [_RATE, other], "max_scheduled_events": 5, "max_payload_bytes": 2000}
    _, created = await call(http, "POST", "/tenants", admin, new)
    assert (created["rates"], created["rate_limit_per_minute"]) == ([_RATE, other], 10)
    assert (created["max_scheduled_events"], created["max_payload_bytes"]) == (5, 2000)
    assert created["max_parked_per_endpoint"] == 100_000
    path = f"/tenants/{created['id']}"
    _, changed = await call(http, "PATCH", path, admin, {"rate_limit_per_minute": None, "max_scheduled_events": 6})
    assert (changed["rates"], changed["max_scheduled_events"]) == ([other], 6)
    _, changed = await call(http, "PATCH", path, admin, {"daily_cap": 8, "max_parked_per_endpoint": 9})
    assert (changed["max_payload_bytes"], changed["max_parked_per_endpoint"]) == (2000, 9)
    assert changed["rates"] == [{"scope": "", "window_s": 86_400, "bound": 8, "kind": "fixed"}, other]
    _, changed = await call(http, "PATCH", path, admin, {"rates": []})
    assert (changed["rates"], changed["daily_cap"]) == ([], None)


async def test_a_key_that_is_disabled_does_not_work(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Until it is enabled again; it begins as the caller wants."""
    tenant = await create_tenant()
    _, key = await call(http, "POST", f"/tenants/{tenant.id}/keys", admin, {"name": "k", "prefix": "acorn_"})
    assert key["api_key"].startswith("acorn_")
    path = f"/tenants/{tenant.id}/keys/{key['id']}"
    event = {"eventType": "a", "payload": {"userId": "u1"}}
    for disabled, status in ((True, 401), (False, 200)):
        _, changed = await call(http, "PATCH", path, admin, {"disabled": disabled})
        assert changed["disabled"] is disabled
        async with http.post("/api/v1/events/trigger", json=event, headers={"x-api-key": key["api_key"]}) as answer:
            assert answer.status == status, await answer.text()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/tenants", {}, 422, "name"),
        ("POST", "/tenants", {"name": ""}, 422, "name"),
        ("POST", "/tenants", {"name": "x", "delivery_channels": ["FAX"]}, 422, "delivery_channels[0]"),
        ("POST", "/tenants", {"name": "x", "nmae": "y"}, 422, "nmae"),
        ("POST", "/tenants", {"name": "x", "max_unfinished_events": -1}, 422, "max_unfinished_events"),
        ("POST", "/tenants", {"name": "x", "max_unfinished_events": 0}, 422, "max_unfinished_events"),
        ("POST", "/tenants", {"name": "x", "max_unfinished_bytes": 0}, 422, "max_unfinished_bytes"),
        ("POST", "/tenants", {"name": "x", "max_scheduled_events": 0}, 422, "max_scheduled_events"),
        ("POST", "/tenants", {"name": "x", "rates": [{**_RATE, "window_s": 0}]}, 422, "rates[0].window_s"),
        ("POST", "/tenants", {"name": "x", "rates": [_RATE, {**_RATE, "kind": "log"}]}, 422, "rates[1].kind"),
        ("POST", "/tenants", {"name": "x", "rates": [{**_RATE, "scope": "a\nb"}]}, 422, "rates[0].scope"),
        ("POST", "/tenants", {"name": "x", "rates": [_RATE, {**_RATE, "bound": 9}]}, 422, "rates"),
        ("POST", "/tenants", {"name": "x", "rates": [_RATE], "daily_cap": 1}, 422, "rates"),
        ("POST", "/tenants", {"name": "x", "max_sms_segments": 0}, 422, "max_sms_segments"),
        ("POST", "/tenants", {"name": "x", "max_payload_bytes": 1023}, 422, "max_payload_bytes"),
        ("POST", "/tenants", {"name": "x", "max_parked_per_endpoint": 0}, 422, "max_parked_per_endpoint"),
        ("POST", "/tenants", {"name": "x", "sender_email": "not an address"}, 422, "sender_email"),
        ("POST", "/tenants", {"name": "x", "reply_to": "Help <help@acorn.example>"}, 422, "reply_to"),
        ("POST", "/tenants", {"name": "x", "sender_name": "A\r\nBcc: eve@example.org"}, 422, "sender_name"),
        ("POST", "/templates", {"event_type": "x", "channel": "FAX", "body": "y"}, 422, "channel"),
        ("POST", "/templates", {"event_type": "x", "channel": "WEBHOOK", "body": "y"}, 422, "channel"),
        ("POST", "/templates/preview", {"channel": "WEBHOOK", "body": "x"}, 422, "channel"),
        ("POST", "/providers", {"tenant_id": "x", "channel": "WEBHOOK", "kind": "sandbox"}, 422, "channel"),
        ("GET", "/tenants?tenant_id=x", None, 422, "tenant_id"),
        ("GET", "/tenants?limit=5&limit=6", None, 422, "limit"),
        ("GET", "/tenants?cursor=", None, 422, "cursor"),
        ("GET", "/events?tenantId=x", None, 422, "tenantId"),
        ("GET", "/events?tenant_id=", None, 422, "tenant_id"),
        ("GET", "/events?since=2026-04-22T12:00:00+03:00", None, 422, "since"),
        ("GET", "/events?since=1795011201200", None, 422, "since"),
        ("GET", "/events?since=2026-04-22&until=2026-04-21", None, 422, "since"),
        ("GET", "/audit?since=2026-04-22&until=2026-04-21", None, 422, "since"),
        ("GET", "/audit?until=", None, 422, "until"),
        ("GET", "/templates?active=1", None, 422, "active"),
        ("GET", "/template-parts?newest=yes", None, 422, "newest"),
        ("GET", "/route-explain?tenant_id=x&channels=SMS,", None, 422, "tenant_id"),
        ("POST", "/encryption/renew?dry_run=true", None, 422, "dry_run"),
        ("POST", "/templates/preview?tenant_id=x", {"channel": "SMS", "body": "x"}, 422, "tenant_id"),
        ("GET", "/tenants?limit=0", None, 422, "limit"),
        ("GET", "/events?status=lost", None, 422, "status"),
        ("GET", "/events?since=yesterday", None, 422, "since"),
        ("GET", "/providers", None, 422, "tenant_id"),
        ("GET", "/nothing", None, 404, None),
        ("GET", "/tenants/01a1fe7a-0000-7000-8000-000000000000", None, 404, None),
        ("GET", "/events/01a1fe7a-0000-7000-8000-000000000000", None, 404, None),
        ("GET", "/templates/01a1fe7a-0000-7000-8000-000000000000", None, 404, None),
        ("POST", "/dead-letters/01a1fe7a-0000-7000-8000-000000000000/replay", None, 404, None),
        ("GET", "/tenants/a%00b", None, 404, None),
    ],
)
async def test_a_wrong_request_is_a_problem(
    http: aiohttp.ClientSession,
    admin: dict[str, str],
    method: str,
    path: str,
    body: Any,
    status: int,
    field: str | None,
) -> None:
    """Each fault has its type, and names its field."""
    seen, problem = await call(http, method, path, admin, body)
    assert seen == status
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])


async def test_every_path_refuses_what_it_does_not_take(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """Each operation there is, before it does anything."""
    nobody = "01a1fe7a-0000-7000-8000-000000000000"
    tried = 0
    for path, methods in document()["paths"].items():
        if not path.startswith(BASE):
            continue
        for method in methods:
            if Place.PERSON in rule_of(method.upper(), path.removeprefix(BASE)).places:
                continue  # a token is refused first
            if path.endswith("/oidc/callback"):
                continue  # a provider may send back what it likes
            where = re.sub(r"\{\w+\}", nobody, path.removeprefix(BASE)) + "?unheard_of=1"
            status, problem = await call(http, method.upper(), where, admin)
            assert (status, problem["type"]) == (422, "urn:clarion:problem:invalid"), (method, path)
            assert [error["field"] for error in problem["errors"]] == ["unheard_of"]
            tried += 1
    assert tried > 45
    # Who may not ask is not told what could be asked.
    assert (await call(http, "GET", "/events?unheard_of=1", {}))[0] == 401


async def test_a_search_up_to_a_time_before_1970_finds_nothing(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """It says so, and finds all from such a time on."""
    tenant = await create_tenant()
    event = {"eventType": "x", "payload": {"userId": "u"}}
    async with http.post("/api/v1/events/trigger", json=event, headers=tenant.headers) as answer:
        event_id = answer.headers["X-Event-Id"]

    async def found(query: str) -> list[str]:
        status, page = await call(http, "GET", f"/events?tenant_id={tenant.id}{query}", admin)
        assert status == 200, page
        return [item["id"] for item in page["data"]]

    assert await eventually(partial(found, "")) == [event_id]
    for early in ("1969-12-31T23:59:59.999999Z", "1970-01-01", "0001-01-01", "1970-01-01T02:00:00%2B03:00"):
        assert await found(f"&until={early}") == []
        assert await found(f"&since={early}") == [event_id]
    assert await found("&since=9999-12-31") == []
    assert await found("&until=9999-12-31T23:59:59Z") == [event_id]
    _, log = await call(http, "GET", f"/audit?tenant_id={tenant.id}&until=1969-07-20", admin)
    assert log["data"] == []


async def test_an_events_own_id_does_not_switch_the_other_filters_off(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Each is looked at, and refused where it is wrong."""
    tenant = await create_tenant()
    event = {"eventType": "x", "payload": {"userId": "u", "recipientEmail": "ada@example.com"}}
    async with http.post("/api/v1/events/trigger", json=event, headers=tenant.headers) as answer:
        event_id = answer.headers["X-Event-Id"]

    async def search(query: str) -> Any:
        return await call(http, "GET", f"/events?event_id={event_id}{query}", admin)

    async def is_known() -> bool:
        return bool((await search(""))[1]["data"])

    await eventually(is_known)
    right = ("&event_type=x", "&recipient=u", "&recipient=ada@example.com", f"&tenant_id={tenant.id}")
    wrong = ("&event_type=y", "&recipient=v", "&status=dead", "&until=2020-01-01", "&since=2999-01-01")
    for query, count in (*[(query, 1) for query in right], *[(query, 0) for query in wrong]):
        status, page = await search(query)
        assert (status, len(page["data"])) == (200, count), query
    for query in ("&since=yesterday", "&status=lost", "&limit=0", "&since=2999-01-01&until=2020-01-01"):
        assert (await search(query))[0] == 422


async def test_a_tenants_addresses_are_checked(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """As a provider's; a change that is refused changes nothing, and one that names none leaves them alone."""
    tenant = await create_tenant(sender_email=" orders@acorn.example\r\n", reply_to="hilfe@bücher.example")
    path = f"/tenants/{tenant.id}"
    _, before = await call(http, "GET", path, admin)
    assert (before["sender_email"], before["reply_to"]) == ("orders@acorn.example", "hilfe@bücher.example")
    for wrong in (
        *("Help <help@acorn.example>", "a@b.example, c@d.example", "not an address", "a@b.example;c@d.example"),
        *("a@b.example\r\nBcc: eve@example.org", "a@[192.0.2.1]", "@b.example", '"a b"@c.example'),
        "a@b..example",
    ):
        for field in ("sender_email", "reply_to"):
            status, problem = await call(http, "PATCH", path, admin, {field: wrong})
            assert (status, [error["field"] for error in problem["errors"]]) == (422, [field]), wrong
    assert (await call(http, "GET", path, admin))[1] == before
    _, renamed = await call(http, "PATCH", path, admin, {"name": "Acorn"})
    assert renamed == {**before, "name": "Acorn"}
    _, cleared = await call(http, "PATCH", path, admin, {"sender_email": "", "reply_to": " "})
    assert (cleared["sender_email"], cleared["reply_to"]) == ("", "")


async def test_a_limit_of_sms_segments(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """10 unless the tenant says otherwise; a preview tells what would not be sent, and an event's timeline why."""
    tenant = await create_tenant()
    path = f"/tenants/{tenant.id}"
    assert (await call(http, "GET", path, admin))[1]["max_sms_segments"] == 10
    await call(http, "POST", "/providers", admin, {"tenant_id": tenant.id, "channel": "SMS", "kind": "sandbox"})
    text = {"channel": "SMS", "body": "{{text}}", "variables": {"text": "ж" * 67 * 11}}

    async def not_sent(**more: str) -> Any:
        _, preview = await call(http, "POST", "/templates/preview", admin, {**text, **more})
        assert preview["content"]["sms"] == {"segments": 11, "encoding": "UCS-2"}
        return preview["report"]["not_sent"]

    detail = "The text would be billed as 11 segments (UCS-2); the tenant's limit is 10."
    refused = {"reason": "sms_too_long", "detail": detail}
    assert await not_sent() == await not_sent(tenant_id=tenant.id) == refused
    new = {"tenant_id": tenant.id, "event_type": "long", "channel": "SMS", "body": "{{text}}", "activate": True}
    _, template = await call(http, "POST", "/templates", admin, new)

    async def delivered(text: str) -> tuple[str, str | None]:
        test = {"recipient": {"phone": "+254712345678"}, "variables": {"text": text}}
        _, sent = await call(http, "POST", f"/templates/{template['id']}/test", admin, test)

        async def ended() -> dict[str, Any] | None:
            status, event = await call(http, "GET", f"/events/{sent['event_id']}", admin)
            return event if status == 200 and event["finished_at"] else None

        event = await eventually(ended)
        assert event is not None
        (delivery,) = event["deliveries"]
        assert delivery["status"] == event["timeline"][-1]["step"]
        return delivery["status"], event["timeline"][-1]["detail"]

    assert await delivered("ж" * 67 * 11) == ("failed", detail)
    assert await delivered("ж" * 67 * 10) == ("sent", None)
    empty = "The rendered content is empty: nothing in it can be seen."
    assert await delivered(" \u200b\n") == ("skipped", empty)
    status, changed = await call(http, "PATCH", path, admin, {"max_sms_segments": 255})
    assert (status, changed["max_sms_segments"]) == (200, 255)
    assert await not_sent(tenant_id=tenant.id) is None
    assert await not_sent() == refused

    async def is_sent() -> bool:  # every process hears of the new limit within a second
        return (await delivered("ж" * 67 * 11))[0] == "sent"

    await eventually(is_sent)


async def test_a_template_from_first_to_last(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Versions are inactive until activated; one is active at a time; a broken one is refused."""
    tenant = await create_tenant()
    new = {"tenant_id": tenant.id, "event_type": "a.b", "channel": "SMS", "body": "Hello {{name}}"}
    status, first = await call(http, "POST", "/templates", admin, new)
    assert (status, first["version"], first["active"]) == (201, 1, False)
    _, second = await call(http, "POST", "/templates", admin, {**new, "activate": True})
    assert (second["version"], second["active"]) == (2, True)
    _, activated = await call(http, "POST", f"/templates/{first['id']}/activate", admin)
    assert activated["active"] is True
    _, page = await call(http, "GET", f"/templates?tenant_id={tenant.id}&active=true", admin)
    assert [template["id"] for template in page["data"]] == [first["id"]]
    _, stopped = await call(http, "POST", f"/templates/{first['id']}/deactivate", admin)
    assert stopped["active"] is False
    status, problem = await call(http, "POST", "/templates", admin, {**new, "body": "{{#if a}}never closed"})
    assert status == 422
    assert problem["errors"][0]["field"] == "body"


async def test_a_draft_is_previewed(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """The production renderer's words, or its reason for none."""
    draft = {"channel": "PUSH", "subject": "Hi {{name}}", "body": "{{n}} new", "variables": {"name": "Ada", "n": 3}}
    _, good = await call(http, "POST", "/templates/preview", admin, draft)
    assert (good["content"]["title"], good["content"]["body"]) == ("Hi Ada", "3 new")
    status, bad = await call(http, "POST", "/templates/preview", admin, {**draft, "body": "{{#if a}}"})
    assert status == 200
    assert bad["failure"]["reason"] == "template_error"


async def test_a_providers_secrets_never_come_out(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Created, listed without its password, deleted."""
    tenant = await create_tenant()
    settings = {
        "host": "mail.acorn.example",
        "port": 25,
        "from_email": "a@b.example",
        "username": "u",
        "password": "hunter22",
    }
    new = {"tenant_id": tenant.id, "channel": "EMAIL", "kind": "smtp", "name": "main", "settings": settings}
    status, created = await call(http, "POST", "/providers", admin, new)
    assert status == 201
    assert created["settings"]["host"] == "mail.acorn.example"
    _, page = await call(http, "GET", f"/providers?tenant_id={tenant.id}", admin)
    assert page["data"] == [created]
    assert "hunter22" not in str(page)
    assert (await call(http, "DELETE", f"/providers/{created['id']}", admin))[0] == 204
    assert (await call(http, "GET", f"/providers?tenant_id={tenant.id}", admin))[1]["data"] == []


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"host": "127.0.0.1"}, "settings.host", "'127.0.0.1' is not a public address (loopback)"),
        ({"host": "169.254.169.254"}, "settings.host", "'169.254.169.254' is not a public address (link-local)"),
        ({"host": "0x7f.1"}, "settings.host", "'0x7f.1' is not written as an address"),
        ({"host": "mail.acorn.example", "port": 6379}, "settings.port", "Port 6379 is none of 25, 465, 587,"),
    ],
)
async def test_a_mail_server_that_is_not_allowed_is_not_saved(
    http: aiohttp.ClientSession,
    admin: dict[str, str],
    create_tenant: CreateTenant,
    settings: dict[str, Any],
    field: str,
    words: str,
) -> None:
    """Neither new nor by a change: 422 with a sentence that says what is wrong."""
    tenant = await create_tenant()
    new = {"tenant_id": tenant.id, "channel": "EMAIL", "kind": "smtp", "name": "main"}
    good = {"host": "mail.acorn.example", "port": 25, "from_email": "a@b.example"}
    _, kept = await call(http, "POST", "/providers", admin, {**new, "settings": good})
    for method, path, body in (
        ("POST", "/providers", {**new, "settings": {**good, **settings}}),
        ("PATCH", f"/providers/{kept['id']}", {"settings": settings}),
    ):
        status, problem = await call(http, method, path, admin, body)
        assert status == 422, problem
        [error] = problem["errors"]
        assert error["field"] == field
        assert words in str(error)
    _, page = await call(http, "GET", f"/providers?tenant_id={tenant.id}", admin)
    assert page["data"] == [kept]


async def test_an_event_is_found_and_its_timeline_told(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Found by tenant, type, recipient, time and both ids; nothing to send is told with its reason."""
    tenant = await create_tenant()
    event = {"eventType": "no.template", "eventId": "mine-1", "payload": {"userId": "u", "recipientEmail": "a@b.c"}}
    async with http.post("/api/v1/events/trigger", json=event, headers=tenant.headers) as answer:
        event_id = answer.headers["X-Event-Id"]

    async def finished() -> Any:
        status, body = await call(http, "GET", f"/events/{event_id}", admin)
        return body if status == 200 and body["finished_at"] else None

    told = await eventually(finished)
    steps = {step["step"]: step for step in told["timeline"]}
    assert steps["accepted"]["service"] == "ingest"
    assert any(step["reason"] == "no_active_template" for step in told["timeline"])
    for step in told["timeline"]:
        assert step["time"].endswith("Z")
        assert step["duration_ms"] >= 0
    for query in (
        f"tenant_id={tenant.id}",
        f"tenant_id={tenant.id}&event_type=no.template&recipient=a@b.c&since=2020-01-01",
        f"event_id={event_id}",
        f"tenant_id={tenant.id}&event_id=mine-1",
    ):
        _, page = await call(http, "GET", f"/events?{query}", admin)
        assert [found["id"] for found in page["data"]] == [event_id], query
    for query in (f"tenant_id={tenant.id}&event_type=x", f"tenant_id={tenant.id}&until=2020-01-01"):
        assert (await call(http, "GET", f"/events?{query}", admin))[1]["data"] == []
    assert (await call(http, "GET", f"/dead-letters?tenant_id={tenant.id}", admin))[1]["data"] == []


async def test_a_route_is_explained(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """What would become of an event, and why nothing."""
    tenant = await create_tenant()
    _, route = await call(http, "GET", f"/route-explain?tenant_id={tenant.id}&event_type=x&user_id=u", admin)
    assert route == {"deliveries": [], "reason": "no_active_template"}
