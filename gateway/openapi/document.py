"""Puts the areas together into one OpenAPI 3.1 document."""

import dataclasses
import functools
import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from gateway import dialects
from gateway.access.sessions import COOKIE as CONSOLE_COOKIE
from gateway.openapi import areas
from gateway.openapi.merging import shared
from gateway.openapi.operations import (
    CONSOLE_SESSION,
    JSON,
    OPERATOR,
    POLL_KEY,
    PORTAL_SESSION,
    DialectArea,
    Operation,
    Parameter,
    ResponseSpec,
)
from gateway.openapi.values import GatewayFaultSchema
from gateway.portal.sessions import COOKIE

_IN_PATH = re.compile(r"\{(\w+)\}")
SECURITY = {
    OPERATOR: {
        "type": "http",
        "scheme": "bearer",
        "description": "An admin token: CLARION_ADMIN_TOKEN, or one of CLARION_ADMIN_TOKENS.",
    },
    CONSOLE_SESSION: {
        "type": "apiKey",
        "in": "cookie",
        "name": CONSOLE_COOKIE,
        "description": (
            "The session of a console user. Over https the name begins with `__Host-`. A call that changes something"
            " also needs the header `X-CSRF-Token` with the csrf_token of `GET /api/v1/admin/session`."
        ),
    },
    POLL_KEY: {
        "type": "http",
        "scheme": "bearer",
        "description": "A further key of a tenant, of the kind `poll`, for this endpoint.",
    },
    PORTAL_SESSION: {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "What a link to the portal opens. Over https the name begins with `__Host-`.",
    },
}
# Of the gateway's own areas; each dialect brings its own, as it brings its security schemes.
TAGS = {
    "Activity": "What is going on: counts by time, a search over ids, and events as they change.",
    "Alerts": "Outages of providers and endpoints, and whom they are told.",
    "Applications": "Customers of a tenant, who manage their own endpoints in the portal.",
    "Audit log": "Who changed what by the admin API, and when.",
    "Callbacks": "Paths that providers and recipients call.",
    "Contents": "What was sent, what events carried, and what reasons mean.",
    "Console": "The Admin UI.",
    "Dead letters": "Deliveries whose last attempt failed.",
    "Demo": "The demo pages. They exist only if CLARION_DEMO_TENANT_ID is set.",
    "Endpoints": "Where webhooks go, what was sent to them, and what waits for them.",
    "Environments": "Parts of a tenant with endpoints of their own.",
    "Event types": "The types of events that endpoints can subscribe to.",
    "Events": "Search, timelines, and a dry run of routing.",
    "Imports": "Recipients from CSV files.",
    "Inbox": "The notifications of one user, for pages with a realtime token, and the web component that shows them.",
    "Outbox": "Messages that sandbox providers received.",
    "Polling": "Reading the events of an endpoint that has no public address.",
    "Portal": "Pages on which a customer of a tenant manages endpoints.",
    "Privacy": "Retention, erasure and export of personal data.",
    "Gateway": "Health, this document, and the WebSocket for browsers.",
    "Providers": "Services that send the messages of tenants, with their credentials.",
    "Recipients": "People whom a tenant stores, and groups of them.",
    "Refused requests": "Requests of the public APIs that were refused, by the key that sent them.",
    "Replays": "Sending events again.",
    "Schedules": "Events that are sent again and again, at the times of a cron expression.",
    "Runs": "Events for many recipients, and events that wait for their time.",
    "Segments": "Saved filters over the stored recipients of a tenant.",
    "Session": "Who is signed in.",
    "Suppressions": "Addresses that get no more messages.",
    "Users": "People who sign in to the console, with their roles.",
    "Templates": "Templates, layouts and partials, with their versions.",
    "Workflows": "What events start, step by step, for each person.",
    "Tenants": "Customers with their API keys, limits and secrets.",
}
_ANY_ID = {"type": "string", "minLength": 1}
_OUR_ID = {"type": "string", "format": "uuid"}
# The code says of each type what it is for; a generated client need not.
_SUFFIX = re.compile(r"(?<=[a-z])(?:Body|Schema)(?=[_\[\]]|$)")
_NAMING = ("$ref", "title")
_TRACE = {
    "X-Trace-Id": {
        "description": "The trace id in the log lines of this request: the caller's, or a new one.",
        "required": True,
        "schema": {"type": "string"},
    }
}


# The server refuses such a request before any handler sees it.
_ALWAYS = {417: ResponseSpec(GatewayFaultSchema, "The header `Expect` may only be `100-continue`.")}


