"""/healthz and /readyz: what the gateway needs, and whether it is there."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from gateway.clients import Clients
from gateway.life import LIFE, Life
from gateway.replies import json_reply

# Answers are shared for this long, so that asking often costs nothing, seconds.
_FRESH_S = 0.5
# Who reports what the gateway does not speak to itself: the services that need it or write to it.
_REPORTERS: Mapping[str, tuple[str, ...]] = {
    "postgres": ("ingest",),
    "nats": ("ingest", "router", "senders", "realtime"),
    "nats.events": ("ingest",),
    "nats.deliveries": ("ingest", "router"),
    "nats.timers": ("ingest", "senders", "realtime"),
    "nats.trace": ("ingest", "router", "senders", "realtime"),
    "nats.config": ("ingest",),
}
# Of a service's own health.
_ITSELF = ""
# Without these, as ingest sees them, no event can be taken; the rest may be late without harm.
_NEEDED = ("nats", "nats.events")
_REASONS = {
    "ingest": "ingest does not answer",
    "nats": "NATS does not answer",
    "nats.events": "NATS does not store in EVENTS: the stream or its disk is full; `clarion doctor` says which",
}


@dataclass
class _Heard:
    """What this process last heard of the others. cannot_take: why events cannot be taken; empty: they can."""

    checked_at: float = float("-inf")
    dependencies: dict[str, bool] = field(default_factory=dict)
    cannot_take: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def add_routes(app: web.Application, clients: Clients) -> None:
    """Serve both pages."""
    life, heard = app[LIFE], _Heard()

    async def healthz(_request: web.Request) -> web.Response:
        await _refresh(heard, clients)
        return _answer(life, heard, heard.cannot_take or _away(heard.dependencies))

    async def readyz(_request: web.Request) -> web.Response:
        await _refresh(heard, clients)
        return _answer(life, heard, heard.cannot_take)

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


async def _refresh(heard: _Heard, clients: Clients) -> None:
    async with heard.lock:
        if time.monotonic() - heard.checked_at > _FRESH_S:
            await _check(heard, clients)
            heard.checked_at = time.monotonic()


def _answer(life: Life, heard: _Heard, reason: str) -> web.Response:
    status = "draining" if not life.serving else "unavailable" if reason else "ok"
    body: dict[str, object] = {
        "status": status,
        **({"reason": reason} if status == "unavailable" else {}),
        "dependencies": {name: "serving" if alive else "unavailable" for name, alive in heard.dependencies.items()},
    }
    if life.warnings:
        body["warnings"] = sorted(life.warnings)
    return json_reply(body, status=200 if status == "ok" else 503, headers={"Cache-Control": "no-store"})


async def _check(heard: _Heard, clients: Clients) -> None:
    asked = [(_ITSELF, service) for service in clients.channels]
    asked += [(name, service) for name, services in _REPORTERS.items() for service in services]
    hub, *said = await asyncio.gather(
        clients.is_hub_serving(), *[clients.report(service, name) for name, service in asked]
    )
    words = dict(zip(asked, said, strict=True))
    services = {service: words[_ITSELF, service] is True for service in clients.channels}
    heard.dependencies = {**services, **{name: _agreed(words, name) for name in _REPORTERS}, "hub": hub is True}
    heard.cannot_take = _why_not({"ingest": services["ingest"], **{name: words[name, "ingest"] for name in _NEEDED}})


def _agreed(words: Mapping[tuple[str, str], bool | None], name: str) -> bool:
    """Return what the services that answer say of it, the worst one first; one that is away stands for itself."""
    said = [word for (of, _), word in words.items() if of == name and word is not None]
    return bool(said) and all(said)


def _why_not(needed: Mapping[str, bool | None]) -> str:
    """Return the first reason. What ingest, which answered, did not report in time is no reason."""
    return next((f"No event can be taken: {_REASONS[name]}." for name, alive in needed.items() if alive is False), "")


def _away(dependencies: Mapping[str, bool]) -> str:
    away = [name for name, alive in dependencies.items() if not alive]
    return f"Not serving: {', '.join(away)}." if away else ""
