"""Suppressions by hand, and callbacks from the world: what is taken, and what is refused how."""

import base64
import io
import urllib.parse
from typing import Any

import aiohttp
import pytest

from runtime.ids import new_id
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

BASE = "/api/v1/admin"
BODY = "<mjml><mj-body><mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section></mj-body></mjml>"


class Admin:
    """The operator's calls."""

    def __init__(self, http: aiohttp.ClientSession, headers: dict[str, str]) -> None:
        self._http = http
        self._headers = headers

    async def call(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        """Return the answer's status and JSON; None where there is no body."""
        sent = {"json": body} if body else {}
        async with self._http.request(method, BASE + path, headers=self._headers, **sent) as answer:  # type: ignore[arg-type]
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None


@pytest.fixture
def operator(http: aiohttp.ClientSession, admin: dict[str, str]) -> Admin:
    """The operator's calls."""
    return Admin(http, admin)


async def _provider(operator: Admin, tenant: Tenant, kind: str, **settings: Any) -> str:
    channel = "SMS" if kind in ("twilio", "africastalking") else "EMAIL"
    status, made = await operator.call(
        "POST", "/providers", tenant_id=tenant.id, channel=channel, kind=kind, settings=settings
    )
    assert status == 201, made
    return str(made["id"])


async def test_an_operator_adds_looks_up_and_lifts(operator: Admin, create_tenant: CreateTenant) -> None:
    """The address is hidden in every answer; the next event is told why it is skipped, until the lift."""
    tenant = await create_tenant()
    await _provider(operator, tenant, "sandbox", from_email="us@acorn.example")
    template = {"tenant_id": tenant.id, "event_type": "letter", "channel": "EMAIL", "body": BODY, "activate": True}
    assert (await operator.call("POST", "/templates", **template))[0] == 201
    wanted = {"tenant_id": tenant.id, "channel": "EMAIL", "address": "Ada@Example.com", "detail": "by telephone"}
    status, made = await operator.call("POST", "/suppressions", **wanted)
    assert status == 201
    assert made == {
        "id": made["id"],
        "tenant_id": tenant.id,
        "channel": "EMAIL",
        "address": "a…@example.com",
        "reason": "manual",
        "source": "operator",
        "detail": "by telephone",
        "created_at": made["created_at"],
    }
    assert (await operator.call("POST", "/suppressions", **wanted))[1]["id"] == made["id"]
    explain = f"/route-explain?tenant_id={tenant.id}&event_type=letter&user_id=u&email=ada@example.com"

    async def reason(expected: str | None) -> bool:
        return [one["reason"] for one in (await operator.call("GET", explain))[1]["deliveries"]] == [expected]

    await eventually(lambda: reason("suppressed_manual"))
    for query in ("", "&channel=EMAIL", "&reason=manual", "&address=ADA@example.com"):
        status, page = await operator.call("GET", f"/suppressions?tenant_id={tenant.id}{query}")
        assert (status, page) == (200, {"data": [made], "next_cursor": None})
    for query in ("&channel=SMS", "&reason=bounced", "&address=bob@example.com"):
        assert (await operator.call("GET", f"/suppressions?tenant_id={tenant.id}{query}"))[1]["data"] == []
    assert (await operator.call("DELETE", f"/suppressions/{made['id']}"))[0] == 204
    assert (await operator.call("DELETE", f"/suppressions/{made['id']}"))[0] == 404
    await eventually(lambda: reason(None))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"channel": "PUSH"}, "channel", id="push"),
        pytest.param({"channel": "FAX"}, "channel", id="unknown-channel"),
        pytest.param({"channel": "WEBHOOK"}, "channel", id="not-of-people"),
        pytest.param({"address": "ada"}, "address", id="no-address"),
        pytest.param({"reason": "whim"}, "reason", id="unknown-reason"),
    ],
)
async def test_a_wrong_field_is_named(
    operator: Admin, create_tenant: CreateTenant, change: dict[str, str], field: str
) -> None:
    """422, with its path."""
    tenant = await create_tenant()
    body = {"tenant_id": tenant.id, "channel": "EMAIL", "address": "ada@example.com", **change}
    status, problem = await operator.call("POST", "/suppressions", **body)
    assert status == 422
    assert [fault["field"].rpartition(".")[2] for fault in problem["errors"]] == [field]


