"""Puts together what notices, stores and tells of outages."""

import asyncio
import contextlib
import uuid
from dataclasses import dataclass

import asyncpg
import grpc.aio

from runtime import service
from runtime.grpc import Caller
from services.senders.alerts.neighbours import IngestAlerts, IngestTroubles
from services.senders.alerts.servicer import AlertServicer
from services.senders.alerts.store import OutageStore
from services.senders.alerts.telling import Teller, TenantName
from services.senders.alerts.troubles import Patrol
from services.senders.alerts.watch import ProviderWatch

# What a process that ends still has to store gets this long, seconds.
_LAST_S = 2.0


@dataclass(frozen=True, slots=True)
class Alerts:
    """The parts that run. watch: is told of calls of providers; store: of endpoints."""

    store: OutageStore
    watch: ProviderWatch
    teller: Teller
    patrol: Patrol
    servicer: AlertServicer

    def start(self, process: service.Process) -> None:
        """Start the loops."""
        process.start(self.watch.run(), name="outages")
        process.start(self.teller.run(), name="alerts")
        process.start(self.patrol.run(), name="troubles of tenants")
        process.on_drain(self.drain)

    async def drain(self) -> None:
        """Store what was noticed last."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await self.watch.store_all()


def make_alerts(
    pool: "asyncpg.Pool[asyncpg.Record]",
    ingest: grpc.aio.Channel,
    caller: Caller,
    tenant_name: TenantName,
    *,
    public_url: str,
) -> Alerts:
    """Return the parts."""
    store = OutageStore(pool)
    watch = ProviderWatch(store)
    teller = Teller(store, IngestAlerts(ingest, caller), tenant_name, public_url=public_url, lowest_id=_lowest_id)
    patrol = Patrol(store, IngestTroubles(ingest, caller), watch)
    return Alerts(store, watch, teller, patrol, AlertServicer(store, teller))


def _lowest_id(at_us: int) -> str:
    """Return an id below all that were made at this time or later."""
    return str(uuid.UUID(int=max(at_us // 1000, 0) << 80))
