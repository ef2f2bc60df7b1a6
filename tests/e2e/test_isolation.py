"""Two tenants with the same user ids: nothing of one can be read, followed, marked or found by the other."""

import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import jwt
import pytest
import pytest_asyncio

from checks import listener
from checks.client import Client, Tenant
from checks.waiting import CheckError, until
from stack.client import Running
from tests.e2e.pages import online, refusal

DENIED = {"success": False, "message": "Notification not found or access denied."}
PERMISSION_DENIED, NOT_AVAILABLE = 103, 108
EVENT_TYPE = "note"
USER_IDS = [
    "victim",
    "x,victim",
    "a#b",
    "a:b",
    "*",
    ">",
    "../victim",
    "%2e%2e",
    "ü😀\u202e",
    "victim\n",
    " victim",
    "l" * 255,
]


@dataclass(frozen=True)
class Pair:
    """An attacker and the tenant it is after."""

    a: Tenant
    b: Tenant


@pytest_asyncio.fixture(loop_scope="session")
async def pair(client: Client) -> Pair:
    """Two new tenants, each with a push template in the same namespace."""
    tenants = [await client.operator.create_tenant(name) for name in ("Mallory", "Bob")]
    for tenant in tenants:
        await client.operator.create_template(
            tenant, EVENT_TYPE, "PUSH", "{{text}}", subject="{{text}}", push_namespace="orders"
        )
    return Pair(*tenants)


def bearer(token: str) -> dict[str, str]:
    """Return what a browser shows."""
    return {"Authorization": f"Bearer {token}"}


async def push(client: Client, tenant: Tenant, user_id: str, text: str) -> dict[str, Any]:
    """Push a text to a user; return the notification once it is in the inbox and everything was published."""
    event = {"eventType": EVENT_TYPE, "payload": {"userId": user_id}, "variables": {"text": text}}
    event_id = await tenant.accept(event)
    await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    kept = (await tenant.inbox(user_id)).body["data"]
    return next(item for item in kept if item["title"] == text)


@pytest.mark.parametrize("user_id", USER_IDS)
async def test_the_same_user_id_is_two_people(client: Client, pair: Pair, user_id: str) -> None:
    """A's token neither reads nor marks B's inbox, and neither hears nor may hear B's channels; A's own works."""
    a, b = pair.a, pair.b
    mine, theirs = await a.token(user_id), await b.token(user_id)
    assert not set(mine["channels"]) & set(theirs["channels"])
    async with online(client.http.url, mine["token"]) as page:
        diaries = await page.subscribe([*mine["channels"], *theirs["channels"]])
        assert all(diaries[channel].subscribed for channel in mine["channels"])
        assert {diaries[channel].refused for channel in theirs["channels"]} == {PERMISSION_DENIED}
        secret = await push(client, b, user_id, "for Bob")
        own = await push(client, a, user_id, "for Mallory")
        [channel] = [channel for channel in mine["channels"] if channel.startswith("orders#")]
        await until(_has(diaries[channel].data), "A's own push", deadline=30)
        assert [data["title"] for diary in diaries.values() for data in diary.data] == ["for Mallory"]

    path, token = b.inbox_path(user_id), bearer(mine["token"])
    assert (await b.inbox(user_id, headers=token)).status == 401
    assert (await b.mark_read(user_id, secret["id"], headers=token)).status == 401
    assert (await client.http.call("GET", f"{path}/unread-count", headers=token)).status == 401
    # A's own inbox does not know B's notification, for the token and for the key.
    for headers in (token, {"x-api-key": a.api_key}):
        assert (await a.mark_read(user_id, secret["id"], headers=headers)).body == DENIED
        assert [item["id"] for item in (await a.inbox(user_id, headers=headers)).body["data"]] == [own["id"]]
    [kept] = (await b.inbox(user_id, headers=bearer(theirs["token"]))).body["data"]
    assert (kept["id"], kept["status"]) == (secret["id"], "UNREAD")


def _has(data: list[Any]) -> Any:
    async def has() -> bool:
        return bool(data)

    return has


