"""The web component <clarion-inbox> as one file, which pages of any origin may load. inbox/build makes it."""

import asyncio
import base64
import functools
import hashlib
from pathlib import Path

from aiohttp import web

from gateway.replies import json_reply, neutral_reply

PATH = "/inbox/clarion-inbox.js"
INTEGRITY_PATH = "/inbox/integrity.json"
# Beside it lies the same file compressed, with the suffix .gz, which aiohttp sends to browsers that take it.
FILE = Path(__file__).parents[2] / "inbox" / "dist" / "clarion-inbox.js"

_NOT_BUILT = "The inbox component is not built: run `make inbox` in the checkout."


async def serve(_request: web.Request) -> web.StreamResponse:
    """Return the file. Browsers ask each time whether it has changed, and are answered 304 if it has not."""
    if not await asyncio.to_thread(FILE.is_file):
        return neutral_reply(404, _NOT_BUILT)
    return web.FileResponse(
        FILE,
        headers={
            "Content-Type": "text/javascript; charset=utf-8",
            "Cache-Control": "no-cache",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Accept-Encoding",
        },
    )


async def serve_integrity(_request: web.Request) -> web.StreamResponse:
    """Return {"src", "integrity"}, for a script element with these attributes."""
    try:
        integrity = await asyncio.to_thread(_integrity)
    except FileNotFoundError:
        return neutral_reply(404, _NOT_BUILT)
    return json_reply({"src": PATH, "integrity": integrity}, headers={"Cache-Control": "no-cache"})


def _integrity() -> str:
    return _hash_of(FILE.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _hash_of(_changed: int) -> str:
    return f"sha384-{base64.b64encode(hashlib.sha384(FILE.read_bytes()).digest()).decode()}"
