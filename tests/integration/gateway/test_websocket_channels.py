"""/connection/websocket: only issued channels reach the hub, whatever a page with a good token sends."""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import centrifuge  # type: ignore[import-untyped]
import pytest
from cent import AsyncClient, ChannelsRequest, PublishRequest

from gateway.websocket.session import COMMANDS_BURST
from gateway.websocket.users import UNLISTED_BURST
from stack.client import Running
from tests.contract.hub.test_python_client import Diary
from tests.integration.gateway.browsers import PATH, Page, connected, opened, token_for
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.integration.gateway.test_inbox import token_of
from tests.python_client import leave
from tests.waiting import eventually

PERMISSION_DENIED = 103
TOO_MANY_REQUESTS = 111


@pytest.fixture
async def cent(local_stack: Running) -> AsyncIterator[AsyncClient]:
    """The hub's server API, which no page reaches."""
    variables = local_stack.variables
    client = AsyncClient(f"{variables['CLARION_CENTRIFUGO_URL']}/api", variables["CLARION_CENTRIFUGO_API_KEY"])
    yield client
    await client.close()


def principal_of(session: dict[str, Any]) -> str:
    """Return what a user's channels end in."""
    principal: str = session["channels"][0].partition("#")[2]
    return principal


async def joined(cent: AsyncClient, principal: str) -> set[str]:
    """Return the user's channels that have a subscriber, as the hub says."""
    return set((await cent.channels(ChannelsRequest(pattern=f"*#{principal}"))).channels)


async def subscribe_commands(local_stack: Running) -> float:
    """Return how many subscribe commands the hub has answered."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{local_stack.variables['CLARION_CENTRIFUGO_URL']}/metrics") as answer,
    ):
        text = await answer.text()
    name = r'centrifugo_client_command_duration_seconds_count{channel_namespace="",method="subscribe"}'
    [count] = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(count)


async def test_twenty_thousand_invented_names_of_one_token_do_not_reach_the_hub(
    http: aiohttp.ClientSession, local_stack: Running, create_tenant: CreateTenant, cent: AsyncClient
) -> None:
    """Each is refused, a flood ends its connection; the user's own channels work before, meanwhile and after."""
    session = await token_of(http, await create_tenant(), "u")
    principal, own = principal_of(session), session["channels"]
    page = await connected(http, session["token"])
    for channel in own:
        assert await page.subscribe(channel) == 0
    before = await subscribe_commands(local_stack)
    names = [f"invented{number}#{principal}" for number in range(20_000)]
    codes: set[int] = set()
    for start in range(0, len(names), 2 * COMMANDS_BURST):
        codes |= await flood(await connected(http, session["token"]), names[start : start + 2 * COMMANDS_BURST])
    assert codes == {PERMISSION_DENIED, 3013}
    # The realtime service tries the hub every few seconds, with a few commands each time.
    assert await subscribe_commands(local_stack) - before < 1000
    assert await joined(cent, principal) == set(own)
    await cent.publish(PublishRequest(channel=own[0], data={"n": 1}))
    push = await page.next()
    assert isinstance(push, dict)
    assert push["push"]["pub"]["data"] == {"n": 1}
    await page.socket.close()


async def flood(page: Page, names: list[str]) -> set[int]:
    """Subscribe to names in messages of a hundred until the connection ends; return the codes of errors and close."""
    codes: set[int] = set()

    async def read() -> None:
        while isinstance(answer := await page.next(), dict):
            codes.add(answer["error"]["code"])
        codes.add(answer)

    reading = asyncio.create_task(read())
    with contextlib.suppress(ConnectionError):
        for start in itertools.cycle(range(0, len(names), 100)):
            if page.socket.closed:
                break
            some = names[start : start + 100]
            await page.send(*({"id": n + 2, "subscribe": {"channel": name}} for n, name in enumerate(some)))
            await asyncio.sleep(0)  # what has come is read meanwhile
    await reading
    return codes


def _subscribe(channel: str) -> dict[str, Any]:
    return {"id": 2, "subscribe": {"channel": channel}}


# How one text may mean one channel to the gateway and another one to the hub, which is written in another language.
AMBIGUOUS = [
    '{"id":2,"SUBSCRIBE":{"channel":"OTHER"}}',
    '{"id":2,"\\u017fub\\u017fcribe":{"channel":"OTHER"}}',
    '{"id":2,"subscribe":{"CHANNEL":"OTHER"}}',
    '{"id":2,"subscribe":{"channel":"OWN","Channel":"OTHER"}}',
    '{"id":2,"subscribe":{"Channel":"OTHER","channel":"OWN"}}',
    '{"id":2,"subscribe":{"channel":"OTHER","channel":"OWN"}}',
    '{"id":2,"subscribe":{"channel":"OWN","channel":"OTHER"}}',
    '{"id":2,"subscribe":{"channel":"OTHER"},"subscribe":{"channel":"OWN"}}',
    '{"id":2,"subscribe":{"channel":"OWN"},"subscribe":{"channel":"OTHER"}}',
    '{"id":2,"subscribe":{"channel":"OWN"}}{"id":3,"subscribe":{"channel":"OTHER"}}',
    '{"id":2,"subscribe":{"channel":"OWN"}}\r{"id":3,"subscribe":{"channel":"OTHER"}}',
    '{"id":2,"unsubscribe":{"channel":"OWN"},"subscribe":{"channel":"OTHER"}}',
    '{"id":2,"connect":{"token":"TOKEN","subs":{"OTHER":{}}}}',
    '{"id":2,"subscribe":{"channel":"OTHER\\u0000"}}',
    '{"id":2,"subscribe":{"channel":"OTHER,x"}}',
    '[{"id":2,"subscribe":{"channel":"OTHER"}}]',
]


