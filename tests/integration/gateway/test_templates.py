"""The admin API's templates: layouts and partials, diffs, previews, test sends, the default locale."""

from typing import Any

import aiohttp
import pytest

from tests.integration.gateway.conftest import CreateTenant
from tests.integration.gateway.test_admin import call

NOBODY = "01a1fe7a-0000-7000-8000-000000000000"
LAYOUT = "<mjml><mj-body>{{{content}}}</mj-body></mjml>"
SECTION = "<mj-section><mj-column><mj-text>Hi {{name}} {{> sign}}</mj-text></mj-column></mj-section>"


async def test_a_mail_from_its_parts(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """A version names the parts it was made of; a newer part is applied, and the two versions compared."""
    tenant = await create_tenant()

    async def part(kind: str, name: str, body: str) -> dict[str, Any]:
        new = {"tenant_id": tenant.id, "kind": kind, "name": name, "body": body}
        status, made = await call(http, "POST", "/template-parts", admin, new)
        assert status == 201, made
        return dict(made)

    await part("LAYOUT", "base", LAYOUT)
    sign = await part("PARTIAL", "sign", "Acorn")
    new = {
        "tenant_id": tenant.id,
        "event_type": "a.b",
        "channel": "EMAIL",
        "locale": "en_gb",
        "subject": "S",
        "preheader": "P {{name}}",
        "layout": "base",
        "body": SECTION,
        "subscribed": True,
        "activate": True,
    }
    _, first = await call(http, "POST", "/templates", admin, new)
    assert (first["locale"], first["layout"], first["preheader"]) == ("en-GB", "base", "P {{name}}")
    assert first["subscribed"] is True
    assert first["activated_at"] >= first["created_at"]
    assert [(one["kind"], one["name"], one["version"]) for one in first["parts"]] == [
        ("LAYOUT", "base", 1),
        ("PARTIAL", "sign", 1),
    ]
    assert (await call(http, "GET", f"/template-parts/{sign['id']}", admin))[1] == sign

    newer = await part("PARTIAL", "sign", "Oak")
    apply = f"/template-parts/{newer['id']}/apply"
    nothing = {"updated": [], "failed": [], "more": False, "next_cursor": None}
    status, refused = await call(http, "POST", f"{apply}?cursor={first['id']}", admin)
    assert (status, refused["errors"][0]["field"]) == (422, "cursor")
    _, applied = await call(http, "POST", apply, admin)
    (second,) = applied["updated"]
    assert (second["version"], second["active"], applied) == (2, True, {**nothing, "updated": [second]})
    _, diff = await call(http, "GET", f"/templates/{second['id']}/diff?against={first['id']}", admin)
    assert (diff["from"]["version"], diff["to"]["version"], diff["changed"]) == (1, 2, ["parts"])
    assert "-partial sign v1\n+partial sign v2" in diff["unified"]
    status, problem = await call(http, "POST", f"/templates/{second['id']}/refresh", admin)
    assert (status, problem["type"]) == (409, "urn:clarion:problem:conflict")

    query = f"tenant_id={tenant.id}&kind=PARTIAL&newest=true"
    _, page = await call(http, "GET", f"/template-parts?{query}", admin)
    assert [one["id"] for one in page["data"]] == [newer["id"]]
    _, page = await call(http, "GET", f"/templates?tenant_id={tenant.id}&channel=EMAIL&locale=en-GB", admin)
    assert [one["version"] for one in page["data"]] == [2, 1]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        pytest.param("POST", "/template-parts", {"kind": "X", "name": "a", "body": "b"}, 422, "kind", id="kind"),
        pytest.param("POST", "/template-parts", {"kind": "PARTIAL", "name": "", "body": "b"}, 422, "name", id="name"),
        pytest.param(
            "POST", "/template-parts", {"kind": "LAYOUT", "name": "a", "body": "b"}, 422, "body", id="no-slot"
        ),
        pytest.param("GET", "/template-parts?kind=X", None, 422, "kind", id="list-kind"),
        pytest.param("GET", "/template-parts/none", None, 404, None, id="no-part"),
        pytest.param("POST", "/template-parts/none/apply", None, 404, None, id="apply-none"),
        pytest.param("GET", "/templates/none/diff?against=none", None, 404, None, id="diff-none"),
        pytest.param("GET", "/templates/none/diff", None, 422, "against", id="diff-against-nothing"),
        pytest.param("POST", "/templates/none/refresh", None, 404, None, id="refresh-none"),
        pytest.param("POST", "/templates/none/test", {"recipient": {}}, 404, None, id="test-none"),
        pytest.param("POST", "/templates/none/test", {}, 422, "recipient", id="test-nobody"),
        pytest.param("GET", "/templates?channel=FAX", None, 422, "channel", id="channel"),
        pytest.param("GET", f"/tenants/{NOBODY}/locale", None, 404, None, id="locale-of-none"),
        pytest.param("PUT", f"/tenants/{NOBODY}/locale", {"locale": "en"}, 404, None, id="set-locale-of-none"),
        pytest.param(
            "POST",
            "/templates",
            {"event_type": "a", "channel": "SMS", "body": "b", "locale": "klingon!"},
            422,
            "locale",
            id="locale",
        ),
        pytest.param(
            "POST",
            "/templates/preview",
            {"channel": "EMAIL", "body": "b", "layout": "none"},
            422,
            "layout",
            id="preview-layout",
        ),
        pytest.param(
            "POST",
            "/templates/preview",
            {"channel": "SMS", "body": "b", "preheader": "p"},
            422,
            "preheader",
            id="preview-preheader",
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


async def test_a_preview_tells(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """Content, size, what is missing and unused; faults with their lines; an SMS's segments."""
    draft = {
        "channel": "EMAIL",
        "subject": "S",
        "preheader": "P {{name}}",
        "body": SECTION + "\n{{missing}}",
        "layout_body": LAYOUT,
        "partials": {"sign": "draft"},
        "variables": {"name": "Ada", "spare": 1},
    }
    _, good = await call(http, "POST", "/templates/preview", admin, draft)
    content, report = good["content"], good["report"]
    assert (content["subject"], content["preheader"], content["sms"]) == ("S", "P Ada", None)
    assert content["text"].startswith("Hi Ada draft")
    assert report == {
        "format": "mjml",
        "size_bytes": len(content["html"].encode()),
        "clipped_by_gmail": False,
        "missing": [{"name": "missing", "field": "body", "line": 2}],
        "unused": ["spare"],
        "not_sent": None,
    }
    _, bad = await call(http, "POST", "/templates/preview", admin, {**draft, "body": "one\n{{#if name}}"})
    (error,) = bad["failure"]["errors"]
    assert (error["field"], error["line"]) == ("body", 2)
    _, sms = await call(http, "POST", "/templates/preview", admin, {"channel": "SMS", "body": "€" * 81})
    assert sms["content"]["sms"] == {"segments": 2, "encoding": "GSM-7"}


async def test_a_test_needs_a_tenant_for_a_platform_template(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Through whose provider it goes; another tenant's template goes through its own only."""
    tenant = await create_tenant()
    _, page = await call(http, "GET", "/templates?event_type=global.info&channel=SMS", admin)
    platform = next(one for one in page["data"] if one["tenant_id"] is None)
    to = {"recipient": {"phone": "+254712345678"}}
    status, problem = await call(http, "POST", f"/templates/{platform['id']}/test", admin, to)
    assert (status, problem["errors"][0]["field"]) == (422, "tenant_id")
    status, sent = await call(http, "POST", f"/templates/{platform['id']}/test", admin, {**to, "tenant_id": tenant.id})
    assert (status, sent["template_version_id"]) == (202, platform["id"])
    new = {"tenant_id": tenant.id, "event_type": "a", "channel": "SMS", "body": "b"}
    _, own = await call(http, "POST", "/templates", admin, new)
    other = {**to, "tenant_id": (await create_tenant()).id}
    status, problem = await call(http, "POST", f"/templates/{own['id']}/test", admin, other)
    assert (status, problem["errors"][0]["field"]) == (422, "tenant_id")


async def test_the_default_locale(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Kept in its one form; empty takes it away."""
    path = f"/tenants/{(await create_tenant()).id}/locale"
    assert await call(http, "GET", path, admin) == (200, {"locale": None})
    assert await call(http, "PUT", path, admin, {"locale": "pt_br"}) == (200, {"locale": "pt-BR"})
    assert await call(http, "GET", path, admin) == (200, {"locale": "pt-BR"})
    assert await call(http, "PUT", path, admin, {"locale": ""}) == (200, {"locale": None})
    status, problem = await call(http, "PUT", path, admin, {"locale": "klingon!"})
    assert (status, problem["errors"][0]["field"]) == (422, "locale")


def _nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("path", "body", "statuses"),
    [
        pytest.param(
            "/templates/preview", {"channel": "SMS", "body": "x", "variables": _nested(900)}, {200, 422}, id="deep"
        ),
        pytest.param("/templates/preview", {"channel": "SMS", "body": "x\0"}, {422}, id="nul"),
        pytest.param(
            "/templates/preview",
            {"channel": "SMS", "body": "{{> a}}", "partials": {"a": "{{> a}}"}},
            {200},
            id="endless",
        ),
        pytest.param(
            "/templates/preview", {"channel": "SMS", "body": "x", "partials": {"\0": "y"}}, {200}, id="odd-name"
        ),
        pytest.param("/templates/preview", {"channel": "EMAIL", "body": "x", "layout": "\n\0"}, {422}, id="odd-layout"),
        pytest.param("/templates/preview", {"channel": "SMS", "body": "x", "tenant_id": "a.b"}, {422}, id="odd-tenant"),
        pytest.param("/template-parts", {"kind": "PARTIAL", "name": "a", "body": "x\0"}, {422}, id="part-nul"),
        pytest.param(
            "/template-parts", {"kind": "PARTIAL", "name": "a", "body": "{{> a}}"}, {201}, id="part-calls-itself"
        ),
        pytest.param(
            "/templates", {"event_type": "e", "channel": "EMAIL", "body": "x", "layout": "\0"}, {422}, id="layout-nul"
        ),
        pytest.param("/templates/{id}/test", {"recipient": {"phone": "\0"}}, {422}, id="test-nul"),
        pytest.param("/templates/{id}/test", {"recipient": {"user_id": "u" * 300}}, {422}, id="test-long"),
        pytest.param(
            "/templates/{id}/test", {"recipient": {}, "variables": {"a": "x" * 300_000}}, {413, 422}, id="test-large"
        ),
        pytest.param("/templates/{id}/test", {"recipient": {}, "variables": _nested(900)}, {202, 422}, id="test-deep"),
        pytest.param("/templates/{id}/test", {"recipient": {}, "tenant_id": "a.b"}, {422}, id="test-tenant"),
    ],
)
async def test_hostile_bodies_are_answered(
    http: aiohttp.ClientSession,
    admin: dict[str, str],
    create_tenant: CreateTenant,
    path: str,
    body: dict[str, Any],
    statuses: set[int],
) -> None:
    """Whatever the body holds, it is the caller's to mend or it works."""
    if "{id}" in path:
        new = {"tenant_id": (await create_tenant()).id, "event_type": "a", "channel": "SMS", "body": "b"}
        _, template = await call(http, "POST", "/templates", admin, new)
        path = path.replace("{id}", template["id"])
    status, answer = await call(http, "POST", path, admin, body)
    assert status in statuses, answer