async def test_a_key_opens_no_other_tenants_path(client: Client, pair: Pair) -> None:
    """B's path with A's key looks as if nothing were there, like that of a tenant that does not exist."""
    secret = await push(client, pair.b, "victim", "for Bob")
    key = {"x-api-key": pair.a.api_key}
    nobody = Tenant(client.http, "01a1fe7a-0000-7000-8000-000000000000", "")
    for tenant in (pair.b, nobody):
        for answer in (
            await tenant.inbox("victim", headers=key),
            await client.http.call("GET", f"{tenant.inbox_path('victim')}/unread-count", headers=key),
            await tenant.mark_read("victim", secret["id"], headers=key),
        ):
            assert answer.status == 200
            assert DENIED.items() <= answer.body.items()
            assert not answer.body.get("data")
            assert not answer.body.get("unread")
    assert await pair.b.unread("victim") == 1


@pytest.mark.parametrize("user_id", ["", "l" * 256, "a\0b"])
async def test_what_is_no_user_id_is_refused(pair: Pair, user_id: str) -> None:
    """422 on the trigger and on the token; nothing is opened in the path."""
    event = {"eventType": EVENT_TYPE, "payload": {"userId": user_id}, "variables": {"text": "x"}}
    answer = await pair.a.trigger(event)
    assert (answer.status, answer.body["error"]) == (422, "Validation Error")
    assert "payload.userId" in answer.body["message"]
    key = {"x-api-key": pair.a.api_key}
    answer = await pair.a.http.call("POST", "/api/v1/auth/realtime-token", headers=key, json={"userId": user_id})
    assert (answer.status, answer.body["error"]) == (422, "Validation Error")
    assert (await pair.a.inbox(user_id)).status == (422 if user_id else 404)


async def test_a_page_only_listens_and_only_to_its_own(client: Client, pair: Pair) -> None:
    """Channels made up from its own and B's names are refused or silent; it neither publishes nor looks around."""
    mine, theirs = await pair.a.token("victim"), await pair.b.token("victim")
    [own] = [channel for channel in mine["channels"] if channel.startswith("orders#")]
    [other] = [channel for channel in theirs["channels"] if channel.startswith("orders#")]
    me, them = own.partition("#")[2], other.partition("#")[2]
    never = [
        other,
        f"global_system#{them}",
        "orders",
        "orders#",
        "orders#victim",
        f"orders#{me}x",
        "orders#*",
        "*",
        ">",
    ]
    never += [f"${other}", f"x:{other}", f"orders:{own}", f"{own}#{them}", "orders#*,victim"]
    # A channel of several users is open to each of them. Nothing is ever published there.
    shared = [f"orders#{me},{them}", f"orders#{them},{me}"]
    async with online(client.http.url, mine["token"]) as page:
        diaries = await page.subscribe([*never, *shared])
        assert [channel for channel in never if diaries[channel].subscribed] == []
        await push(client, pair.b, "victim", "for Bob")
        later = await push(client, pair.a, "victim", "for Mallory")
        assert later
        assert not any(diary.data for diary in diaries.values())

    async with listener.connected(client.http.session, client.http.url, mine["token"]) as page_by_hand:
        assert "subscribe" in await page_by_hand.subscribe(own)
        for channel in (own, other):
            for command, body in (
                ("publish", {"channel": channel, "data": {"title": "forged"}}),
                ("history", {"channel": channel, "limit": 10}),
                ("presence", {"channel": channel}),
                ("presence_stats", {"channel": channel}),
            ):
                reply = await page_by_hand.ask(command, body)
                assert reply.get("error", {}).get("code") in {PERMISSION_DENIED, NOT_AVAILABLE}, (command, reply)
        assert "error" in await page_by_hand.ask("rpc", {"method": "x", "data": {}})
    assert [item["title"] for item in (await pair.a.inbox("victim")).body["data"]] == ["for Mallory"]


def _b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def forged(token: str, stolen_from: str, secret: str) -> dict[str, str]:
    """Return tokens that must open nothing. secret: the real one, for tokens that are bad in another way."""
    head, _, signature = token.split(".")
    claims = jwt.decode(stolen_from, options={"verify_signature": False})
    past = {**claims, "iat": int(time.time()) - 10_000, "exp": int(time.time()) - 1}
    return {
        "another's claims under one's own signature": f"{head}.{_b64(claims)}.{signature}",
        "alg none": f"{_b64({'alg': 'none', 'typ': 'JWT'})}.{_b64(claims)}.",
        "alg none with a signature": f"{_b64({'alg': 'none', 'typ': 'JWT'})}.{_b64(claims)}.{signature}",
        "expired": jwt.encode(past, secret, algorithm="HS256"),
        "another secret": jwt.encode(claims, secrets.token_hex(32), algorithm="HS256"),
        "the empty secret": jwt.encode(claims, "0" * 32, algorithm="HS256"),
        "one letter changed": stolen_from[:-2] + ("A" if stolen_from[-2] != "A" else "B") + stolen_from[-1],
        "another algorithm": jwt.encode(claims, secret, algorithm="HS512"),
    }