@pytest.mark.parametrize("text", AMBIGUOUS)
@pytest.mark.parametrize("kind", ["text", "binary"])
async def test_no_spelling_gets_past(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, cent: AsyncClient, text: str, kind: str
) -> None:
    """Refused, closed, or understood as the issued channel: the hub knows no other one afterwards."""
    session = await token_of(http, await create_tenant(), "u")
    principal, own = principal_of(session), session["channels"][0]
    page = await connected(http, session["token"])
    for old, new in (("OTHER", f"other#{principal}"), ("OWN", own), ("TOKEN", session["token"])):
        text = text.replace(old, new)
    if kind == "binary":
        await page.socket.send_bytes(text.encode())
    else:
        await page.socket.send_str(text)
    # An answer to this one means that the other one was dealt with.
    await page.send({"id": 9, "subscribe": {"channel": f"last#{principal}"}})
    while isinstance(answer := await page.next(), dict) and answer.get("id") != 9:
        pass
    assert await joined(cent, principal) <= {own}
    await page.socket.close()


async def test_channels_asked_for_with_connect_are_held_to_the_same(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, cent: AsyncClient
) -> None:
    """Those of connect's subs, and those of subscribe commands that come in the same message."""
    session = await token_of(http, await create_tenant(), "u")
    principal, own = principal_of(session), session["channels"]
    subs: dict[str, dict[str, str]] = {name: {} for name in (*own, f"other#{principal}")}
    page = await opened(http)
    await page.send({"id": 1, "connect": {"token": session["token"], "subs": subs}}, _subscribe(f"more#{principal}"))
    reply = await page.next()
    assert isinstance(reply, dict)
    assert set(reply["connect"]["subs"]) == set(own)
    refused = await page.next()
    assert isinstance(refused, dict)
    assert (refused["id"], refused["error"]["code"]) == (2, PERMISSION_DENIED)
    assert await joined(cent, principal) == set(own)
    await page.socket.close()


async def test_commands_that_come_with_connect_are_answered(
    http: aiohttp.ClientSession, create_tenant: CreateTenant
) -> None:
    """They wait for the hub's answer to the token, and then go their way."""
    session = await token_of(http, await create_tenant(), "u")
    page = await opened(http)
    await page.send({"id": 1, "connect": {"token": session["token"]}}, _subscribe(session["channels"][0]))
    replies = [await page.next(), await page.next()]
    assert [next(iter(set(reply) - {"id"})) for reply in replies if isinstance(reply, dict)] == ["connect", "subscribe"]
    await page.socket.close()


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", token_for("p1", "x" * 32, namespaces=["a"])])
async def test_without_a_good_token_nothing_is_joined(
    http: aiohttp.ClientSession, cent: AsyncClient, token: str
) -> None:
    """The hub ends the connection; what came along is not passed on."""
    page = await opened(http)
    await page.send({"id": 1, "connect": {"token": token, "subs": {"a#p1": {}}}}, _subscribe("a#p1"))
    assert await page.next() in (3500, 3501)
    assert await joined(cent, "p1") == set()


async def test_a_command_before_connect_ends_the_connection(http: aiohttp.ClientSession) -> None:
    """With the hub's own code."""
    page = await opened(http)
    await page.send(_subscribe("a#p1"))
    assert await page.next() == 3501


@pytest.mark.parametrize("options", [{"protocols": ("centrifuge-protobuf",)}, {"query": "cf_protocol=protobuf"}])
async def test_the_binary_protocol_is_refused(http: aiohttp.ClientSession, options: dict[str, Any]) -> None:
    """400 at the handshake: the gateway reads JSON only."""
    query = options.pop("query", "")
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await http.ws_connect(f"{PATH}?{query}", **options)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("publish", {"channel": "OWN", "data": {}}),
        ("history", {"channel": "OWN", "limit": 10}),
        ("presence", {"channel": "OWN"}),
        ("presence_stats", {"channel": "OWN"}),
        ("rpc", {"method": "x"}),
        ("sub_refresh", {"channel": "OWN", "token": "x"}),
    ],
)
async def test_a_page_only_reads(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, name: str, body: dict[str, Any]
) -> None:
    """Every other command is answered with 103, and the page goes on."""
    session = await token_of(http, await create_tenant(), "u")
    own = session["channels"][0]
    page = await connected(http, session["token"])
    assert await page.subscribe(own) == 0
    answer = await page.ask(name, {key: own if value == "OWN" else value for key, value in body.items()}, 3)
    assert isinstance(answer, dict)
    assert (answer["id"], answer["error"]["code"]) == (3, PERMISSION_DENIED)
    left = await page.ask("unsubscribe", {"channel": own}, 4)
    assert left == {"id": 4, "unsubscribe": {}}
    await page.socket.close()


