"""/healthz and /readyz: the state of the gateway's dependencies."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from gateway.clients import Clients
from gateway.life import LIFE, Life
from gateway.replies import json_reply

# Results are cached this long, in seconds, so that frequent checks cost nothing.
_FRESH_S = 0.5
# The gateway does not connect to these itself: the services that use them report their state.
_REPORTERS: Mapping[str, tuple[str, ...]] = {
    "postgres": ("ingest",),
    "nats": ("ingest", "router", "senders", "realtime"),
    "nats.events": ("ingest",),
    "nats.deliveries": ("ingest", "router"),
    "nats.timers": ("ingest", "senders", "realtime"),
    "nats.trace": ("ingest", "router", "senders", "realtime"),
    "nats.config": ("ingest",),
}
# The name for a service's own health.
_ITSELF = ""
# If ingest cannot use these, no event can be accepted. The rest may fail for a while.
_NEEDED = ("nats", "nats.events")
_REASONS = {
    "ingest": "ingest does not answer",
    "nats": "NATS does not answer",
    "nats.events": "NATS does not store in EVENTS: the stream or its disk is full; `clarion doctor` says which",
}


@dataclass
class _LastCheck:
    """The results of the last check. cannot_take: why events cannot be accepted; empty: they can."""

    checked_at: float = float("-inf")
    dependencies: dict[str, bool] = field(default_factory=dict)
    cannot_take: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def add_routes(app: web.Application, clients: Clients) -> None:
    """Serve both pages."""
    life, last = app[LIFE], _LastCheck()

    async def healthz(_request: web.Request) -> web.Response:
        await _refresh(last, clients)
        return _answer(life, last, last.cannot_take or _away(last.dependencies))

    async def readyz(_request: web.Request) -> web.Response:
        await _refresh(last, clients)
        return _answer(life, last, last.cannot_take)

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


async def _refresh(last: _LastCheck, clients: Clients) -> None:
    async with last.lock:
        if time.monotonic() - last.checked_at > _FRESH_S:
            await _check(last, clients)
            last.checked_at = time.monotonic()


def _answer(life: Life, last: _LastCheck, reason: str) -> web.Response:
    status = "draining" if not life.serving else "unavailable" if reason else "ok"
    body: dict[str, object] = {
        "status": status,
        **({"reason": reason} if status == "unavailable" else {}),
        "dependencies": {name: "serving" if alive else "unavailable" for name, alive in last.dependencies.items()},
    }
    if life.warnings:
        body["warnings"] = sorted(life.warnings)
    return json_reply(body, status=200 if status == "ok" else 503, headers={"Cache-Control": "no-store"})


async def _check(last: _LastCheck, clients: Clients) -> None:
    asked = [(_ITSELF, service) for service in clients.connections]
    asked += [(name, service) for name, services in _REPORTERS.items() for service in services]
    hub, *said = await asyncio.gather(
        clients.is_hub_serving(), *[clients.report(service, name) for name, service in asked]
    )
    words = dict(zip(asked, said, strict=True))
    services = {service: words[_ITSELF, service] is True for service in clients.connections}
    last.dependencies = {**services, **{name: _agreed(words, name) for name in _REPORTERS}, "hub": hub is True}
    last.cannot_take = _why_not({"ingest": services["ingest"], **{name: words[name, "ingest"] for name in _NEEDED}})


def _agreed(words: Mapping[tuple[str, str], bool | None], name: str) -> bool:
    """Return whether all services that answered report it as healthy. Services that do not answer are left out."""
    said = [word for (of, _), word in words.items() if of == name and word is not None]
    return bool(said) and all(said)


def _why_not(needed: Mapping[str, bool | None]) -> str:
    """Return the first reason why events cannot be accepted. A report that came too late is not one."""
    return next(
        (f"Events cannot be accepted: {_REASONS[name]}." for name, alive in needed.items() if alive is False), ""
    )


def _away(dependencies: Mapping[str, bool]) -> str:
    away = [name for name, alive in dependencies.items() if not alive]
    return f"Not serving: {', '.join(away)}." if away else ""
