"""The part of the document that the console's types are made from: `python -m gateway.openapi.console FILE`.

Only the admin API, without the headers of responses, and with one problem for all errors of an operation: the types
stay readable, and a client handles all problems in the same way.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.openapi.document import document
from gateway.openapi.operations import PROBLEM

_PREFIX = "/api/v1/admin/"
_REF = "#/components/schemas/"
_PROBLEM = {"description": "A problem", "content": {PROBLEM: {"schema": {"$ref": _REF + "Problem"}}}}


def console_document() -> dict[str, Any]:
    """Return the reduced document."""
    whole = document()
    paths = {
        path: {method: _reduced(operation) for method, operation in methods.items()}
        for path, methods in whole["paths"].items()
        if path.startswith(_PREFIX)
    }
    schemas = whole["components"]["schemas"]
    return {
        "openapi": whole["openapi"],
        "info": whole["info"],
        "paths": paths,
        "components": {"schemas": {name: schemas[name] for name in sorted(_reached(paths, schemas))}},
    }


def _reduced(operation: dict[str, Any]) -> dict[str, Any]:
    answers = {
        status: {name: value for name, value in answer.items() if name != "headers"}
        for status, answer in operation["responses"].items()
        if int(status) < 400
    }
    return {**operation, "responses": {**answers, "default": _PROBLEM}}


def _reached(paths: Any, schemas: dict[str, Any]) -> set[str]:
    """Return the names of all schemas that the paths use, directly or not."""
    found: set[str] = set()
    waiting = list(_named(paths))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _named(schemas[name])
    return found


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(ref := node.get("$ref"), str):
            yield ref.removeprefix(_REF)
        for value in node.values():
            yield from _named(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _named(value)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(console_document()))
