"""The API page at /docs: files of our own, and Scalar's viewer from npm (gateway/browser/README.md)."""

import asyncio
import functools
import gzip
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from gateway.browser import NOT_INSTALLED, PACKAGES
from gateway.replies import neutral_reply

_STATIC = Path(__file__).with_name("static")
VIEWER = PACKAGES / "@scalar" / "api-reference" / "dist" / "browser"
_ENTRY = "viewer/standalone.esm.js"
# A file's name below /docs/, as it may be asked for.
NAME = r"[\w./-]+\.(?:css|js)"

# The viewer sets style attributes, which no hash or nonce can allow. Scripts and connections: this address only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}


async def serve_page(request: web.Request) -> web.Response:
    """Return the page."""
    response = await _serve(request, _STATIC / "index.html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


async def serve_file(request: web.Request) -> web.Response:
    """Return a file of the page or of the viewer."""
    name = request.match_info["name"]
    path = _files().get(name)
    if path is None:
        return neutral_reply(404, NOT_INSTALLED if name == _ENTRY else "")
    response = await _serve(request, path)
    if path.parent.name == "chunks":  # their names hold a hash of their content
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@functools.cache
def _files() -> Mapping[str, Path]:
    """Return the files below /docs/ by name. Only what is listed here is served."""
    found = {path.name: path for path in _STATIC.iterdir() if path.suffix in {".css", ".js"}}
    chunks = {f"viewer/chunks/{path.name}": path for path in (VIEWER / "chunks").glob("*.js")}
    entry = VIEWER / "standalone.esm.js"
    return {**found, **chunks, **({_ENTRY: entry} if entry.is_file() else {})}


async def _serve(request: web.Request, path: Path) -> web.Response:
    compressed = await asyncio.to_thread(_compressed, path)
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = compressed, "gzip"
    else:
        body = await asyncio.to_thread(gzip.decompress, compressed)
    return web.Response(body=body, content_type=_TYPES[path.suffix], charset="utf-8", headers=headers)


@functools.cache
def _compressed(path: Path) -> bytes:
    """Return the file compressed. Kept: it is compressed once per process, and all of them are about 1.3 MB."""
    return gzip.compress(path.read_bytes(), 6, mtime=0)
