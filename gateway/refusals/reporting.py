"""Takes note of responses of the public APIs, and hands what was counted to ingest every few seconds."""

import asyncio
import ipaddress
import random
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from prometheus_client import Counter

from clarion.ingest.v1 import refusals_pb2
from gateway.clients import Clients
from gateway.refusals.counting import Refusals
from gateway.refusals.notes import CALLER, PRESENTED, PresentedKey, note_of
from runtime import clock, logs
from runtime.errors import ClarionError

PERIOD_S = 5.0
# Of one call to ingest.
BATCH = 500
_DEADLINE_S = 3.0

REFUSALS = web.AppKey("refusals", Refusals)

_lost = Counter("clarion_refusals_lost_total", "Refused requests that could not be listed for operators.")

log = logs.get(__name__)


def is_refusal(status: int) -> bool:
    """Return whether a response with this status is one to a request that was refused."""
    return 400 <= status < 500 or status == 503


def count(request: web.Request, status: int, route: str, trace_id: str, network_of: Callable[[], str]) -> None:
    """Count a refused request of a public API. network_of: returns the address of its sender."""
    tenant_id = request.get(CALLER, "")
    presented = request.get(PRESENTED)
    request.app[REFUSALS].count(
        clock.now_us(),
        tenant_id=tenant_id,
        key=PresentedKey.of(*presented) if presented is not None else None,
        network="" if tenant_id else network(network_of()),
        method=request.method if route != "unknown" else "",
        route=route,
        status=status,
        note=note_of(request, status),
        trace_id=trace_id,
    )


def network(address: str) -> str:
    """Return the /24 of an IPv4 address; an IPv6 network as it is."""
    if not address or ":" in address:
        return address
    return str(ipaddress.ip_network(f"{address}/24", strict=False))


def keep_reporting(clients: Clients) -> "Callable[[web.Application], AsyncIterator[None]]":
    """Return a cleanup context that hands in what is counted, and at the end what is left."""

    async def reporting(app: web.Application) -> AsyncIterator[None]:
        refusals = app[REFUSALS]
        task = asyncio.create_task(_run(refusals, clients))
        yield
        task.cancel()
        await asyncio.wait([task])
        await hand_in(refusals, clients)

    return reporting


async def _run(refusals: Refusals, clients: Clients) -> None:
    while True:
        await asyncio.sleep(PERIOD_S * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
        try:
            while await hand_in(refusals, clients):
                pass
        except Exception:  # our own fault: the requests themselves must not suffer
            log.exception("refusals_not_handed_in")


async def hand_in(refusals: Refusals, clients: Clients) -> bool:
    """Hand in a batch of what is counted; return whether there is more to hand in now."""
    taken = refusals.take(BATCH)
    if not taken:
        return False
    wire = refusals_pb2.RecordRefusalsRequest(refusals=[one for _, one in taken])
    try:
        await clients.call(clients.refusals.RecordRefusals, wire, deadline=_DEADLINE_S)
    except ClarionError as error:
        lost = refusals.put_back(taken, clock.now_us())
        if lost:
            _lost.inc(lost)
        log.warning("refusals_wait", error=error.detail, lost=lost)
        return False
    return len(taken) == BATCH
