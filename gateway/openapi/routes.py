"""/openapi.json and /docs."""

import functools

import msgspec
from aiohttp import web

from gateway.openapi import page
from gateway.replies import shared_reply

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY}


def add_routes(app: web.Application) -> None:
    """Serve the document, and the page that shows it."""
    app.router.add_get("/openapi.json", _json, allow_head=False)
    app.router.add_get("/docs", page.serve_page, allow_head=False)
    app.router.add_get(f"/docs/{{name:{page.NAME}}}", page.serve_file, allow_head=False)


async def _json(_request: web.Request) -> web.Response:
    return shared_reply(_encoded(), "application/json", _HEADERS)


@functools.cache
def _encoded() -> bytes:
    # Imported when first asked for: most gateways never need it in memory.
    from gateway.openapi.document import document

    return msgspec.json.encode(document())