async def test_an_unknown_tenant_and_a_wrong_query(operator: Admin) -> None:
    """404 and 422."""
    body = {"tenant_id": new_id(), "channel": "EMAIL", "address": "ada@example.com"}
    assert (await operator.call("POST", "/suppressions", **body))[0] == 404
    for query in ("?address=ada@example.com", "?reason=whim", "?channel=FAX", "?cursor=x", "?limit=0"):
        assert (await operator.call("GET", f"/suppressions{query}"))[0] == 422, query
    assert (await operator.call("DELETE", "/suppressions/x"))[0] == 404


async def test_each_provider_says_where_it_is_called_back(operator: Admin, create_tenant: CreateTenant) -> None:
    """With what the check of its signature still wants."""
    tenant = await create_tenant()
    resend = await _provider(operator, tenant, "resend", api_key="re_123", from_email="us@acorn.example")
    africa = await _provider(operator, tenant, "africastalking", username="sandbox", api_key="atsk_1")
    sandbox = await _provider(operator, tenant, "sandbox", from_email="us@acorn.example")
    status, callback = await operator.call("GET", f"/providers/{resend}/callback")
    assert status == 200
    assert urllib.parse.urlsplit(callback["url"]).path.startswith(f"/callbacks/{resend}/")
    assert (callback["proof"], callback["ready"], callback["setting"]) == ("signature", False, "webhook_secret")
    for junk in ("junk!!", "whsec_abc"):
        status, problem = await operator.call("PATCH", f"/providers/{resend}", settings={"webhook_secret": junk})
        assert (status, [fault["field"] for fault in problem["errors"]]) == (422, ["settings.webhook_secret"])
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    status, changed = await operator.call(
        "PATCH", f"/providers/{resend}", settings={"webhook_secret": f" v1,{secret}\n"}
    )
    assert (status, changed["settings"]["webhook_secret"]) == (200, f"…{secret[-4:]}")

    async def is_ready() -> bool:
        return bool((await operator.call("GET", f"/providers/{resend}/callback"))[1]["ready"])

    await eventually(is_ready)
    callback = (await operator.call("GET", f"/providers/{africa}/callback"))[1]
    assert (callback["proof"], callback["ready"], callback["setting"]) == ("url", True, None)
    assert (await operator.call("GET", f"/providers/{sandbox}/callback"))[0] == 404
    assert (await operator.call("GET", "/providers/nobody/callback"))[0] == 404


async def test_a_callback_is_refused_before_it_is_read(
    operator: Admin, http: aiohttp.ClientSession, create_tenant: CreateTenant
) -> None:
    """An unknown URL 404, a body that is too large 413, packed 415, unsigned 403, no report 422; else 204."""
    tenant = await create_tenant()
    africa = await _provider(operator, tenant, "africastalking", username="sandbox", api_key="atsk_1")
    resend = await _provider(operator, tenant, "resend", api_key="re_123", from_email="us@acorn.example")
    url = {one: (await operator.call("GET", f"/providers/{one}/callback"))[1]["url"] for one in (africa, resend)}
    path = {one: urllib.parse.urlsplit(text).path for one, text in url.items()}
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    async def post(to: str, data: bytes, **headers: str) -> int:
        async with http.post(to, data=io.BytesIO(data), headers={**form, **headers}) as answer:
            return answer.status

    known = b"id=unknown-to-us&status=Success"
    assert await post(path[africa], known) == 204
    assert await post(path[africa] + "x", known) == 404
    assert await post(path[africa].replace(africa, resend), known) == 404
    assert await post(path[africa].replace(africa, new_id()), known) == 404
    assert await post(path[resend], b"{}") == 403
    assert await post(path[africa], b"x" * (1024 * 1024 + 1)) == 413
    assert await post(path[africa], known, **{"Content-Encoding": "gzip"}) == 415
    assert await post(path[africa], b"{}", **{"Content-Type": "application/json"}) == 422
    assert (await operator.call("DELETE", f"/providers/{africa}"))[0] == 204

    async def is_gone() -> bool:
        return await post(path[africa], known) == 404

    await eventually(is_gone)


async def test_a_link_that_is_not_ours_is_a_page(http: aiohttp.ClientSession) -> None:
    """404 for people, whether looked at or clicked; nothing may run or load on it."""
    for method in ("GET", "POST"):
        async with http.request(method, "/unsubscribe/AAAA") as answer:
            assert (answer.status, answer.content_type) == (404, "text/html")
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "This link is not valid" in await answer.text()
    async with http.post("/unsubscribe/AAAA", data=b"x" * 5000) as answer:
        assert answer.status == 413
