"""The HTTP client of providers' APIs against servers that answer, and servers that hang."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from services.delivery.ports import SendResult, Verdict
from services.senders.channels.http_api import HttpApi
from services.senders.http import HttpClient
from services.senders.ports import HttpRequest, NoResponse
from tests.unit.senders import builders
from tests.waiting import eventually

DEADLINE_S = 30.0

OpenHttp = Callable[..., HttpClient]


@dataclass
class Api:
    """A server at url that has taken so many calls; it answers once go_on is set."""

    url: str = ""
    calls: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One call on each connection."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.calls += 1
            await self.go_on.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _serving(*, hangs: bool = False) -> AsyncIterator[Api]:
    api = Api()
    if not hangs:
        api.go_on.set()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/messages"
    try:
        yield api
    finally:
        api.go_on.set()
        server.close()


@pytest.fixture
async def open_http() -> AsyncIterator[OpenHttp]:
    """Opens clients and closes them in the end."""
    opened: list[HttpClient] = []

    def open_one(**bounds: float) -> HttpClient:
        opened.append(HttpClient(builders.guard("127.0.0.1:*"), **bounds))  # type: ignore[arg-type]  # limit and per_host are whole numbers
        return opened[-1]

    yield open_one
    for client in opened:
        await client.close()


async def _post(client: HttpClient, api: Api, deadline_s: float = DEADLINE_S) -> str:
    """Return the answer's status, or why there is none."""
    try:
        answer = await client.post(HttpRequest(api.url, {}, b"{}"), deadline_s=deadline_s)
    except NoResponse as error:
        return error.reason
    return str(answer.status)


async def test_a_host_that_hangs_leaves_connections_for_others(open_http: OpenHttp) -> None:
    """It has its share and no more. A call that finds no connection is reported as not sent."""
    client = open_http(limit=4, per_host=2, wait_s=0.05)
    async with _serving(hangs=True) as hung, _serving() as well:
        stuck = [asyncio.create_task(_post(client, hung)) for _ in range(2)]
        await eventually(lambda: hung.calls == 2, deadline=DEADLINE_S)
        assert await _post(client, hung) == "provider_busy"
        assert await _post(client, well) == "200"
        assert hung.calls == 2
        hung.go_on.set()
        assert [await one for one in stuck] == ["200", "200"]
        assert await _post(client, hung) == "200"


async def test_whoever_gives_up_leaves_the_connection_to_others(open_http: OpenHttp) -> None:
    """Cancelled under way, or while waiting."""
    client = open_http(limit=1, per_host=1, wait_s=DEADLINE_S)
    async with _serving(hangs=True) as hung, _serving() as well:
        stuck = [asyncio.create_task(_post(client, hung)) for _ in range(3)]
        await eventually(lambda: hung.calls == 1, deadline=DEADLINE_S)
        for one in stuck:
            one.cancel()
        await asyncio.wait(stuck)
        assert await _post(client, well) == "200"


async def test_connections_are_bounded_in_all(open_http: OpenHttp) -> None:
    """If several hosts hang, a call that waits for another host is not that host's failure."""
    client = open_http(limit=2, per_host=2, wait_s=0.05)
    async with _serving(hangs=True) as hung, _serving() as well:
        stuck = [asyncio.create_task(_post(client, hung)) for _ in range(2)]
        await eventually(lambda: hung.calls == 2, deadline=DEADLINE_S)
        assert (await _post(client, well), well.calls) == ("provider_busy", 0)
        hung.go_on.set()
        await asyncio.wait(stuck)
        assert await _post(client, well) == "200"


async def test_waiting_for_a_connection_takes_nothing_of_the_time_to_send(open_http: OpenHttp) -> None:
    """The deadline starts with the call, so waiting for a connection is not reported as a timeout of the provider."""
    client = open_http(limit=1, per_host=1, wait_s=DEADLINE_S)
    async with _serving(hangs=True) as hung:
        first = asyncio.create_task(_post(client, hung))
        await eventually(lambda: hung.calls == 1, deadline=DEADLINE_S)
        second = asyncio.create_task(_post(client, hung, deadline_s=0.05))
        assert not (await asyncio.wait([second], timeout=0.2))[0]
        hung.go_on.set()
        assert await first == "200"
        assert await second in {"200", "provider_timeout"}


async def test_a_message_that_found_no_connection_is_postponed(open_http: OpenHttp) -> None:
    """This is neither an attempt nor a failure of the provider."""
    client = open_http(limit=1, per_host=1, wait_s=0.05)
    async with _serving(hangs=True) as hung:
        api = HttpApi[str](
            client,
            "kind",
            lambda text: HttpRequest(hung.url, {}, text.encode()),
            lambda _: SendResult(Verdict.SENT, "kind"),
        )
        first = asyncio.create_task(api.send("first"))
        await eventually(lambda: hung.calls == 1, deadline=DEADLINE_S)
        second = await api.send("second")
        assert (second.verdict, second.reason) == (Verdict.POSTPONED, "provider_busy")
        hung.go_on.set()
        assert (await first).verdict is Verdict.SENT
