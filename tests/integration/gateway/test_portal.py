"""The portal: a gateway before services that are played here, and a browser that keeps cookies and sends forms."""

import re
from collections.abc import AsyncIterator

import pytest

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ledger_pb2
from gateway.portal.sessions import COOKIE, SECURE_COOKIE
from runtime.ids import new_id
from tests.fakes.servicer_endpoints import SECRET
from tests.integration.gateway.portal_visitor import Visitor, endpoint_of, link, visit
from tests.integration.gateway.webhook_world import World, webhook_world

_URL = "https://example.com/hooks"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The gateway, two tenants, and what stands behind it."""
    async with webhook_world() as made:
        yield made


async def test_a_link_opens_once(world: World) -> None:
    """Looking at it uses up nothing; the second who opens it gets in nowhere."""
    code = await link(world, world.router.add_application(world.tenant))
    visitor, second = Visitor(world), Visitor(world)
    page = await visitor.get(f"/portal/open/{code}")
    assert (await second.get(f"/portal/open/{code}")).status == 200
    assert (await visitor.press(page, "/portal/open")).status == 303
    again = await second.press(page, "/portal/open")
    assert (again.status, again.headers.get("Set-Cookie")) == (401, None)
    assert (await second.get("/portal")).status == 401
    assert "Walnut Lamps" in (await visitor.get("/portal")).text


async def test_the_session_is_kept_from_scripts_and_other_sites(world: World) -> None:
    """An HttpOnly cookie with an end, and pages that nobody frames, caches or tells the address of."""
    visitor = await visit(world, world.router.add_application(world.tenant))
    parts = {part.strip().lower() for part in visitor.set_cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/portal"} <= parts
    assert any(part.startswith("max-age=") for part in parts)
    assert "secure" not in parts
    headers = (await visitor.get("/portal")).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "strict-origin")


async def test_over_https_the_cookie_is_for_this_host_alone() -> None:
    """Another host of the domain can neither read nor plant it; links begin with the public URL."""
    async with webhook_world("https://notify.example.com/") as world:
        path = f"/tenants/{world.tenant}/applications/{world.router.add_application(world.tenant)}/portal"
        _, link = await world.admin("POST", path, {})
        assert link["url"] == f"https://notify.example.com/portal/open/{link['code']}"
        visitor = Visitor(world)
        opened = await visitor.post("/portal/open", {"code": link["code"]}, Origin="https://notify.example.com")
        assert opened.status == 303
        assert visitor.cookie.startswith(f"{SECURE_COOKIE}=")
        assert {"secure", "httponly", "path=/", "samesite=strict"} <= {
            part.strip().lower() for part in visitor.set_cookie.split(";")
        }
        token = visitor.cookie.partition("=")[2]
        assert (await visitor.get("/portal")).status == 200
        visitor.cookie = f"{COOKIE}={token}"
        assert (await visitor.get("/portal")).status == 401


async def test_an_editor_manages_endpoints(world: World) -> None:
    """Create, change, disable, enable, choose event types, replace and show the secret, test."""
    application_id = world.router.add_application(world.tenant)
    shipped = world.router.add_type(world.tenant, "order.shipped")
    lost = world.router.add_type(world.tenant, "order.lost")
    hidden = world.router.add_type(world.tenant, "internal.audit", published=False)
    visitor = await visit(world, application_id)

    page = await visitor.get("/portal")
    done = await visitor.press(page, "/portal/endpoints", url=f" {_URL} ", description="Orders")
    path = done.headers["Location"].partition("?")[0]
    [endpoint] = world.router.endpoints.values()
    assert (endpoint.tenant_id, endpoint.application_id, endpoint.url) == (world.tenant, application_id, _URL)
    page = await visitor.get(done.headers["Location"])
    assert "The endpoint was created." in page.text
    assert SECRET not in page.source
    assert "internal.audit" not in page.text

    await visitor.press(page, f"{path}/event-types", type=[shipped, hidden])
    assert set(world.router.subscriptions) == {(endpoint.id, shipped)}
    await visitor.press(page, f"{path}/event-types", type=[lost])
    assert set(world.router.subscriptions) == {(endpoint.id, lost)}
    await visitor.press(page, path, url="https://example.com/new", description="")
    assert (endpoint.url, endpoint.description) == ("https://example.com/new", "")
    await visitor.press(page, f"{path}/active")
    assert endpoint.active is False
    await visitor.press(await visitor.get(path), f"{path}/active")
    assert endpoint.active is True

    assert (await visitor.press(page, f"{path}/rotate-secret")).headers["Location"].endswith("?done=rotated")
    assert SECRET in (await visitor.press(page, f"{path}/reveal-secret")).text
    world.ingest.result.accepted.deliveries.add(endpoint_id=endpoint.id, delivery_id=new_id())
    assert (await visitor.press(page, f"{path}/test")).headers["Location"].endswith("?done=tested")
    assert world.ingest.accepted[-1].revision == world.router.revision

    left = await visitor.press(page, "/portal/close")
    assert left.status == 200
    assert not world.router.sessions
    assert (await visitor.get("/portal")).status == 401


async def test_what_the_portal_changes_stands_in_the_audit_log(world: World) -> None:
    """By whom, before it happens, without what was typed and without the secret."""
    application_id = world.router.add_application(world.tenant)
    endpoint_id = await endpoint_of(world, application_id)
    visitor = await visit(world, application_id)
    path = f"/portal/endpoints/{endpoint_id}"
    page = await visitor.get(path)
    await visitor.press(page, f"{path}/reveal-secret")
    begun, finished = world.ingest.begun[-1], world.ingest.audited[-1]
    assert (begun.actor, begun.resource, begun.tenant_id) == (f"portal:{application_id}", endpoint_id, world.tenant)
    assert begun.route == "/portal/endpoints/{endpoint_id}/reveal-secret"
    assert (finished.tenant_id, finished.status) == (world.tenant, 200)
    await visitor.press(page, path, url="https://example.com/typed")
    assert list(world.ingest.audited[-1].fields) == ["url", "description"]
    assert "typed" not in str(world.ingest.begun) + str(world.ingest.audited)


async def test_a_delivery_with_its_attempts_is_sent_again(world: World) -> None:
    """Its exchange is shown without secrets; afterwards it cannot be retried twice."""
    application_id = world.router.add_application(world.tenant)
    endpoint_id = await endpoint_of(world, application_id)
    delivery_id = world.ingest.add_delivery(world.tenant, endpoint_id, reason="endpoint_error")
    http = trace_pb2.HttpExchange(
        url=_URL + "?token=confidential1",
        status=500,
        headers=[trace_pb2.HttpHeader(name="set-cookie", value="confidential2")],
        body=b"no",
    )
    world.ingest.attempts.append(
        ledger_pb2.Attempt(attempt=1, status=trace_pb2.DELIVERY_STATUS_DEAD, reason="endpoint_error", http=http)
    )
    visitor = await visit(world, application_id)
    path = f"/portal/endpoints/{endpoint_id}/deliveries/{delivery_id}"
    assert path in {known.get("href") for _, known in (await visitor.get(f"/portal/endpoints/{endpoint_id}")).tags}
    page = await visitor.get(path)
    assert "HTTP 500" in page.text
    assert "confidential" not in page.source
    assert (await visitor.press(page, f"{path}/retry")).headers["Location"] == f"{path}?done=retried"
    assert f"{path}/retry" not in (await visitor.get(path)).forms
    assert (await visitor.post(f"{path}/retry", page.forms[f"{path}/retry"])).status == 409


_ACTIONS = ("", "/active", "/event-types", "/rotate-secret", "/reveal-secret", "/test", "/deliveries/{delivery}/retry")


@pytest.mark.parametrize("action", _ACTIONS)
@pytest.mark.parametrize("whose", ["another application", "another tenant", "no application"])
async def test_nothing_of_anybody_else_is_there(world: World, action: str, whose: str) -> None:
    """Neither an endpoint nor a delivery of another application or tenant is shown or changed."""
    visitor = await visit(world, world.router.add_application(world.tenant))
    tenant = world.other if whose == "another tenant" else world.tenant
    application_id = world.router.add_application(tenant) if whose != "no application" else ""
    body = {"url": _URL, "application_id": application_id}
    _, made = await world.admin("POST", f"/tenants/{tenant}/endpoints", body)
    delivery_id = world.ingest.add_delivery(tenant, made["id"])
    before = len(world.router.asked)
    path = f"/portal/endpoints/{made['id']}"
    csrf = (await visitor.get("/portal")).forms["/portal/close"]["csrf"]
    typed = {"": {"url": "https://example.com/x"}, "/active": {"active": "no"}}.get(action, {})
    answer = await visitor.post(path + action.format(delivery=delivery_id), {"csrf": csrf, **typed})
    assert answer.status == 404, answer.source
    assert (await visitor.get(path)).status == 404
    assert (await visitor.get(f"{path}/deliveries/{delivery_id}")).status == 404
    assert [type(one).__name__ for one in world.router.asked[before:]] == ["ListEndpointsRequest"]
    assert made["id"] not in (await visitor.get("/portal")).source
    assert world.ingest.deliveries[delivery_id][1].status == trace_pb2.DELIVERY_STATUS_DEAD


async def test_a_delivery_of_a_sibling_endpoint_is_not_there(world: World) -> None:
    """The path names endpoint and delivery: both must belong together."""
    application_id = world.router.add_application(world.tenant)
    one, other = await endpoint_of(world, application_id), await endpoint_of(world, application_id)
    foreign = await endpoint_of(world, "")
    visitor = await visit(world, application_id)
    for owner in (other, foreign):
        delivery_id = world.ingest.add_delivery(world.tenant, owner)
        assert (await visitor.get(f"/portal/endpoints/{one}/deliveries/{delivery_id}")).status == 404


@pytest.mark.parametrize("action", ["/portal/endpoints", *(f"/portal/endpoints/{{endpoint}}{one}" for one in _ACTIONS)])
async def test_a_viewer_looks_and_changes_nothing(world: World, action: str) -> None:
    """The page has no form for it, and the form is refused if it comes anyway."""
    application_id = world.router.add_application(world.tenant)
    endpoint_id = await endpoint_of(world, application_id, url=f"{_URL}?token=confidential")
    delivery_id = world.ingest.add_delivery(world.tenant, endpoint_id)
    visitor = await visit(world, application_id, role="viewer")
    before = len(world.router.asked)
    page = await visitor.get(f"/portal/endpoints/{endpoint_id}")
    forms = {**page.forms, **(await visitor.get("/portal")).forms}
    csrf = forms["/portal/close"]["csrf"]
    path = action.format(endpoint=endpoint_id, delivery=delivery_id)
    assert set(forms) <= {"/portal/close", f"/portal/endpoints/{endpoint_id}/event-types"}
    assert "Save" not in page.text
    assert "confidential" not in page.source + (await visitor.get("/portal")).source
    typed = {"url": _URL} if "url" in action or action.endswith(("endpoints", "{endpoint}")) else {}
    refused = await visitor.post(path, {"csrf": csrf, **typed})
    assert refused.status in (403, 422)
    assert SECRET not in refused.source
    assert {type(one).__name__ for one in world.router.asked[before:]} == {"ListEndpointsRequest"}
    assert world.ingest.deliveries[delivery_id][1].status == trace_pb2.DELIVERY_STATUS_DEAD


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"csrf": ""}, {}),
        ({"csrf": "0" * 64}, {}),
        ({"csrf": "é"}, {}),
        ({"csrf": "of another session"}, {}),
        ({"csrf": "valid"}, {"Origin": "https://evil.example"}),
        ({"csrf": "valid"}, {"Origin": "null"}),
        ({"csrf": "valid"}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf": "valid"}, {"Sec-Fetch-Site": "same-site"}),
        ({"csrf": "valid"}, {"Sec-Fetch-Site": "none"}),
    ],
)
async def test_a_forged_form_changes_nothing(world: World, fields: dict[str, str], headers: dict[str, str]) -> None:
    """Without this session's token, or from another site."""
    application_id = world.router.add_application(world.tenant)
    endpoint_id = await endpoint_of(world, application_id)
    visitor, other = await visit(world, application_id), await visit(world, application_id)
    path = f"/portal/endpoints/{endpoint_id}/active"
    known = {
        "valid": (await visitor.get("/portal")).forms["/portal/close"]["csrf"],
        "of another session": (await other.get("/portal")).forms["/portal/close"]["csrf"],
    }
    typed = {name: known.get(value, value) for name, value in fields.items()}
    before = len(world.ingest.begun)
    assert (await visitor.post(path, {**typed, "active": "no"}, **headers)).status == 403
    assert world.router.endpoints[endpoint_id].active
    assert len(world.ingest.begun) == before
    assert (await visitor.post(path, {"csrf": known["valid"], "active": "no"})).status == 303


