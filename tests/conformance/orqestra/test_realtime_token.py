"""API Reference, "Request a real-time token"."""

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from typing import Any

from checks import listener
from checks.client import Answer
from checks.waiting import until
from tests.conformance.orqestra.conftest import Shop, assert_refused, event

PATH = "/api/v1/auth/realtime-token"
TWO_HOURS_S = 2 * 60 * 60


async def ask(shop: Shop, body: Any, headers: dict[str, str] | None = None) -> Answer:
    """POST a body with the tenant's key, or other headers."""
    sent = headers if headers is not None else {"x-api-key": shop.tenant.api_key}
    return await shop.tenant.http.call("POST", PATH, headers=sent, json=body)


def claims(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a JWT's header and claims, unverified."""
    header, body, _ = token.split(".")
    return json.loads(urlsafe_b64decode(header + "==")), json.loads(urlsafe_b64decode(body + "=="))


async def test_content_type(shop: Shop) -> None:
    """Required: another one is 415."""
    answer = await ask(shop, {"userId": "u"}, {"x-api-key": shop.tenant.api_key, "Content-Type": "text/plain"})
    assert_refused(answer, 415, "Unsupported Media Type", "application/json")


async def test_x_api_key(shop: Shop) -> None:
    """Required."""
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": "0" * 64}):
        assert_refused(await ask(shop, {"userId": "u"}, headers), 401, "Unauthorized")


async def test_request_body(shop: Shop) -> None:
    """{"userId"}: as printed it is answered, without one it is a validation error."""
    assert (await ask(shop, {"userId": "uuid-of-logged-in-user"})).status == 200
    wrongs: list[Any] = [{}, {"userId": ""}, {"userId": None}, {"userId": 7}, []]
    for wrong in wrongs:
        assert_refused(await ask(shop, wrong), 422, "Validation Error")


async def test_response(shop: Shop) -> None:
    """{"token", "channels"} and no more; the token begins as the printed one does, for it is HS256."""
    body = (await ask(shop, {"userId": "uuid-of-logged-in-user"})).body
    assert set(body) == {"token", "channels"}
    assert body["token"].startswith("eyJhbGciOiJIUzI1NiIs")
    assert claims(body["token"])[0]["alg"] == "HS256"


async def test_channels(shop: Shop) -> None:
    """global_system and the namespaces of the tenant's PUSH templates, each with the same part behind the #."""
    await shop.template("order.confirmed", "PUSH")
    await shop.template("invoice.due", "PUSH", push_namespace="billing")

    async def named() -> list[str] | None:
        channels: list[str] = (await ask(shop, {"userId": "u"})).body["channels"]
        return channels if len(channels) == 3 else None

    channels = await until(named, "the namespaces of both templates", deadline=30)
    parts = [channel.split("#") for channel in channels]
    assert sorted(part[0] for part in parts) == ["billing", "global_system", "orders"]
    assert parts[0][0] == "global_system"
    assert len({part[1] for part in parts}) == 1


async def test_channels_departure(shop: Shop) -> None:
    """On purpose: behind the # stands a name of (tenant, user), else tenants with equal user ids would meet."""
    other = await shop.operator.create_tenant("Another shop")
    mine, theirs = await shop.tenant.token("u"), await other.token("u")
    assert not set(mine["channels"]) & set(theirs["channels"])
    assert mine["channels"] == (await shop.tenant.token("u"))["channels"]


async def test_connects(shop: Shop) -> None:
    """It is a Centrifugo connection token: the client connects, subscribes to what it was given, and is pushed to."""
    await shop.template("order.confirmed", "PUSH")

    async def granted() -> dict[str, Any] | None:
        token = await shop.tenant.token("u")
        return token if len(token["channels"]) == 2 else None

    token = await until(granted, "the template's namespace", deadline=30)
    http = shop.tenant.http
    async with listener.connected(http.session, http.url, token["token"]) as page:
        for name in token["channels"]:
            assert "subscribe" in await page.subscribe(name)
        await shop.tenant.accept(event(payload={"userId": "u"}))
        pushed = await asyncio.wait_for(page.on_push.get(), 30)
    assert pushed.channel in token["channels"]
    assert pushed.data["title"] == "Order ORD-2026-1234"
    assert pushed.data["eventType"] == "order.confirmed"


async def test_expires_after_two_hours(shop: Shop) -> None:
    """By its own claims."""
    before = int(time.time())
    told = claims((await ask(shop, {"userId": "u"})).body["token"])[1]
    assert told["exp"] - told["iat"] == TWO_HOURS_S
    assert before <= told["iat"] <= time.time()


async def test_refresh(shop: Shop) -> None:
    """A client's getToken asks for another one, and goes on with it over the same connection."""
    http = shop.tenant.http
    async with listener.connected(http.session, http.url, (await shop.tenant.token("u"))["token"]) as page:
        fresh = await shop.tenant.token("u")
        reply = await page.ask("refresh", {"token": fresh["token"]})
        assert reply["refresh"]["expires"] is True
        assert TWO_HOURS_S - 120 < reply["refresh"]["ttl"] <= TWO_HOURS_S
        assert "subscribe" in await page.subscribe(fresh["channels"][0])
