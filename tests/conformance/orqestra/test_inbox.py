"""API Reference, "Fetch notification history" and "Mark notification as read"."""

import asyncio
import re
from typing import Any

import pytest

from checks.client import Answer
from tests.conformance.orqestra.conftest import Shop, assert_refused, event

DENIED = {"success": False, "message": "Notification not found or access denied."}


async def filled(shop: Shop, count: int = 1, user_id: str = "u") -> list[dict[str, Any]]:
    """Give a user so many notifications; return them as listed, newest first."""
    await shop.template("order.confirmed", "PUSH", "Your order {{orderNumber}} has been confirmed.", subject="No {{n}}")

    async def one(number: int) -> None:
        variables = {"n": number, "orderNumber": "ORD-2026-1234"}
        await shop.end(await shop.tenant.trigger(event(payload={"userId": user_id}, variables=variables)))

    if count > 10:  # nobody asks for their order
        await asyncio.gather(*[one(number) for number in range(count)])
    else:
        for number in range(count):
            await one(number)
    return await shop.inbox(user_id)


async def listed(shop: Shop, query: str = "", *, user_id: str = "u", headers: dict[str, str] | None = None) -> Answer:
    """GET an inbox, with the tenant's key or other headers."""
    sent = headers if headers is not None else {"x-api-key": shop.tenant.api_key}
    return await shop.tenant.http.call("GET", shop.tenant.inbox_path(user_id) + query, headers=sent)


async def test_history(shop: Shop) -> None:
    """{"success", "data"}, each entry with exactly the printed fields."""
    await filled(shop)
    answer = await listed(shop)
    assert (answer.status, set(answer.body), answer.body["success"]) == (200, {"success", "data"}, True)
    (entry,) = answer.body["data"]
    assert set(entry) == {"id", "type", "title", "body", "status", "created_at"}
    assert (entry["type"], entry["title"], entry["status"]) == ("order.confirmed", "No 0", "UNREAD")
    assert entry["body"] == "Your order ORD-2026-1234 has been confirmed."
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entry["created_at"])


async def test_history_push_channel_only(shop: Shop) -> None:
    """What went by e-mail or SMS is not in it."""
    await shop.templates("order.confirmed", ["EMAIL", "SMS"])
    body = event()
    await shop.end(await shop.tenant.trigger(body))
    assert (await listed(shop, user_id=body["payload"]["userId"])).body == {"success": True, "data": []}


async def test_history_x_api_key(shop: Shop) -> None:
    """Required; a key of another tenant sees nothing."""
    await filled(shop)
    for headers in ({}, {"x-api-key": "0" * 64}):
        assert_refused(await listed(shop, headers=headers), 401, "Unauthorized")
    other = await shop.operator.create_tenant("Another shop")
    assert (await listed(shop, headers={"x-api-key": other.api_key})).body == {**DENIED, "data": []}


async def test_history_limit(shop: Shop) -> None:
    """How many at most."""
    await filled(shop, 3)
    for limit in (1, 2, 3, 50):
        assert len((await listed(shop, f"?limit={limit}")).body["data"]) == min(limit, 3)


async def test_history_limit_default(shop: Shop) -> None:
    """50, of 51."""
    await filled(shop, 51)
    assert len((await listed(shop)).body["data"]) == 50
    assert len((await listed(shop, "?limit=51")).body["data"]) == 51


async def test_history_offset(shop: Shop) -> None:
    """From the newest on: 0 by default, the rest behind it, then nothing."""
    whole = [entry["title"] for entry in await filled(shop, 3)]
    assert whole == ["No 2", "No 1", "No 0"]
    for offset in (0, 1, 2, 3, 100):
        shown = [entry["title"] for entry in (await listed(shop, f"?offset={offset}")).body["data"]]
        assert shown == whole[offset:]
    assert (await listed(shop, "?limit=1&offset=1")).body["data"][0]["title"] == "No 1"


@pytest.mark.parametrize("query", ["?limit=x", "?limit=", "?offset=1.5", "?limit=1e3", "?offset=%00"])
async def test_history_odd_numbers(shop: Shop, query: str) -> None:
    """A validation error that names the parameter."""
    assert_refused(await listed(shop, query), 422, "Validation Error", query[1:].partition("=")[0])


async def test_mark_read(shop: Shop) -> None:
    """{"success": true}, again as well; it is READ from now on, and the others are not."""
    newest, older = await filled(shop, 2)
    for _ in range(2):
        answer = await shop.tenant.mark_read("u", newest["id"])
        assert (answer.status, answer.body) == (200, {"success": True})
    shown = {entry["id"]: entry["status"] for entry in await shop.inbox("u")}
    assert shown == {newest["id"]: "READ", older["id"]: "UNREAD"}


async def test_mark_read_x_api_key(shop: Shop) -> None:
    """Required; another tenant's, another user's and no notification are answered alike."""
    (entry,) = await filled(shop)
    path = f"{shop.tenant.inbox_path('u')}/{entry['id']}/read"
    for headers in ({}, {"x-api-key": "0" * 64}):
        assert_refused(await shop.tenant.http.call("PUT", path, headers=headers), 401, "Unauthorized")
    other = await shop.operator.create_tenant("Another shop")
    denied = [
        await shop.tenant.http.call("PUT", path, headers={"x-api-key": other.api_key}),
        await shop.tenant.mark_read("v", entry["id"]),
        await shop.tenant.mark_read("u", "notif-uuid"),
    ]
    assert [(answer.status, answer.body) for answer in denied] == [(200, DENIED)] * 3
    assert (await shop.inbox("u"))[0]["status"] == "UNREAD"
