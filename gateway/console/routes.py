"""The paths of the console and their handlers."""

import secrets

from aiohttp import ETag, web

from gateway.console.build import CODINGS, HASHED, Build, Builds, File
from gateway.console.frame import serve_frame
from gateway.console.policy import REPORTS, SAFE_HEADERS, page_headers
from gateway.console.reports import Reports
from gateway.encodings import accepts
from gateway.replies import json_reply, neutral_reply, shared_reply

_HOME = "/console/"
# What a browser says that it wants to do with a page. Anything else is not shown the page in place of a missing file.
_OF_PAGES = frozenset({"", "document", "empty"})
_FOREVER = "public, max-age=31536000, immutable"
_NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Clarion console</title></head>
<body><main><h1>The console is not built</h1>
<p>This gateway runs, but its Admin UI was not built, or its files are missing.</p>
<p>In a checkout, run <code>make pages</code>: it builds the console, or says why that is not possible. Then reload this
page; the gateway need not be restarted. An image of Clarion contains the console: build the image again.</p>
<p>Until then, use the API: <a href="/docs">its reference</a> describes it.</p></main></body>
</html>
"""


def add_routes(app: web.Application, builds: Builds | None = None) -> None:
    """Serve the console. builds: where it is; None: where it is built."""
    console = _Console(builds or Builds())
    app.router.add_get("/", _to_console)
    app.router.add_get("/console", _to_console)
    app.router.add_get("/console/frame", serve_frame)
    app.router.add_post(REPORTS, Reports().receive)
    app.router.add_get(_HOME + "{path:.*}", console.serve)


async def _to_console(request: web.Request) -> web.Response:
    """Lead people to the console. A program that asks for another type than a page's gets 404, as for other paths."""
    accepted = request.headers.get("Accept", "*/*").lower()
    if request.path == "/" and not any(kind in accepted for kind in ("text/html", "text/*", "*/*")):
        return neutral_reply(404, "The API is below /api/v1/, and /openapi.json describes it.")
    target = _HOME + (f"?{request.query_string}" if request.query_string else "")
    body = {"console": _HOME, "documentation": "/docs", "openapi": "/openapi.json"}
    return json_reply(body, status=302, headers={"Location": target, "Vary": "Accept"})


class _Console:
    """Handlers for the page and its files."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds

    async def serve(self, request: web.Request) -> web.Response:
        """Return a file of the build; for any other path the page, which knows what the path means."""
        name = request.match_info["path"]
        if name and (file := await self._builds.file(name)):
            return _file(request, file, hashed=name.startswith(HASHED))
        if name.startswith(HASHED) or request.headers.get("Sec-Fetch-Dest", "") not in _OF_PAGES:
            return neutral_reply(404, "The console has no such file. Reload the page: there may be a new version.")
        build = await self._builds.newest()
        return _not_built() if build is None else _page(request, build)


def _page(request: web.Request, build: Build) -> web.Response:
    nonce = secrets.token_urlsafe(18)
    return web.Response(
        text=nonce.join(build.index), content_type="text/html", headers=page_headers(request.host, nonce)
    )


def _not_built() -> web.Response:
    return web.Response(text=_NOT_BUILT, status=503, content_type="text/html", headers=SAFE_HEADERS)


def _file(request: web.Request, file: File, *, hashed: bool) -> web.Response:
    accepted = request.headers.get("Accept-Encoding", "")
    coding = next((one for one in CODINGS if one in file.coded and accepts(accepted, one)), "")
    tag = f"{file.digest}-{coding or 'plain'}"
    headers = {
        **SAFE_HEADERS,
        "Cache-Control": _FOREVER if hashed else "no-cache",
        "ETag": f'"{tag}"',
        "Vary": "Accept-Encoding",
    }
    if _is_known(request, tag):
        return web.Response(status=304, headers=headers)
    if coding:
        headers["Content-Encoding"] = coding
    body = file.coded[coding]
    if request.method == "HEAD":
        return web.Response(headers={**headers, "Content-Length": str(len(body)), "Content-Type": file.content_type})
    return shared_reply(body, file.content_type, headers)


def _is_known(request: web.Request, tag: str) -> bool:
    """Return whether the client has this content already."""
    known: tuple[ETag, ...] = request.if_none_match or ()
    return any(one.value in {tag, "*"} for one in known)
