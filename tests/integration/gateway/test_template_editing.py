"""The admin API's part for editors of templates: samples, conflicts, languages, helpers, users of parts."""

from typing import Any

import aiohttp
import pytest

from tests.integration.gateway.conftest import CreateTenant
from tests.integration.gateway.test_admin import call
from tests.waiting import eventually

NOBODY = "01a1fe7a-0000-7000-8000-000000000000"
SMS = {"event_type": "a.b", "channel": "SMS", "body": "Hi {{name}}"}


async def test_samples(http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant) -> None:
    """Created, listed, changed and deleted, within their tenant; a large number stays as it was written."""
    tenant, other = await create_tenant(), await create_tenant()
    new = {"tenant_id": tenant.id, "event_type": "a.b", "name": "VIP", "variables": {"name": "Ada", "n": 2**63 + 1}}
    status, made = await call(http, "POST", "/template-samples", admin, new)
    assert status == 201, made
    assert {key: made[key] for key in new} == new
    status, problem = await call(http, "POST", "/template-samples", admin, new)
    assert (status, problem["errors"][0]["field"]) == (409, "name")
    query = f"?tenant_id={tenant.id}"
    path = f"/template-samples/{made['id']}"
    assert await call(http, "GET", path + query, admin) == (200, made)
    assert (await call(http, "GET", f"{path}?tenant_id={other.id}", admin))[0] == 404
    assert (await call(http, "GET", path, admin))[0] == 404
    change = {"name": "Guest", "variables": {"name": "Bo"}}
    status, changed = await call(http, "PUT", path + query, admin, change)
    assert (status, changed["name"], changed["variables"]) == (200, "Guest", {"name": "Bo"})
    assert (await call(http, "PUT", f"{path}?tenant_id={other.id}", admin, change))[0] == 404
    await call(http, "POST", "/template-samples", admin, {**new, "event_type": "a.a"})
    _, page = await call(http, "GET", f"/template-samples{query}&limit=1", admin)
    assert [one["event_type"] for one in page["data"]] == ["a.a"]
    _, rest = await call(http, "GET", f"/template-samples{query}&cursor={page['next_cursor']}", admin)
    assert rest == {"data": [changed], "next_cursor": None}
    _, page = await call(http, "GET", f"/template-samples{query}&event_type=a.b", admin)
    assert page["data"] == [changed]
    assert (await call(http, "DELETE", f"{path}?tenant_id={other.id}", admin))[0] == 404
    assert (await call(http, "DELETE", path + query, admin))[0] == 204
    assert (await call(http, "GET", path + query, admin))[0] == 404


