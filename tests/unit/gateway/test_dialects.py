"""Dialects: a folder is all that the gateway needs to serve another API."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway import dialects
from gateway.addresses import PROXIES, Proxies
from gateway.app import create_app
from gateway.clients import Clients
from gateway.life import LIFE, Life
from gateway.observing import observe
from gateway.openapi import document as documents
from gateway.refusals.counting import Refusals
from gateway.refusals.reporting import REFUSALS
from gateway.settings import Settings
from runtime.settings import Secret

_SECOND = """
from aiohttp import web
from gateway.dialects import Dialect
from gateway.openapi.operations import DialectArea, Operation, ResponseSpec
from gateway.replies import json_reply

SCHEME = {"type": "http", "scheme": "bearer", "description": "A key of the second API."}
SEND = Operation("POST", "/second/send", "secondSend", "Send", "Second", {200: ResponseSpec(str)}, security=["second"])


async def send(request):
    return json_reply("sent")


DIALECT = Dialect(
    add_routes=lambda app, backend: app.router.add_post("/second/send", send),
    claims=lambda request: request.path.startswith("/second/"),
    unanswered=lambda status: json_reply({"code": status}, status=status),
    area=lambda: DialectArea("Second", "The second API.", [SEND], {"second": SCHEME}),
)
"""


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second dialect beside the real ones: one more folder, and nothing else."""
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "__init__.py").write_text(_SECOND)
    monkeypatch.setattr(dialects, "__path__", [*dialects.__path__, str(tmp_path)])
    dialects.installed.cache_clear()
    yield
    dialects.installed.cache_clear()
    del sys.modules["gateway.dialects.second"], dialects.second  # type: ignore[attr-defined] # set by its import


async def served() -> set[tuple[str, str]]:
    """Return the method and path of each route of the application."""
    nobody = "127.0.0.1:1"
    settings = Settings(
        service_token=Secret("t"),
        http_address="",
        admin_token=Secret("a"),
        ingest_address=nobody,
        router_address=nobody,
        render_address=nobody,
        senders_address=nobody,
        realtime_address=nobody,
        centrifugo_url=f"http://{nobody}",
    )
    clients = Clients(settings)
    app = create_app(settings, clients)
    await clients.close()
    return {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}


async def unanswered(path: str) -> bytes:
    """Return the body of the response to a request that no route matches."""
    app = web.Application()
    app[LIFE], app[PROXIES], app[REFUSALS] = Life(), Proxies(), Refusals()

    async def handler(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPNotFound

    response = await observe(make_mocked_request("GET", path, app=app), handler)
    assert response.status == 404
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response.body


async def test_a_folder_adds_its_routes(second: None) -> None:
    """The application serves them, without being told the folder's name."""
    assert ("POST", "/second/send") in await served()


def test_a_folder_adds_its_part_of_the_document(second: None) -> None:
    """Its operations with their tag, and how its callers authenticate."""
    made = documents.document.__wrapped__()
    assert made["paths"]["/second/send"]["post"]["security"] == [{"second": []}]
    assert {"name": "Second", "description": "The second API."} in made["tags"]
    assert made["components"]["securitySchemes"]["second"]["scheme"] == "bearer"


async def test_each_dialect_answers_what_no_handler_answered(second: None) -> None:
    """A client can read only the errors of its own API. Paths of no dialect get the gateway's own."""
    own = b'{"statusCode":404,"error":"Not Found","message":"Not Found"}'
    assert await unanswered("/second/nothing") == b'{"code":404}'
    assert await unanswered("/nothing") == own
    for path in ("/api/v1/auth/nothing", "/api/v1/events/nothing"):  # the same words, by their own choice
        assert json.loads(await unanswered(path)) == json.loads(own)


def test_a_dialect_claims_its_own_paths_and_no_others() -> None:
    """Of all operations in the document: otherwise another API's errors would be in its words."""
    owners: dict[tuple[str, str], list[str]] = {}
    for operation in documents.operations():
        tags = owners.setdefault((operation.method, operation.path), [])
        tags += [operation.tag] if operation.tag not in documents.TAGS else []
    for (method, path), tags in owners.items():  # two of a path that they share
        request = make_mocked_request(method, path)
        claiming = [dialect for dialect in dialects.installed() if dialect.claims(request)]
        assert [dialect.area().tag for dialect in claiming] == tags, path
    assert owners["POST", "/api/v1/events/trigger"] == ["Orqestra", "Sendmator"]


def test_dialects_name_nothing_of_the_gateways() -> None:
    """A tag or a security scheme of the same name would replace the gateway's own, or another dialect's."""
    areas = [dialect.area() for dialect in dialects.installed()]
    tags = [*documents.TAGS, *(area.tag for area in areas)]
    schemes = [*documents.SECURITY, *(name for area in areas for name in area.security)]
    assert len(tags) == len(set(tags))
    assert len(schemes) == len(set(schemes))