async def test_forged_tokens_open_nothing(client: Client, shared_stack: Running, pair: Pair) -> None:
    """Neither the inbox nor the WebSocket, whatever is wrong with them."""
    mine, theirs = await pair.a.token("victim"), await pair.b.token("victim")
    secret = shared_stack.variables["CLARION_CENTRIFUGO_TOKEN_SECRET"]
    assert (await pair.b.inbox("victim", headers=bearer(theirs["token"]))).status == 200
    for what, token in forged(mine["token"], theirs["token"], secret).items():
        assert (await pair.b.inbox("victim", headers=bearer(token))).status == 401, what
        assert await refusal(client.http.url, token), what


async def test_a_page_without_a_token_is_refused(client: Client) -> None:
    """There is no anonymous connection."""
    with pytest.raises(CheckError, match=r"refused the connection|connection ended"):
        async with listener.connected(client.http.session, client.http.url, ""):
            pass


async def test_the_operators_pages_are_closed_to_tenants(client: Client, pair: Pair) -> None:
    """No key and no token of a tenant opens anything under /api/v1/admin."""
    event_id = await pair.b.accept({"eventType": EVENT_TYPE, "payload": {"userId": "victim"}})
    token = (await pair.a.token("victim"))["token"]
    shown: tuple[dict[str, str], ...] = (
        {},
        {"x-api-key": pair.a.api_key},
        bearer(pair.a.api_key),
        bearer(token),
        {"Authorization": client.operator.admin_token},
        {"Authorization": f"Basic {client.operator.admin_token}"},
    )
    for headers in shown:
        for path in (
            "/events",
            f"/events/{event_id}",
            "/tenants",
            f"/providers?tenant_id={pair.b.id}",
            "/dead-letters",
        ):
            answer = await client.http.call("GET", f"/api/v1/admin{path}", headers=headers)
            assert answer.status == 401, (path, headers)
            assert answer.body["type"] == "urn:clarion:problem:unauthenticated"


async def test_a_search_of_one_tenant_shows_nothing_of_another(client: Client, pair: Pair) -> None:
    """By recipient, type and the caller's own id: each tenant's events are its own, and so is an idempotency key."""
    event = {"eventType": EVENT_TYPE, "eventId": "same", "payload": {"userId": "victim"}, "variables": {"text": "x"}}
    key = {"X-Idempotency-Key": "same"}
    ids = {tenant.id: await tenant.accept(event, headers=key) for tenant in (pair.a, pair.b)}
    assert len(set(ids.values())) == 2
    for event_id in ids.values():
        await until(lambda event_id=event_id: client.operator.finished(event_id), "the event's end", deadline=30)  # type: ignore[misc]
    for tenant_id, event_id in ids.items():
        for query in ("", "&recipient=victim", f"&event_type={EVENT_TYPE}", "&event_id=same", "&status=sent"):
            found = await client.operator.must("GET", f"/events?tenant_id={tenant_id}{query}")
            assert [item["id"] for item in found["data"]] == [event_id], query
    timeline = await client.operator.event(ids[pair.a.id])
    assert timeline is not None
    assert timeline["tenant_id"] == pair.a.id
    assert ids[pair.b.id] not in json.dumps(timeline)


async def test_the_demo_pages_show_the_demo_tenant_only(client: Client, pair: Pair) -> None:
    """They ask for no key: another tenant's mail is not theirs to show."""
    await client.operator.create_template(pair.b, "mail", "SMS", "secret of {{who}}")
    payload = {"userId": "victim", "recipientPhone": "+254700000001"}
    event_id = await pair.b.accept({"eventType": "mail", "payload": payload, "variables": {"who": "Bob"}})
    event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    assert [delivery["status"] for delivery in event["deliveries"]] == ["sent"]
    assert await client.operator.outbox(event_id) == []
    for path in ("/demo/outbox.json", "/demo/outbox", f"/demo/outbox?tenant_id={quote(pair.b.id)}"):
        async with client.http.session.get(client.http.url + path) as answer:
            assert "secret of Bob" not in await answer.text()
