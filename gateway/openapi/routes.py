"""/openapi.json and /docs."""

import functools

import msgspec
from aiohttp import web

_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY}


def add_routes(app: web.Application) -> None:
    """Serve the document, the page that shows it, and that page's looks."""
    app.router.add_get("/openapi.json", _json, allow_head=False)
    app.router.add_get("/docs", _page, allow_head=False)
    app.router.add_get("/docs/style.css", _style, allow_head=False)


async def _json(_request: web.Request) -> web.Response:
    return web.Response(body=_encoded(), content_type="application/json", headers=_HEADERS)


async def _page(_request: web.Request) -> web.Response:
    return web.Response(body=_rendered(), content_type="text/html", charset="utf-8", headers=_HEADERS)


async def _style(_request: web.Request) -> web.Response:
    from gateway.openapi.page import STYLE

    return web.Response(body=STYLE.read_bytes(), content_type="text/css", charset="utf-8", headers=_HEADERS)


@functools.cache
def _encoded() -> bytes:
    # Imported when first asked for: a gateway that nobody asks need not hold it.
    from gateway.openapi.document import document

    return msgspec.json.encode(document())


@functools.cache
def _rendered() -> bytes:
    from gateway.openapi.document import document
    from gateway.openapi.page import page

    return page(document()).encode()
