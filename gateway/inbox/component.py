"""The web component <clarion-inbox> as one file, which pages of any origin may load. `make pages` builds it."""

import asyncio
import base64
import functools
import hashlib
from pathlib import Path

from aiohttp import web

from gateway.replies import json_reply, neutral_reply

PATH = "/inbox/clarion-inbox.js"
INTEGRITY_PATH = "/inbox/integrity.json"
# Where the file is in the image, and in a checkout. Beside it lies the same file compressed, with the suffix .gz, which
# aiohttp sends to browsers that take it.
FILES = tuple(
    folder / "dist" / "clarion-inbox.js" for folder in (Path(__file__).parent, Path(__file__).parents[2] / "inbox")
)

_NOT_BUILT = "The inbox component is not built: run `make pages` in the checkout."


async def serve(_request: web.Request) -> web.StreamResponse:
    """Return the file. Browsers ask each time whether it has changed, and are answered 304 if it has not."""
    file = await asyncio.to_thread(found)
    if file is None:
        return neutral_reply(404, _NOT_BUILT)
    return web.FileResponse(
        file,
        headers={
            "Content-Type": "text/javascript; charset=utf-8",
            "Cache-Control": "no-cache",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Accept-Encoding",
        },
    )


async def serve_integrity(_request: web.Request) -> web.StreamResponse:
    """Return {"src", "integrity"}, for a script element with these attributes."""
    integrity = await asyncio.to_thread(_integrity)
    if not integrity:
        return neutral_reply(404, _NOT_BUILT)
    return json_reply({"src": PATH, "integrity": integrity}, headers={"Cache-Control": "no-cache"})


def found() -> Path | None:
    """Return the file, None if it was not built. It may be built, or replaced, while the gateway runs."""
    return next((file for file in FILES if file.is_file()), None)


def _integrity() -> str:
    file = found()
    return "" if file is None else _hash_of(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _hash_of(file: Path, _changed: int) -> str:
    return f"sha384-{base64.b64encode(hashlib.sha384(file.read_bytes()).digest()).decode()}"
