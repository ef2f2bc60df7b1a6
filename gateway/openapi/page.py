"""The API page at /docs: files of our own, and Scalar's viewer from npm (gateway/browser/README.md)."""

import asyncio
import functools
import gzip
import re
from pathlib import Path

from aiohttp import web

from gateway.browser import NOT_INSTALLED, PACKAGES
from gateway.encodings import accepts
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
# A file's name within its folder. The length is limited, because the file system refuses long names.
_FILE = re.compile(r"\w[\w.-]{0,99}\.(?:css|js)", re.ASCII)
# The cache holds both forms of all 120 files, 6.4 MB. Files of a viewer that was replaced are dropped at some point.
_KEPT = 240
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}


async def serve_page(request: web.Request) -> web.Response:
    """Return the page."""
    response = await _serve(request, _STATIC / "index.html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


async def serve_file(request: web.Request) -> web.Response:
    """Return a file of the page or of the viewer."""
    name = request.match_info["name"]
    path = _path(name)
    if path is None:
        return neutral_reply(404)
    try:
        response = await _serve(request, path)
    except FileNotFoundError:
        return neutral_reply(404, NOT_INSTALLED if name == _ENTRY else "")
    if path.parent.name == "chunks":  # their names hold a hash of their content
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _path(name: str) -> Path | None:
    """Return the file of a name below /docs/, which need not exist. Only files of two folders and one more are served.

    The folders are not listed beforehand, because the viewer may be installed or replaced while the gateway runs.
    """
    if name == _ENTRY:
        return VIEWER / "standalone.esm.js"
    folder, _, file = name.rpartition("/")
    parent = {"": _STATIC, "viewer/chunks": VIEWER / "chunks"}.get(folder)
    return parent / file if parent and _FILE.fullmatch(file) else None


async def _serve(request: web.Request, path: Path) -> web.Response:
    """Raises FileNotFoundError."""
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    compressed = accepts(request.headers.get("Accept-Encoding", ""), "gzip")
    if compressed:
        headers["Content-Encoding"] = "gzip"
    body = await asyncio.to_thread(_content, path, compressed=compressed)
    return shared_reply(body, _TYPES[path.suffix], headers)


def _content(path: Path, *, compressed: bool) -> bytes:
    """Return the file, compressed or not. All requests share one copy. Raises FileNotFoundError."""
    return _cached(path, path.stat().st_ctime_ns, compressed=compressed)


@functools.lru_cache(maxsize=_KEPT)
def _cached(path: Path, _changed: int, *, compressed: bool) -> bytes:
    content = path.read_bytes()
    return gzip.compress(content, 6, mtime=0) if compressed else content
