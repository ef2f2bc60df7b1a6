"""Web addresses: nothing is connected to that the operator did not allow, nor by a redirect or a proxy."""

import asyncio
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web as server

from runtime.egress import EgressGuard, EgressPolicy, Ports, web
from services.delivery.ports import SendResult, Verdict
from services.senders.channels import http_api
from services.senders.http import HttpClient
from services.senders.ports import HttpRequest, NoResponse
from tests.integration.egress import name_server
from tests.integration.egress.corpus import LITERALS, NAMES, NOT_IN_URLS, URLS
from tests.integration.egress.name_server import Names
from tests.integration.egress.watch import Watch, watching

_DEADLINE_S = 30.0


@dataclass
class Far:
    """A server that is allowed. location: where it redirects to; hosts: what the requests' Host said."""

    port: int = 0
    location: str = ""
    hosts: list[str] = field(default_factory=list)

    async def answer(self, request: server.BaseRequest) -> server.Response:
        """Answer a call."""
        self.hosts.append(request.host)
        if self.location:
            return server.Response(status=307, headers={"Location": self.location})
        return server.Response(text="{}")


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """Whether anything is connected to."""
    async with watching() as watch:
        yield watch


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    """A name server that knows the corpus."""
    async with name_server.serving(NAMES) as names:
        yield names


@asynccontextmanager
async def _far() -> AsyncIterator[Far]:
    far = Far()
    runner = server.ServerRunner(server.Server(far.answer), shutdown_timeout=1)
    await runner.setup()
    await server.TCPSite(runner, "127.0.0.1", 0).start()
    far.port = int(runner.addresses[0][1])
    try:
        yield far
    finally:
        await runner.cleanup()


def _guard(names: Names | None, port: int, *allow: str) -> EgressGuard:
    """One that would let calls go to this port of any public address."""
    return EgressGuard(EgressPolicy(allow), Ports(frozenset({port}), "CLARION_EGRESS_HTTP_PORTS"), lookup=names)


async def _post(guard: EgressGuard, url: str, *, proxy: str = "") -> SendResult:
    """Call as providers do."""
    client = HttpClient(guard, proxy=proxy)
    provider = http_api.HttpApi[str](
        client,
        "kind",
        lambda text: HttpRequest(url, {"Authorization": "Bearer secret-of-ours"}, text.encode()),
        lambda answer: (
            http_api.refused("kind", answer, http_api.text(answer))
            or SendResult(Verdict.SENT, "kind", str(answer.status))
        ),
        deadline_s=_DEADLINE_S,
    )
    try:
        return await provider.send("hello")
    finally:
        await client.close()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host and not host.startswith("[") else f"http://{host}:{port}/"


def _is_refused(result: SendResult) -> bool:
    return (result.verdict, result.reason) == (Verdict.PERMANENT, "address_not_allowed")


@pytest.mark.parametrize("host", [host for host in LITERALS if host not in NOT_IN_URLS], ids=ascii)
async def test_a_host_that_is_not_allowed_is_not_called(host: str, watch: Watch, names: Names) -> None:
    """As the mail servers' corpus has it."""
    result = await _post(_guard(names, watch.port), _url(host, watch.port))
    assert _is_refused(result), result
    assert watch.untouched()


@pytest.mark.parametrize("url", URLS)
async def test_a_url_that_hides_its_host_is_not_called(url: str, watch: Watch, names: Names) -> None:
    """With accounts, brackets, escapes, and what parsers read in different ways."""
    result = await _post(_guard(names, watch.port), url.format(port=watch.port))
    assert _is_refused(result), result
    assert watch.untouched()


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example:25/", "unix:///run/x", "a"]
)
def test_what_is_no_web_address(url: str) -> None:
    """Only http and https are spoken."""
    with pytest.raises(OSError, match="This is not a web address"):
        web.check_url(_guard(None, 25), url)


@pytest.mark.parametrize("host", [*NAMES, *(f"{name}." for name in NAMES)])
async def test_a_name_that_leads_there_is_not_called(host: str, watch: Watch, names: Names) -> None:
    """One such address among others is enough."""
    result = await _post(_guard(names, watch.port), _url(host, watch.port))
    assert _is_refused(result), result
    assert watch.untouched()


@pytest.mark.parametrize("host", LITERALS, ids=ascii)
async def test_aiohttp_alone_is_held_as_well(host: str, watch: Watch, names: Names) -> None:
    """The connector checks each connection, whoever looked at the URL before: workflows and webhooks rely on it."""
    async with aiohttp.ClientSession(connector=web.connector(_guard(names, watch.port))) as session:
        with pytest.raises((aiohttp.ClientError, ValueError)):
            await session.get(_url(host, watch.port))
    assert watch.untouched()