async def create_template(http: aiohttp.ClientSession, admin: dict[str, str], tenant: Tenant, namespace: str) -> None:
    """Have the tenant's pushes go to a namespace."""
    template = {
        "tenant_id": tenant.id,
        "event_type": f"{namespace}.happened",
        "channel": "PUSH",
        "subject": "x",
        "body": "y",
        "push_namespace": namespace,
        "activate": True,
    }
    async with http.post("/api/v1/admin/templates", json=template, headers=admin) as answer:
        assert answer.status == 201, await answer.text()


async def test_the_next_token_opens_what_templates_have_named_since(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """On the open connection, from the hub's answer to refresh on; and not before."""
    tenant = await create_tenant()
    session = await token_of(http, tenant, "u")
    page = await connected(http, session["token"])
    await create_template(http, admin, tenant, "orders")

    async def is_issued() -> dict[str, Any] | None:
        fresh = await token_of(http, tenant, "u")
        return fresh if len(fresh["channels"]) == 2 else None

    fresh = await eventually(is_issued)
    assert fresh is not None
    [new] = set(fresh["channels"]) - set(session["channels"])
    assert await page.subscribe(new) == PERMISSION_DENIED
    refreshed = await page.ask("refresh", {"token": fresh["token"]}, 3)
    assert isinstance(refreshed, dict)
    assert "refresh" in refreshed
    assert await page.subscribe(new) == 0
    await page.socket.close()


async def test_a_forged_refresh_opens_nothing(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, cent: AsyncClient
) -> None:
    """The hub ends the connection; a reply to another command with the same id is not taken for its answer."""
    session = await token_of(http, await create_tenant(), "u")
    principal, own = principal_of(session), session["channels"][0]
    forged = token_for(principal, "x" * 32, namespaces=["other"])
    page = await connected(http, session["token"])
    await page.send(
        _subscribe(own), {"id": 2, "refresh": {"token": forged}}, {**_subscribe(f"other#{principal}"), "id": 3}
    )
    while isinstance(answer := await page.next(), dict):
        assert answer.get("id") != 3 or answer["error"]["code"] == PERMISSION_DENIED
    assert answer == 3500
    assert await joined(cent, principal) <= {own}


async def test_a_token_of_the_version_before_opens_a_bounded_number(
    http: aiohttp.ClientSession, local_stack: Running
) -> None:
    """It lists no namespaces: own names open as before, so many over all connections, then 111; others never."""
    token = token_for("p7", local_stack.variables["CLARION_CENTRIFUGO_TOKEN_SECRET"])
    first = await connected(http, token)
    assert await first.subscribe("orders#p8") == PERMISSION_DENIED
    for number in range(UNLISTED_BURST // 2):
        assert await first.subscribe(f"a{number}#p7") == 0
    await first.socket.close()
    second = await connected(http, token)
    codes = [await second.subscribe(f"b{number}#p7") for number in range(UNLISTED_BURST // 2 + 20)]
    assert codes[: UNLISTED_BURST // 2] == [0] * (UNLISTED_BURST // 2)
    assert codes[-1] == TOO_MANY_REQUESTS
    await second.socket.close()


async def test_too_many_commands_end_the_connection(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """Of any kind, empty ones too, with a code on which clients come back after a while."""
    session = await token_of(http, await create_tenant(), "u")
    page = await connected(http, session["token"])
    # In one message, of which nothing is passed on: the hub would close at the first pong that it did not ask for.
    await page.socket.send_str(json.dumps({"id": 2, "ping": {}}) + "\n" + "\n".join(["{}"] * 400))
    assert await page.next() == 3013


async def test_the_official_python_client_is_understood(
    http: aiohttp.ClientSession, local_stack: Running, create_tenant: CreateTenant, cent: AsyncClient
) -> None:
    """It connects, joins, hears, and is refused a name that was not issued."""
    session = await token_of(http, await create_tenant(), "u")
    own, principal = session["channels"][0], principal_of(session)
    mine, invented = Diary(), Diary()
    url = local_stack.url.replace("http", "ws", 1) + PATH
    client = centrifuge.Client(url, token=session["token"], proxy=None)
    await client.connect()
    try:
        await client.new_subscription(own, mine).subscribe()
        await client.new_subscription(f"other#{principal}", invented).subscribe()
        await eventually(lambda: invented.left == [PERMISSION_DENIED] and mine.subscribed)
        await cent.publish(PublishRequest(channel=own, data={"n": 1}))
        await eventually(lambda: mine.data == [{"n": 1}])
    finally:
        await leave(client)
