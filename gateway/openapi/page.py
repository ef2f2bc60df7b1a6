"""The document as a page for people: plain HTML, no script, nothing fetched from elsewhere."""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import msgspec

STYLE = Path(__file__).with_name("style.css")

Node = Mapping[str, Any]


def page(document: Node) -> str:
    """Return the page of an OpenAPI document."""
    info = document["info"]
    body = (
        f"<nav>{_contents(document)}</nav><main><h1>{escape(info['title'])}</h1><p>{escape(info['description'])} "
        'The same for programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{_security(document)}{''.join(_areas(document))}<h2 id=schemas>Schemas</h2>{_schemas(document)}</main>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title>"
        f'<link rel="stylesheet" href="/docs/style.css"></head><body>{body}</body></html>'
    )


def _operations(document: Node, tag: str) -> Iterable[tuple[str, str, Node]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield method.upper(), path, operation


def _contents(document: Node) -> str:
    parts = []
    for tag in document["tags"]:
        links = "".join(
            f'<li><a href="#{escape(operation["operationId"])}">{escape(operation["summary"])}</a></li>'
            for _, _, operation in _operations(document, tag["name"])
        )
        parts.append(f"<h2>{escape(tag['name'])}</h2><ul>{links}</ul>")
    return "".join(parts) + '<h2><a href="#schemas">Schemas</a></h2>'


def _security(document: Node) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{escape(_shown_where(scheme))}</td>"
        f"<td>{escape(scheme['description'])}</td></tr>"
        for name, scheme in document["components"]["securitySchemes"].items()
    )
    return f"<table>{rows}</table>"


def _shown_where(scheme: Node) -> str:
    return f"{scheme['name']}: …" if scheme["type"] == "apiKey" else "Authorization: Bearer …"


def _areas(document: Node) -> Iterable[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>"
        for method, path, operation in _operations(document, tag["name"]):
            yield _operation(method, path, operation)


def _operation(method: str, path: str, operation: Node) -> str:
    head = f"<b>{method}</b> <code>{escape(path)}</code>"
    says = escape(f"{operation['summary']}. {operation.get('description', '')}")
    parts = [f'<section id="{escape(operation["operationId"])}"><h3>{head}</h3><p>{says}</p>']
    if schemes := [name for entry in operation.get("security", ()) for name in entry]:
        parts.append(f"<p>With {escape(' or '.join(schemes))}.</p>")
    if parameters := operation.get("parameters"):
        parts.append(f"<table>{''.join(_parameter(parameter) for parameter in parameters)}</table>")
    if (body := operation.get("requestBody")) is not None:
        parts += [f"<h4>Body</h4>{_content(kind, content)}" for kind, content in body["content"].items()]
    answers = "".join(_answer(status, answer) for status, answer in operation["responses"].items())
    parts.append(f"<h4>Answers</h4><table>{answers}</table></section>")
    return "".join(parts)


def _parameter(parameter: Node) -> str:
    need = "required" if parameter["required"] else ""
    says = parameter.get("description", "")
    return (
        f"<tr><th scope=row><code>{escape(parameter['name'])}</code></th><td>{parameter['in']} {need}</td>"
        f"<td>{_kind(parameter['schema'])}</td><td>{escape(says)}</td></tr>"
    )


def _answer(status: str, answer: Node) -> str:
    contents = "".join(_content(kind, content) for kind, content in answer.get("content", {}).items())
    own = ", ".join(name for name in answer.get("headers", {}) if name != "X-Trace-Id")
    headers = f" <small>{escape(own)}</small>" if own else ""
    return f"<tr><th scope=row>{status}</th><td>{escape(answer['description'])}{headers}</td><td>{contents}</td></tr>"


def _content(kind: str, content: Node) -> str:
    shown = f"<span>{_kind(content['schema'])} <small>{escape(kind)}</small></span>"
    if "example" not in content:
        return shown
    example = msgspec.json.format(msgspec.json.encode(content["example"])).decode()
    return f"{shown}<details><summary>Example</summary><pre>{escape(example)}</pre></details>"


def _schemas(document: Node) -> str:
    parts = []
    for name, schema in sorted(document["components"]["schemas"].items()):
        required = schema.get("required", ())
        rows = "".join(_field(field, node, field in required) for field, node in schema.get("properties", {}).items())
        title = schema.get("title", name)
        says = schema.get("description", "")
        others = "" if schema.get("additionalProperties") is False else "<p>Other fields are allowed.</p>"
        parts.append(
            f'<section id="schema-{escape(name)}"><h3>{escape(title)}</h3><p>{escape(says)}</p>'
            f"<table>{rows}</table>{others}</section>"
        )
    return "".join(parts)


def _field(name: str, schema: Node, required: bool) -> str:  # noqa: FBT001 - the third column
    need = "required" if required else ""
    return (
        f"<tr><th scope=row><code>{escape(name)}</code></th><td>{need}</td><td>{_kind(schema)}</td>"
        f"<td>{escape(schema.get('description', ''))}</td></tr>"
    )


def _kind(schema: Node) -> str:
    """Return a schema in a few words, with links to what it is made of."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>" if schema["const"] != "" else "empty"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    words = [schema.get("format") or schema.get("type", "anything"), *_bounds(schema)]
    return escape(", ".join(words))


def _bounds(schema: Node) -> list[str]:
    names = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most"}
    bounds = [f"{word} {schema[name]}" for name, word in names.items() if name in schema]
    if schema.get("default") not in (None, "", [], {}):
        bounds.append(f"default {schema['default']}")
    return bounds
