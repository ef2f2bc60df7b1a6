"""Hostile texts in the portal: of tenants, their customers, and the servers that endpoints are."""

from collections.abc import AsyncIterator

import pytest

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ledger_pb2
from tests.integration.gateway.portal_visitor import Page, Visitor, endpoint_of, visit
from tests.integration.gateway.webhook_world import World, webhook_world

# Each would run, or break out of its place, where it is not escaped.
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "'><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "</title></textarea></pre><script>alert(1)</script>",
    "javascript:alert(1)",
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The gateway, two tenants, and what stands behind it."""
    async with webhook_world() as made:
        yield made


def _is_harmless(page: Page, hostile: str) -> bool:
    """Return whether the page has the text as text, and nothing of it as markup."""
    tags = {tag for tag, _ in page.tags}
    active = [
        (tag, name, value)
        for tag, known in page.tags
        for name, value in known.items()
        if name.startswith("on") or name == "style" or (name in ("href", "src", "action") and not value.startswith("/"))
    ]
    return not active and tags.isdisjoint({"script", "img", "svg", "iframe", "textarea"}) and hostile in page.text


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_texts_are_shown_as_they_are(world: World, hostile: str) -> None:
    """Names, addresses, descriptions, types, answers, headers, errors: of each field on each page."""
    application_id = world.router.add_application(world.tenant, hostile)
    world.router.add_type(world.tenant, hostile)
    endpoint_id = await endpoint_of(world, application_id)
    endpoint = world.router.endpoints[endpoint_id]
    endpoint.url = endpoint.description = endpoint.disabled_reason = hostile
    endpoint.secrets[0].last4 = hostile
    delivery_id = world.ingest.add_delivery(
        world.tenant, endpoint_id, event_type=hostile, reason=hostile, parked=hostile
    )
    http = trace_pb2.HttpExchange(
        url=hostile, status=200, headers=[trace_pb2.HttpHeader(name=hostile, value=hostile)], body=hostile.encode()
    )
    world.ingest.attempts.append(
        ledger_pb2.Attempt(id=hostile, reason=hostile, detail=hostile, status=trace_pb2.DELIVERY_STATUS_DEAD, http=http)
    )
    visitor = await visit(world, application_id)
    path = f"/portal/endpoints/{endpoint_id}"
    page = await visitor.get(path)
    pages = [
        await visitor.get("/portal"),
        page,
        await visitor.get(f"{path}/deliveries/{delivery_id}"),
        await visitor.press(page, path, url="http://x/", description=hostile),
        await visitor.press(await visitor.get("/portal"), "/portal/endpoints", url=hostile, description=hostile),
    ]
    for shown in pages:
        assert _is_harmless(shown, hostile), shown.source
    # A query chooses among fixed texts only.
    assert hostile not in (await visitor.get("/portal/open/x")).text
    said = await visitor.get(f"{path}?done=%3Cscript%3E")
    assert said.status == 200


async def test_a_hostile_code_is_only_a_value(world: World) -> None:
    """The page of a link shows what stands in its path."""
    page = await Visitor(world).get("/portal/open/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert page.forms["/portal/open"]["code"] == '"><script>alert(1)</script>'
    assert "script" not in {tag for tag, _ in page.tags}
