"""The inbox API for pages, and the file of the web component, on real services."""

import base64
import hashlib
import re
from typing import Any

import aiohttp
import pytest
from yarl import URL

from gateway.inbox import component
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.integration.gateway.test_inbox import ask, bearer, token_of
from tests.waiting import eventually

_TYPE = "global.info"


def path(tenant: Tenant, rest: str = "", user_id: str = "u") -> str:
    """Return the path of a user's inbox."""
    return f"/api/v1/inbox/{tenant.id}/{user_id}{rest}"


async def notified(http: aiohttp.ClientSession, tenant: Tenant, count: int) -> dict[str, str]:
    """Send the user u this many pushes; return the headers that open the inbox, once all are there."""
    headers = bearer((await token_of(http, tenant, "u"))["token"])
    for number in range(count):
        event = {
            "eventType": _TYPE,
            "channels": ["PUSH"],
            "payload": {"userId": "u"},
            "variables": {"title": f"T{number}", "message": "M"},
        }
        async with http.post("/api/v1/events/trigger", json=event, headers=tenant.headers) as answer:
            assert answer.status == 200, await answer.text()

    async def all_there() -> bool:
        _, body = await ask(http, path(tenant, "?limit=100"), headers)
        return len(body["data"]) == count

    await eventually(all_there)
    return headers


async def test_pages_follow_each_other_whatever_arrives(
    http: aiohttp.ClientSession, create_tenant: CreateTenant
) -> None:
    """Newest first by a cursor, with the number of unread; the last page says that it is the last."""
    tenant = await create_tenant()
    headers = await notified(http, tenant, 5)
    _, first = await ask(http, path(tenant, "?limit=2"), headers)
    assert set(first) == {"data", "unread", "next_cursor"}
    assert set(first["data"][0]) == {"id", "event_type", "title", "body", "read", "created_at"}
    assert (first["unread"], len(first["data"])) == (5, 2)
    await notified(http, tenant, 6)
    seen = [one["id"] for one in first["data"]]
    page = first
    while page["next_cursor"]:
        _, page = await ask(http, path(tenant, f"?limit=2&cursor={page['next_cursor']}"), headers)
        seen += [one["id"] for one in page["data"]]
    assert len(seen) == len(set(seen)) == 5


async def test_a_cursor_is_good_for_its_own_inbox(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """Another's, an invented one, and any other parameter are refused by name."""
    tenant, other = await create_tenant(), await create_tenant()
    headers = await notified(http, tenant, 2)
    _, page = await ask(http, path(tenant, "?limit=1"), headers)
    theirs = bearer((await token_of(http, other, "u"))["token"])
    status, body = await ask(http, path(other, f"?cursor={page['next_cursor']}"), theirs)
    assert (status, body["errors"][0]["field"]) == (422, "cursor")
    for wrong in ("cursor=x", "limit=0", "limit=101", "offset=1", "cursor="):
        status, body = await ask(http, path(tenant, f"?{wrong}"), headers)
        assert (status, body["errors"][0]["field"]) == (422, wrong.partition("=")[0])


async def test_one_and_all_are_marked_as_read(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """All up to the one that was seen: what came later stays unread. The rest is counted in each answer."""
    tenant = await create_tenant()
    headers = await notified(http, tenant, 4)
    _, page = await ask(http, path(tenant), headers)
    ids = [one["id"] for one in page["data"]]
    assert await ask(http, path(tenant, f"/{ids[0]}/read"), headers, "PUT") == (200, {"unread": 3})

    async def mark_all(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        async with http.put(path(tenant, "/read"), json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    assert await mark_all({"until": ids[2]}) == (200, {"unread": 1})
    _, page = await ask(http, path(tenant), headers)
    assert [one["read"] for one in page["data"]] == [True, False, True, True]
    assert (await mark_all({"until": "01a1fe7a-0000-7000-8000-000000000000"}))[0] == 404
    assert (await mark_all({"until": "\0"}))[0] == 404
    assert (await mark_all({"untill": ids[0]}))[0] == 422
    assert await mark_all({}) == (200, {"unread": 0})
    for unknown in ("01a1fe7a-0000-7000-8000-000000000000", "nonsense", "n%00"):
        assert (await ask(http, path(tenant, f"/{unknown}/read"), headers, "PUT"))[0] == 404


async def test_a_token_opens_its_own_inbox_only(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """No key, no cookie, no other user's token, for none of the calls."""
    tenant, other = await create_tenant(), await create_tenant()
    headers = await notified(http, tenant, 1)
    strangers = [
        {},
        tenant.headers,
        {"Cookie": "session=x"},
        bearer("x"),
        bearer((await token_of(http, tenant, "v"))["token"]),
        bearer((await token_of(http, other, "u"))["token"]),
    ]
    _, page = await ask(http, path(tenant), headers)
    for stranger in strangers:
        for method, rest in (("GET", ""), ("PUT", "/read"), ("PUT", f"/{page['data'][0]['id']}/read")):
            status, body = await ask(http, path(tenant, rest), stranger, method)
            assert (status, body["type"]) == (401, "urn:clarion:problem:unauthenticated")
    assert (await ask(http, path(tenant), headers))[1]["unread"] == 1


@pytest.mark.parametrize("user_id", ["..", "a/b", "%2F", "ü😀", "a{b}", "x,victim"])
async def test_odd_ids_arrive_as_they_are(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, user_id: str
) -> None:
    """Encoded as the component does it."""
    tenant = await create_tenant()
    token = (await token_of(http, tenant, user_id))["token"]
    encoded = "".join(f"%{byte:02X}" for byte in user_id.encode())
    assert (await ask(http, path(tenant, "", encoded), bearer(token)))[0] == 200


async def test_pages_of_any_origin_may_call(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """With a token, not with cookies; errors are readable, too. The admin API does not answer other origins."""
    tenant = await create_tenant()
    token = (await token_of(http, tenant, "u"))["token"]
    asking = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    for rest in ("", "/read", "/n/read"):
        async with http.options(path(tenant, rest), headers=asking) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
            assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
            assert "Access-Control-Allow-Credentials" not in answer.headers
    for sent, status in ((bearer(token), 200), ({}, 401)):
        async with http.get(path(tenant), headers=sent) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, "*")
    async with http.options("/api/v1/admin/tenants", headers=asking) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with http.delete(URL(path(tenant)), headers=bearer(token)) as answer:
        assert answer.status == 404


async def test_the_component_is_loaded_from_anywhere_and_checked(http: aiohttp.ClientSession) -> None:
    """Its hash is that of the file; a browser that has it is told so; compressed for those that take it."""
    async with http.get("/inbox/integrity.json") as answer:
        told = await answer.json()
    async with http.get(told["src"], headers={"Accept-Encoding": "identity"}) as answer:
        body = await answer.read()
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        tag = answer.headers["ETag"]
    assert told["integrity"] == "sha384-" + base64.b64encode(hashlib.sha384(body).digest()).decode()
    async with http.get(told["src"], headers={"If-None-Match": tag, "Accept-Encoding": "identity"}) as answer:
        assert answer.status == 304
    async with http.get(told["src"], headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert await answer.read() == body


def test_the_component_needs_nothing_else() -> None:
    """No import, no source map, no markup made from texts, and not more than a page can bear."""
    file = component.found()
    assert file is not None
    text = file.read_text()
    assert not re.search(r"\bimport\s*[({\"']|\bfrom\s*[\"']", text)
    for absent in ("sourceMappingURL", "innerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert absent not in text
    assert file.with_name(f"{file.name}.gz").stat().st_size < 45_000