def operations() -> list[Operation]:
    """Return every operation, area by area. The APIs that customers call come first."""
    found = [operation for area in _dialects() for operation in area.operations]
    for name in sorted(module.name for module in pkgutil.iter_modules(areas.__path__)):
        found += importlib.import_module(f"{areas.__name__}.{name}").OPERATIONS
    return [dataclasses.replace(one, answers={**one.answers, **_ALWAYS}) for one in found]


@functools.cache
def document() -> Mapping[str, Any]:
    """Return the document. Callers must not change it."""
    found = operations()
    tags = TAGS | {area.tag: area.description for area in _dialects()}
    schemes = {name: scheme for area in _dialects() for name, scheme in area.security.items()}
    schemas = _Schemas(found)
    paths: dict[str, dict[str, Any]] = {}
    for operation in found:
        methods = paths.setdefault(operation.path, {})
        method, made = operation.method.lower(), _operation(operation, schemas)
        methods[method] = shared(methods[method], made) if method in methods else made
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clarion",
            "version": "1",
            "description": (
                "Every public route of the gateway, with all its responses. Below `/api/v1/` a query parameter is"
                " refused with 422, or 400 in APIs without that status, if the operation does not list it, if it is"
                " given twice, or if it is empty and its schema does not allow that."
                " Send an `X-Trace-Id` with any request to find it in the logs;"
                " without one the gateway creates one. Every response returns it."
            ),
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": tag, "description": tags[tag]} for tag in dict.fromkeys(operation.tag for operation in found)
        ],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": {**schemes, **SECURITY}},
    }


def _dialects() -> list[DialectArea]:
    return [dialect.area() for dialect in dialects.installed()]


class _Schemas:
    """The JSON Schema of each type that an operation names; structs become components."""

    def __init__(self, found: Iterable[Operation]) -> None:
        kinds = [kind for operation in found for kind in _kinds(operation)]
        schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
        schemas, self.components = _published((schemas, components))
        # Not every type can be a key.
        self._of: dict[int, dict[str, Any]] = {id(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}

    def of(self, kind: Any) -> dict[str, Any]:
        return self._of[id(kind)]


def _published(node: Any) -> Any:
    """Return schemas under the names of their types without the suffixes."""
    if isinstance(node, dict):
        return {
            _SUFFIX.sub("", name): _SUFFIX.sub("", value)
            if name in _NAMING and isinstance(value, str)
            else _published(value)
            for name, value in node.items()
        }
    return [_published(one) for one in node] if isinstance(node, list | tuple) else node


def _kinds(operation: Operation) -> list[Any]:
    answered = [answer.type for answer in operation.answers.values()]
    asked = [operation.body, *(parameter.type for parameter in operation.parameters)]
    return [kind for kind in (*answered, *asked) if kind is not None]


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {
            str(status): _answer(status, answer, schemas) for status, answer in sorted(operation.answers.items())
        },
    }
    if operation.description:
        made["description"] = operation.description
    if parameters := _parameters(operation, schemas):
        made["parameters"] = parameters
    if operation.body is not None:
        content = _with_example({"schema": schemas.of(operation.body)}, operation.example)
        made["requestBody"] = {"required": True, "content": {operation.body_type: content}}
    if operation.security:
        made["security"] = [{scheme: []} for scheme in operation.security]
    return made


def _parameters(operation: Operation, schemas: _Schemas) -> Sequence[dict[str, Any]]:
    is_ours = operation.path.startswith("/api/v1/admin/")  # there every {id} is one that we gave
    named = [
        {"name": name, "in": "path", "required": True, "schema": _OUR_ID if is_ours and name == "id" else _ANY_ID}
        for name in _IN_PATH.findall(operation.path)
    ]
    return [*named, *(_parameter(parameter, schemas) for parameter in operation.parameters)]


def _parameter(parameter: Parameter, schemas: _Schemas) -> dict[str, Any]:
    schema = dict(schemas.of(parameter.type))
    if parameter.default is not None:
        schema["default"] = parameter.default
    made = {"name": parameter.name, "in": parameter.place, "required": parameter.required, "schema": schema}
    return {**made, "description": parameter.description} if parameter.description else made


def _answer(status: int, answer: ResponseSpec, schemas: _Schemas) -> dict[str, Any]:
    own = {
        name: {"description": says, "required": name in answer.headers, "schema": {"type": "string"}}
        for name, says in {**answer.headers, **answer.may_have}.items()
    }
    made: dict[str, Any] = {
        "description": answer.description or HTTPStatus(status).phrase,
        "headers": {**_TRACE, **own} if status != HTTPStatus.SWITCHING_PROTOCOLS else own,
    }
    if answer.type is not None:
        content = _with_example({"schema": schemas.of(answer.type)}, answer.example)
        made["content"] = {answer.content_type or JSON: content}
    return made


def _with_example(content: dict[str, Any], example: Any) -> dict[str, Any]:
    return {**content, "example": example} if example is not None else content
