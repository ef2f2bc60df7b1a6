"""One operation for a path that two APIs have: the key of a request decides which of them it is meant for. Pure."""

from typing import Any

_Node = dict[str, Any]


def shared(first: _Node, second: _Node) -> _Node:
    """Return an operation that is either of two. Its name is that of the first."""
    summaries = [first["summary"], second["summary"]]
    merged: _Node = {
        "operationId": first["operationId"],
        "summary": " or: ".join(summaries),
        "description": "The key of the request decides which of these APIs it is meant for.",
        "tags": list(dict.fromkeys(first["tags"] + second["tags"])),
        "responses": _responses(first["responses"], second["responses"]),
        "security": first.get("security", []) + second.get("security", []),
    }
    if parameters := _parameters(first.get("parameters", []), second.get("parameters", [])):
        merged["parameters"] = parameters
    if "requestBody" in first and "requestBody" in second:
        content = _content(first["requestBody"]["content"], second["requestBody"]["content"])
        merged["requestBody"] = {"required": True, "content": content}
    return merged


def _responses(first: _Node, second: _Node) -> _Node:
    found = {}
    for status in sorted({*first, *second}):
        if status not in first or status not in second:
            found[status] = first.get(status) or second[status]
            continue
        one, other = first[status], second[status]
        found[status] = {"description": one["description"], "headers": _headers(one["headers"], other["headers"])}
        if "content" in one:
            found[status]["content"] = _content(one["content"], other["content"])
    return found


def _headers(first: _Node, second: _Node) -> _Node:
    """Return the headers of either; only those are required that both require."""
    return {
        name: {
            **(first.get(name) or second[name]),
            "required": all(of.get(name, {}).get("required", False) for of in (first, second)),
        }
        for name in dict.fromkeys([*first, *second])
    }


def _parameters(first: list[_Node], second: list[_Node]) -> list[_Node]:
    """Return the parameters of either; only those are required that both require."""
    by_name = [{(one["in"], one["name"]): one for one in of} for of in (first, second)]
    return [
        {
            **(by_name[0].get(where) or by_name[1][where]),
            "required": all(where in of and of[where]["required"] for of in by_name),
        }
        for where in dict.fromkeys([*by_name[0], *by_name[1]])
    ]


def _content(first: _Node, second: _Node) -> _Node:
    """Return a body that is either of two; examples keep a name of their own."""
    found: _Node = {}
    for kind in dict.fromkeys([*first, *second]):
        of = [body[kind] for body in (first, second) if kind in body]
        schemas = [one["schema"] for one in of]
        found[kind] = {"schema": {"anyOf": schemas} if schemas[1:] != schemas[:-1] else schemas[0]}
        examples = {str(number): {"value": one["example"]} for number, one in enumerate(of, 1) if "example" in one}
        if examples:
            found[kind]["examples"] = examples
    return found