async def test_another_site_cannot_open_its_own_portal_in_a_visitors_browser(world: World) -> None:
    """Else the visitor would type a secret address into a stranger's application."""
    code = await link(world, world.router.add_application(world.tenant))
    answer = await Visitor(world).post("/portal/open", {"code": code}, Origin="https://evil.example")
    assert (answer.status, answer.headers.get("Set-Cookie")) == (403, None)
    assert code in world.router.links


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded", b"a=1&" * 20_000, 413),
        ("application/x-www-form-urlencoded", b"a=1&" * 601, 422),
        ("application/x-www-form-urlencoded", b"code=%ff", 422),
        ("application/x-www-form-urlencoded", b"code=\xff", 422),
        ("application/x-www-form-urlencoded", b"code=%00", 422),
        ("application/x-www-form-urlencoded", b"code=a&code=b", 422),
        ("application/x-www-form-urlencoded", b"code=a&other=b", 422),
        ("application/x-www-form-urlencoded", b"", 401),
        ("application/x-www-form-urlencoded", b"code=" + b"x" * 300, 401),
    ],
)
async def test_a_form_that_is_none_is_refused(world: World, kind: str, body: bytes, status: int) -> None:
    """With a page, never with a fault of ours."""
    headers = {"Content-Type": kind}
    async with world.http.post("/portal/open", data=body, headers=headers, allow_redirects=False) as answer:
        assert answer.status == status
        assert answer.content_type == "text/html"


