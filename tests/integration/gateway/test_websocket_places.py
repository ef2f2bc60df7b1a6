"""/connection/websocket: a user, an address and those that do not authenticate have their share of the connections."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from stack.client import Running
from tests.integration.gateway.browsers import Page, connected, gateway_before, opened, token_for
from tests.waiting import eventually

CONNECTION_LIMIT = 3504
STALE = 3502
TRY_AGAIN_LATER = 1013

StartGateway = Callable[..., Any]


@pytest.fixture
async def start_gateway(local_stack: Running) -> AsyncIterator[StartGateway]:
    """Return what starts a gateway before the stack's hub; its clients say in X-Forwarded-For where they are."""
    async with AsyncExitStack() as closing:

        async def start(**settings: Any) -> aiohttp.ClientSession:
            url = local_stack.variables["CLARION_CENTRIFUGO_URL"]
            made = gateway_before(url, trusted_proxies=("127.0.0.1",), **settings)
            return await closing.enter_async_context(made)

        yield start


@pytest.fixture
def create_token(local_stack: Running) -> Callable[[str], str]:
    """Return what makes a token for a user."""
    secret = local_stack.variables["CLARION_CENTRIFUGO_TOKEN_SECRET"]
    return lambda principal: token_for(principal, secret, namespaces=["orders"])


async def refused(http: aiohttp.ClientSession, address: str) -> int:
    """Return the status with which a further connection is refused; 0: it is not."""
    try:
        page = await opened(http, address)
    except aiohttp.WSServerHandshakeError as error:
        return error.status
    await page.socket.close()
    return 0


async def test_three_hundred_silent_sockets_shut_out_nobody(
    start_gateway: StartGateway, create_token: Callable[[str], str]
) -> None:
    """From many addresses, at a limit of 300: who brings a token is connected, in the place of a silent one."""
    gateway = await start_gateway(max_websockets=300, websocket_connect_s=60.0)
    silent: list[Page] = []
    statuses: set[int] = set()

    async def all_places_are_tried() -> bool:
        for number in range(300):
            try:
                silent.append(await opened(gateway, f"10.0.0.{number % 250}"))
            except aiohttp.WSServerHandshakeError as error:
                statuses.add(error.status)
        return len(silent) >= 30

    await eventually(all_places_are_tried)

    async def is_connected() -> Page | None:
        try:
            return await connected(gateway, create_token("p1"), "10.1.0.1")
        except aiohttp.WSServerHandshakeError:
            return None

    page = await eventually(is_connected)
    assert page is not None
    assert statuses <= {503}
    assert await page.subscribe("orders#p1") == 0
    assert await silent[0].next() == TRY_AGAIN_LATER


async def test_silent_sockets_of_one_address_take_its_own_places(
    start_gateway: StartGateway, create_token: Callable[[str], str]
) -> None:
    """429 for it, or the place of one that has been silent for a second; another address notices nothing."""
    gateway = await start_gateway(max_websockets=300)
    silent = [await opened(gateway, "10.0.0.1") for _ in range(4)]
    assert await refused(gateway, "10.0.0.1") in (0, 429)
    await connected(gateway, create_token("p1"), "10.0.0.2")

    async def gives_way() -> bool:
        return await refused(gateway, "10.0.0.1") == 0

    await eventually(gives_way)
    assert await silent[0].next() == TRY_AGAIN_LATER


async def test_who_does_not_authenticate_in_time_is_closed(
    start_gateway: StartGateway, create_token: Callable[[str], str]
) -> None:
    """With the hub's own code; who did stays."""
    gateway = await start_gateway(websocket_connect_s=2.0)
    page = await connected(gateway, create_token("p1"))
    assert await (await opened(gateway)).next() == STALE
    assert await page.subscribe("orders#p1") == 0


async def test_the_code_is_sent_before_the_connection_is_cut(start_gateway: StartGateway) -> None:
    """A browser that does not answer the close in time finds the code when it reads."""
    page = await opened(await start_gateway(websocket_connect_s=0.1))
    await eventually(lambda: page.socket.get_extra_info("socket") is None)
    assert await page.next() == STALE


async def test_a_user_has_a_number_of_connections(
    start_gateway: StartGateway, create_token: Callable[[str], str]
) -> None:
    """The newest is refused, from whatever address; another user is let in, and the same one when a page is closed."""
    gateway = await start_gateway(max_websockets_per_user=2)
    pages = [await connected(gateway, create_token("p1"), f"10.0.0.{number}") for number in range(2)]
    third = await opened(gateway, "10.0.0.9")
    assert await third.ask("connect", {"token": create_token("p1")}, 1) == CONNECTION_LIMIT
    await connected(gateway, create_token("p2"), "10.0.0.1")
    for page in pages:
        assert await page.subscribe("orders#p1") == 0
    await pages[0].socket.close()

    async def has_room() -> bool:
        page = await opened(gateway, "10.0.0.9")
        return isinstance(await page.ask("connect", {"token": create_token("p1")}, 1), dict)

    await eventually(has_room)


async def test_an_address_has_a_number_of_connections(
    start_gateway: StartGateway, create_token: Callable[[str], str]
) -> None:
    """Of all its users together: 429, and room again when one leaves. Other addresses have theirs."""
    gateway = await start_gateway(max_websockets_per_address=2)
    pages = [await connected(gateway, create_token(f"p{number}"), "10.0.0.1") for number in range(2)]
    assert await refused(gateway, "10.0.0.1") == 429
    await connected(gateway, create_token("p3"), "10.0.0.2")
    await pages[0].socket.close()

    async def has_room() -> bool:
        return await refused(gateway, "10.0.0.1") == 0

    await eventually(has_room)


async def test_one_address_never_has_more_than_half(
    start_gateway: StartGateway, create_token: Callable[[str], str]
) -> None:
    """Whatever its own limit says."""
    gateway = await start_gateway(max_websockets=6)
    pages = [await connected(gateway, create_token(f"p{number}"), "10.0.0.1") for number in range(3)]
    assert await refused(gateway, "10.0.0.1") == 429
    assert await refused(gateway, "10.0.0.2") == 0
    assert not any(page.socket.closed for page in pages)


async def test_further_browsers_are_refused_when_full(
    start_gateway: StartGateway, create_token: Callable[[str], str]
) -> None:
    """503 at the limit, and room again when one leaves."""
    gateway = await start_gateway(max_websockets=1)
    first = await connected(gateway, create_token("p1"), "10.0.0.1")
    assert await refused(gateway, "10.0.0.2") == 503
    await first.socket.close()

    async def has_room() -> bool:
        return await refused(gateway, "10.0.0.2") == 0

    await eventually(has_room)
