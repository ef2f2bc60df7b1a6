"""/healthz and /readyz: what the gateway needs, and whether it is there."""

import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web

from gateway.clients import Clients
from gateway.life import LIFE, Life
from gateway.replies import json_reply

# Answers are shared for this long, so that asking often costs nothing, seconds.
_FRESH_S = 0.5
_SERVERS = ("postgres", "nats")


@dataclass
class _Heard:
    """What this process last heard of the others."""

    checked_at: float = float("-inf")
    dependencies: dict[str, bool] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def add_routes(app: web.Application, clients: Clients) -> None:
    """Serve both pages."""
    life, heard = app[LIFE], _Heard()

    async def healthz(_request: web.Request) -> web.Response:
        return await _answer(life, heard, clients, None)

    async def readyz(_request: web.Request) -> web.Response:
        # Enough to take events: the rest may be late without harm.
        return await _answer(life, heard, clients, "ingest")

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


async def _answer(life: Life, heard: _Heard, clients: Clients, needed: str | None) -> web.Response:
    async with heard.lock:
        if time.monotonic() - heard.checked_at > _FRESH_S:
            heard.dependencies = await _check(clients)
            heard.checked_at = time.monotonic()
    dependencies = heard.dependencies
    is_well = dependencies[needed] if needed else all(dependencies.values())
    status = "draining" if not life.serving else "ok" if is_well else "unavailable"
    body: dict[str, object] = {
        "status": status,
        "dependencies": {name: "serving" if alive else "unavailable" for name, alive in dependencies.items()},
    }
    if life.warnings:
        body["warnings"] = sorted(life.warnings)
    return json_reply(body, status=200 if status == "ok" else 503, headers={"Cache-Control": "no-store"})


async def _check(clients: Clients) -> dict[str, bool]:
    asked = {
        **{name: clients.is_serving(name) for name in clients.channels},
        # The gateway speaks to neither; ingest does.
        **{name: clients.is_serving("ingest", of=name) for name in _SERVERS},
        "hub": clients.is_hub_serving(),
    }
    return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