@pytest.mark.parametrize("cookie", ["", "x", "é", "x" * 300, "a b", '"'])
async def test_a_cookie_that_is_none_opens_nothing(world: World, cookie: str) -> None:
    """Each page says where a link comes from."""
    visitor = Visitor(world)
    visitor.cookie = f"{COOKIE}={cookie}"
    page = await visitor.get("/portal")
    assert (page.status, "Ask for a new one" in page.text) == (401, True)


async def test_who_guesses_links_is_slowed_down_and_a_session_is_not() -> None:
    """Past the limit of an address each further failure is 429; who has a link, or a session, gets in."""
    async with webhook_world(auth_failures_per_minute=3) as world:
        application_id = world.router.add_application(world.tenant)
        visitor = await visit(world, application_id)
        guesser = Visitor(world)
        guesses = [await guesser.post("/portal/open", {"code": f"guess{number}"}) for number in range(5)]
        assert [page.status for page in guesses] == [401, 401, 401, 429, 429]
        assert int(guesses[-1].headers["Retry-After"]) > 0
        guesser.cookie = f"{COOKIE}=guess"
        assert (await guesser.get("/portal")).status == 429
        assert (await visitor.get("/portal")).status == 200
        assert (await visit(world, application_id)).cookie


async def test_the_portal_of_an_inactive_tenant_is_closed(world: World) -> None:
    """As its keys are."""
    visitor = await visit(world, world.router.add_application(world.tenant))
    world.ingest.inactive.add(world.tenant)
    assert (await visitor.get("/portal")).status == 401


