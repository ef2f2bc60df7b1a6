"""The document and the application: the same routes; examples that are what they exemplify."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from aiohttp import web

from gateway.admin.parameters import MAY_BE_EMPTY, PARAMETERS
from gateway.app import create_app
from gateway.clients import Clients
from gateway.openapi.document import _kinds, _published, document, operations
from gateway.settings import Settings
from runtime.settings import Secret


@pytest.fixture
async def app() -> web.Application:
    """The application with all that can be switched on."""
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
        demo_tenant_id="01a1fe7a-0000-7000-8000-000000000000",
    )
    clients = Clients(settings)
    made = create_app(settings, clients)
    await clients.close()
    return made


async def test_every_route_is_described_and_nothing_else(app: web.Application) -> None:
    """Whoever adds a route adds its operation in gateway/openapi/areas/, or in the area of its dialect."""
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        # A route for every method only says that there is nothing, or that the method is another.
        if route.resource is not None and route.method not in {"HEAD", "*"}
    }
    described = {(operation.method, operation.path) for operation in operations()}
    assert served == described


def test_every_parameter_is_taken_and_no_other() -> None:
    """What is described and refused, or taken and not described, would be of no use."""
    base = "/api/v1/admin"
    described = {
        (operation.method, operation.path.removeprefix(base)): [parameter.name for parameter in operation.parameters]
        for operation in operations()
        if operation.path.startswith(base)
    }
    assert {route: sorted(names) for route, names in described.items() if names} == {
        route: sorted(names) for route, names in PARAMETERS.items()
    }
    assert MAY_BE_EMPTY.keys() <= PARAMETERS.keys()


def test_only_what_may_be_empty_is_described_so() -> None:
    """Of each parameter of a query that is a text."""
    for what, operation in _operations():
        method, _, path = what.partition(" ")
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            if parameter["in"] != "query" or schema.get("type") != "string" or "format" in schema or "enum" in schema:
                continue
            route = (method.upper(), path.removeprefix("/api/v1/admin"))
            is_moment = "anyOf" in schema
            may_be_empty = parameter["name"] in MAY_BE_EMPTY.get(route, ())
            assert is_moment or (schema.get("minLength", 0) >= 1) != may_be_empty, (what, parameter["name"])


def test_every_operation_has_a_name_of_its_own() -> None:
    """Generated clients call their methods by it."""
    names = [operation.name for operation in operations()]
    assert len(names) == len(set(names))


def test_the_document_is_openapi_31() -> None:
    """As far as its own shape goes, and each schema is one."""
    made = document()
    assert made["openapi"].startswith("3.1")
    for schema in made["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)
    for _, operation in _operations():
        assert "default" not in operation["responses"]
        for answer in operation["responses"].values():
            assert answer["description"]


def test_a_trigger_takes_the_published_headers() -> None:
    """Those of Orqestra's table, which are not the body's type or the key, the trace of W3C, and Sendmator's team."""
    trigger = document()["paths"]["/api/v1/events/trigger"]["post"]
    named = {one["name"] for one in trigger["parameters"] if one["in"] == "header"}
    assert named == {"X-Idempotency-Key", "X-Orqestra-Signature", "X-Trace-Id", "traceparent", "X-Team-ID"}


def test_the_admin_api_is_closed() -> None:
    """No body of the admin API, asked or answered, takes a field that is not described."""
    dialect = {"Trigger", "Payload", "TokenRequest"}
    for name, schema in document()["components"]["schemas"].items():
        is_closed = schema.get("additionalProperties") is False
        assert is_closed or name in dialect or name.startswith(("Nahook", "Sendmator")), name


def test_each_type_is_published_under_a_name_of_its_own() -> None:
    """Names lose their suffix: a body and a response of the same name would hide one another."""
    kinds = [kind for operation in operations() for kind in _kinds(operation)]
    _, components = msgspec.json.schema_components(kinds)
    assert len(_published(dict.fromkeys(components))) == len(components)


def test_references_lead_somewhere() -> None:
    """No schema names one that is not there."""
    known = document()["components"]["schemas"]
    for reference in _references(document()):
        assert reference.removeprefix("#/components/schemas/") in known


@pytest.mark.parametrize(
    ("what", "content"),
    [
        pytest.param(what, content, id=what)
        for what, operation in (
            (f"{method.upper()} {path}", operation)
            for path, methods in document()["paths"].items()
            for method, operation in methods.items()
        )
        for content in [
            *operation.get("requestBody", {}).get("content", {}).values(),
            *(each for answer in operation["responses"].values() for each in answer.get("content", {}).values()),
        ]
        if "example" in content
    ],
)
def test_an_example_is_what_it_exemplifies(what: str, content: dict[str, Any]) -> None:
    """An example that the schema refuses would mislead whoever copies it."""
    schema = {**content["schema"], "components": document()["components"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(content["example"])


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