@pytest.mark.parametrize("host", ["127.0.0.3", "2130706435", "0x7f.3", "[::ffff:127.0.0.3]", "[::1]", "elsewhere.test"])
async def test_a_redirect_leads_nowhere_else(host: str, watch: Watch) -> None:
    """Providers' answers are not followed; whoever follows them is checked at each hop."""
    answers = {"elsewhere.test": [["127.0.0.3"]]}
    async with _far() as far, name_server.serving(answers) as names:
        far.location = f"http://{host}:{watch.port}/internal"
        guard = _guard(names, watch.port, f"127.0.0.1:{far.port}")
        url = f"http://127.0.0.1:{far.port}/"
        result = await _post(guard, url)
        assert (result.verdict, result.reason) == (Verdict.TRANSIENT, "provider_error")
        async with aiohttp.ClientSession(connector=web.connector(guard)) as session:
            with pytest.raises((aiohttp.ClientError, ValueError)) as caught:
                await session.post(url)
        refused_by_aiohttp = isinstance(caught.value, ValueError)  # addresses that are not in their usual form
        assert refused_by_aiohttp or web.refusal(caught.value) is not None
    assert watch.accepted == []
    assert {place[1] for place in watch.tried} == {far.port}


async def test_a_name_server_that_changes_its_mind_leads_nowhere_else(watch: Watch) -> None:
    """The connection goes to the address that was checked, with the name as Host; the next one is checked again."""
    async with _far() as far, name_server.serving({"rebinds.test": [["127.0.0.1"], ["127.0.0.3"]]}) as names:
        guard = _guard(names, far.port, "127.0.0.1")
        url = f"http://rebinds.test:{far.port}/"
        assert (await _post(guard, url)).verdict is Verdict.SENT
        assert far.hosts == [f"rebinds.test:{far.port}"]
        assert names.queries["rebinds.test"] == 1
        assert _is_refused(await _post(guard, url))
        assert watch.tried == [("127.0.0.1", far.port)]


async def test_connections_that_are_kept_cost_no_lookup() -> None:
    """One lookup for a hundred calls."""
    async with _far() as far, name_server.serving({"api.test": [["127.0.0.1"]]}) as names:
        client = HttpClient(_guard(names, far.port, "127.0.0.1"))
        for _ in range(100):
            await client.post(HttpRequest(f"http://api.test:{far.port}/", {}, b"{}"), deadline_s=_DEADLINE_S)
        await client.close()
        assert (names.queries["api.test"], len(far.hosts)) == (1, 100)


async def test_ports(watch: Watch) -> None:
    """Calls go to the ports of HTTP."""
    result = await _post(_guard(None, 443, "127.0.0.1"), f"http://127.0.0.1:{watch.port}/")
    assert _is_refused(result)
    assert watch.untouched()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_not_used(name: str, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the one that the operator names for Clarion: others see no key."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{watch.port}")
    async with _far() as far:
        result = await _post(_guard(None, far.port, "127.0.0.1"), f"http://127.0.0.1:{far.port}/")
    assert result.verdict is Verdict.SENT
    assert watch.accepted == []


async def test_the_operators_proxy_takes_all_calls() -> None:
    """With its password, wherever it is; it resolves the names. Addresses that are not allowed are not asked of it."""
    seen: list[tuple[str, str, str]] = []

    async def proxy(request: server.BaseRequest) -> server.Response:
        seen.append((request.method, str(request.url), request.headers.get("Proxy-Authorization", "")))
        return server.Response(text="{}")

    runner = server.ServerRunner(server.Server(proxy), shutdown_timeout=1)
    await runner.setup()
    await server.TCPSite(runner, "127.0.0.1", 0).start()
    way = f"http://ada:p%40ss@127.0.0.1:{runner.addresses[0][1]}"
    try:
        sent = await _post(_guard(None, 80), "http://api.example.org/", proxy=way)
        tunnel = await _post(_guard(None, 443), "https://api.example.org/", proxy=way)
        refused = await _post(_guard(None, 80), "http://169.254.169.254/", proxy=way)
    finally:
        await runner.cleanup()
    assert sent.verdict is Verdict.SENT
    assert tunnel.verdict is Verdict.TRANSIENT  # this one tunnels nothing
    assert _is_refused(refused)
    assert [(method, urllib.parse.urlsplit(url).hostname) for method, url, _ in seen] == [
        ("POST", "api.example.org"),
        ("CONNECT", "api.example.org"),
    ]
    assert {authorization for _, _, authorization in seen} == {"Basic YWRhOnBAc3M="}
    assert "p@ss" not in tunnel.detail
    assert "p%40ss" not in tunnel.detail


async def test_a_lookup_that_fails_is_worth_another_try() -> None:
    """The name may be there later."""
    async with name_server.serving({}) as names:
        result = await _post(_guard(names, 80), "http://unknown.test/")
    assert (result.verdict, result.reason) == (Verdict.TRANSIENT, "provider_unreachable")


async def test_many_at_once_are_refused_alike(watch: Watch, names: Names) -> None:
    """The name is looked up once for all who wait: each of them is refused."""
    client = HttpClient(_guard(names, watch.port))
    request = HttpRequest(f"http://private.test:{watch.port}/", {}, b"{}")

    async def reason() -> str:
        try:
            await client.post(request, deadline_s=_DEADLINE_S)
        except NoResponse as error:
            return error.reason
        return "answered"

    reasons = await asyncio.gather(*(reason() for _ in range(20)))
    await client.close()
    assert set(reasons) == {"address_not_allowed"}
    assert watch.untouched()