async def test_the_last_payload(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """What a template saw of the newest event; a test send does not count."""
    tenant = await create_tenant()
    path = f"/template-samples/last?tenant_id={tenant.id}&event_type=a.b"
    nothing = {"event_id": None, "accepted_at": None, "variables": None}
    assert await call(http, "GET", path, admin) == (200, nothing)
    event = {
        "event_type": "a.b",
        "audience": [{"recipient": {"user_id": "u1", "phone": "+254712345678"}}],
        "variables": {"name": "Ada", "big": 2**63 + 1, "locale": "en"},
        "payload": {"name": "hidden", "spare": 1, "locale": "de"},
    }
    status, sent = await call(http, "POST", f"/tenants/{tenant.id}/events", admin, event)
    assert status == 202, sent
    _, template = await call(http, "POST", "/templates", admin, {**SMS, "tenant_id": tenant.id})
    test = {"recipient": {"phone": "+254712345678"}, "variables": {"name": "Test"}}
    _, tested = await call(http, "POST", f"/templates/{template['id']}/test", admin, test)

    async def both() -> bool:
        answers = [await call(http, "GET", f"/events/{one['event_id']}", admin) for one in (sent, tested)]
        return all(status == 200 for status, _ in answers)

    await eventually(both)
    status, last = await call(http, "GET", path, admin)
    assert (status, last["event_id"]) == (200, sent["event_id"])
    assert last["variables"] == {"name": "Ada", "big": 2**63 + 1, "locale": "de", "spare": 1}


async def test_two_editors(http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant) -> None:
    """The second one is told the version of the first, and may save all the same. The same holds for a part."""
    tenant = await create_tenant()
    new = {**SMS, "tenant_id": tenant.id}
    _, first = await call(http, "POST", "/templates", admin, new)
    _, second = await call(http, "POST", "/templates", admin, {**new, "based_on": first["id"]})
    late = {**new, "based_on": first["id"], "activate": True}
    status, problem = await call(http, "POST", "/templates", admin, late)
    assert (status, problem["type"]) == (409, "urn:clarion:problem:newer-version")
    assert problem["newer"] == {"id": second["id"], "version": 2, "created_at": second["created_at"]}
    status, forced = await call(http, "POST", "/templates", admin, {**late, "force": True})
    assert (status, forced["version"], forced["active"]) == (201, 3, True)
    part = {"tenant_id": tenant.id, "kind": "PARTIAL", "name": "sign", "body": "Acorn"}
    _, first = await call(http, "POST", "/template-parts", admin, part)
    _, second = await call(http, "POST", "/template-parts", admin, {**part, "based_on": first["id"]})
    status, problem = await call(http, "POST", "/template-parts", admin, {**part, "based_on": first["id"]})
    assert (status, problem["newer"]["id"]) == (409, second["id"])
    forced_part = {**part, "based_on": first["id"], "force": True}
    assert (await call(http, "POST", "/template-parts", admin, forced_part))[0] == 201


async def test_the_list_of_languages(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """A tenant's, with the platform's if they are asked for."""
    tenant = await create_tenant()
    new = {**SMS, "tenant_id": tenant.id}
    _, first = await call(http, "POST", "/templates", admin, {**new, "activate": True})
    _, second = await call(http, "POST", "/templates", admin, {**new, "subject": "s"})
    _, german = await call(http, "POST", "/templates", admin, {**new, "locale": "de"})
    _, page = await call(http, "GET", f"/template-languages?tenant_id={tenant.id}", admin)
    default, other = page["data"]
    assert default == {
        "tenant_id": tenant.id,
        "event_type": "a.b",
        "channel": "SMS",
        "locale": None,
        "newest": {"id": second["id"], "version": 2, "subject": "s", "created_at": second["created_at"]},
        "active": {"id": first["id"], "version": 1, "activated_at": first["activated_at"]},
    }
    assert (other["locale"], other["newest"]["id"], other["active"]) == ("de", german["id"], None)
    query = f"tenant_id={tenant.id}&platform=true&channel=SMS"
    _, page = await call(http, "GET", f"/template-languages?{query}", admin)
    # Other tests may have added templates to the platform.
    owners = [one["tenant_id"] for one in page["data"]]
    assert owners == [None] * (len(owners) - 2) + [tenant.id] * 2
    assert "global.warning" in [one["event_type"] for one in page["data"]]
    _, page = await call(http, "GET", f"/template-languages?{query}&search=GLOBAL.inf&active=true&limit=1", admin)
    assert [(one["tenant_id"], one["event_type"]) for one in page["data"]] == [(None, "global.info")]
    _, page = await call(http, "GET", f"/templates?{query}&event_type=a.b", admin)
    assert len(page["data"]) == 3


async def test_the_users_of_a_part(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Active templates, and whether they have its newest version."""
    tenant = await create_tenant()
    part = {"tenant_id": tenant.id, "kind": "PARTIAL", "name": "sign", "body": "Acorn"}
    await call(http, "POST", "/template-parts", admin, part)
    new = {**SMS, "tenant_id": tenant.id, "body": "{{> sign}}", "activate": True}
    _, template = await call(http, "POST", "/templates", admin, new)
    _, newer = await call(http, "POST", "/template-parts", admin, part)
    _, page = await call(http, "GET", f"/template-parts/{newer['id']}/templates", admin)
    (user,) = page["data"]
    assert (user["id"], user["version"], user["part_version"], user["is_current"]) == (template["id"], 1, 1, False)
    await call(http, "POST", f"/template-parts/{newer['id']}/apply", admin)
    _, page = await call(http, "GET", f"/template-parts/{newer['id']}/templates", admin)
    assert [(one["version"], one["part_version"], one["is_current"]) for one in page["data"]] == [(2, 2, True)]
    _, page = await call(http, "GET", f"/template-parts?tenant_id={tenant.id}&platform=true&newest=true", admin)
    assert newer["id"] in [one["id"] for one in page["data"]]


async def test_a_preview_with_samples(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """Each has its own content; a branch that none reaches is named."""
    body = "Hi {{name}}\n{{#if vip}}VIP{{else}}guest{{/if}} {{#if gone}}x{{/if}}"
    draft: dict[str, Any] = {"channel": "SMS", "body": body, "variables": {"name": "Ada"}}
    _, one = await call(http, "POST", "/templates/preview", admin, draft)
    unreached = [("#if vip", "then"), ("#if gone", "then")]
    assert [(branch["block"], branch["branch"]) for branch in one["unreached"]] == unreached
    samples = [{"name": "VIP", "variables": {"name": "Bo", "vip": True}}, {"name": "", "variables": {}}]
    _, both = await call(http, "POST", "/templates/preview", admin, {**draft, "samples": samples})
    assert both["content"]["text"] == "Hi Ada\nguest "
    assert [(sample["name"], sample["content"]["text"]) for sample in both["samples"]] == [
        ("VIP", "Hi Bo\nVIP "),
        ("", "Hi \nguest "),
    ]
    assert [missing["name"] for missing in both["samples"][1]["report"]["missing"]] == ["name"]
    assert both["unreached"] == [{"field": "body", "line": 2, "column": 36, "block": "#if gone", "branch": "then"}]
    broken = {**draft, "body": "\n {{#if a}}", "samples": samples}
    _, bad = await call(http, "POST", "/templates/preview", admin, broken)
    assert [(error["line"], error["column"]) for error in bad["failure"]["errors"]] == [(2, 2)]
    assert [sample["failure"]["reason"] for sample in bad["samples"]] == ["template_error"] * 2
    assert bad["unreached"] == []


async def test_helpers(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """All that a template can be written with."""
    status, found = await call(http, "GET", "/template-helpers", admin)
    assert status == 200
    helpers = {one["name"]: one for one in found["helpers"]}
    assert helpers["truncate"]["signature"] == "truncate text length [end=…]"
    assert {"each", "formatDate", "eq"} <= helpers.keys()
    column = next(one for one in found["elements"] if one["name"] == "mj-column")
    assert (column["has_text"], "mj-text" in column["children"]) == (False, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        pytest.param("GET", "/template-samples/last", None, 422, "tenant_id", id="last-of-nobody"),
        pytest.param("GET", f"/template-samples/last?tenant_id={NOBODY}", None, 422, "event_type", id="last-of-what"),
        pytest.param(
            "GET", f"/template-samples/last?tenant_id={NOBODY}&event_type=a", None, 404, None, id="last-of-none"
        ),
        pytest.param(
            "POST",
            "/template-samples",
            {"tenant_id": NOBODY, "event_type": "a", "name": "n", "variables": {}},
            404,
            None,
            id="sample-of-none",
        ),
        pytest.param(
            "POST",
            "/template-samples",
            {"event_type": "a", "name": "n", "variables": {"a": "x" * 65536}},
            422,
            "variables",
            id="large-sample",
        ),
        pytest.param(
            "POST",
            "/template-samples",
            {"event_type": "a", "name": "n", "variables": []},
            422,
            "variables",
            id="list",
        ),
        pytest.param("DELETE", "/template-samples/none", None, 404, None, id="no-sample"),
        pytest.param("GET", "/template-parts/none/templates", None, 404, None, id="users-of-none"),
        pytest.param("GET", "/template-languages?channel=FAX", None, 422, "channel", id="channel"),
        pytest.param("GET", "/template-languages?platform=yes", None, 422, "platform", id="platform"),
        pytest.param(
            "POST",
            "/templates",
            {"event_type": "a", "channel": "SMS", "body": "b", "based_on": NOBODY},
            422,
            "based_on",
            id="based-on-none",
        ),
        pytest.param(
            "POST",
            "/templates/preview",
            {"channel": "SMS", "body": "b", "samples": [{"name": "", "variables": {}}] * 21},
            422,
            "samples",
            id="many-samples",
        ),
    ],
)
async def test_faults_have_their_field(
    http: aiohttp.ClientSession,
    admin: dict[str, str],
    method: str,
    path: str,
    body: dict[str, Any] | None,
    status: int,
    field: str | None,
) -> None:
    """In the admin API's own shape."""
    seen, problem = await call(http, method, path, admin, body)
    assert (seen, problem["status"]) == (status, status)
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])