async def test_a_wrong_address_is_told_with_what_was_typed(world: World) -> None:
    """Nothing has to be typed twice."""
    application_id = world.router.add_application(world.tenant)
    visitor = await visit(world, application_id)
    page = await visitor.press(
        await visitor.get("/portal"), "/portal/endpoints", url="http://10.0.0.1/", description="mine"
    )
    assert (page.status, "url must be an https URL" in page.text) == (422, True)
    assert page.forms["/portal/endpoints"]["url"] == "http://10.0.0.1/"
    assert page.forms["/portal/endpoints"]["description"] == "mine"


async def test_no_log_line_has_a_code_or_a_token(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines name the pattern of a path, and no cookie."""
    application_id = world.router.add_application(world.tenant)
    code = await link(world, application_id)
    visitor = Visitor(world)
    page = await visitor.get(f"/portal/open/{code}")
    await visitor.press(page, "/portal/open")
    await visitor.get("/portal")
    told = capsys.readouterr()
    lines = told.out + told.err
    assert "/portal/open/{code}" in lines
    assert code not in lines
    assert visitor.cookie.partition("=")[2] not in lines


async def test_the_style_is_one_file_that_loads_nothing(world: World) -> None:
    """No font, image or import from anywhere."""
    async with world.http.get("/portal/portal.css") as answer:
        style = await answer.text()
    assert "color-scheme: light dark" in style
    assert not re.search(r"url\(|@import|expression", style)
