"""The API page at /docs: files of our own, and Scalar's viewer from npm (gateway/browser/README.md)."""

import asyncio
import functools
import gzip
import re
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from gateway.browser import NOT_INSTALLED, PACKAGES
from gateway.replies import neutral_reply, shared_reply

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
_QUALITY_0 = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")
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
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    compressed = _accepts_gzip(request.headers.get("Accept-Encoding", ""))
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return shared_reply(await asyncio.to_thread(_content, path, compressed=compressed), _TYPES[path.suffix], headers)


def _accepts_gzip(accepted: str) -> bool:
    """Return whether Accept-Encoding names gzip, and not with the quality 0, which forbids it."""
    for coding in accepted.lower().split(","):
        name, _, quality = coding.partition(";")
        if name.strip() == "gzip":
            return not _QUALITY_0.fullmatch(quality)
    return False


@functools.cache
def _content(path: Path, *, compressed: bool) -> bytes:
    """Return the file, compressed or not. All requests share one copy: of all files together they take 6.2 MB."""
    content = path.read_bytes()
    return gzip.compress(content, 6, mtime=0) if compressed else content
