"""Looks every minute which tenants are in trouble, and which providers that were down nobody has seen fail lately."""

import asyncio
import random
from collections.abc import Sequence
from typing import Protocol

from clarion.ingest.v1 import usage_pb2
from runtime import clock, logs
from runtime.errors import ClarionError
from services.senders.alerts.outages import DEAD_LETTERS, QUOTA, Kind, Outage
from services.senders.alerts.watch import Outages, ProviderWatch

_PERIOD_S = 60.0

_KINDS = {
    usage_pb2.TROUBLE_KIND_DEAD_LETTERS: (Kind.DEAD_LETTERS, DEAD_LETTERS),
    usage_pb2.TROUBLE_KIND_QUOTA: (Kind.QUOTA, QUOTA),
}

log = logs.get(__name__)


class KnownOutages(Outages, Protocol):
    """The stored outages. Each method raises UNAVAILABLE."""

    async def open_troubles(self) -> set[tuple[Kind, str]]:
        """Return the tenants of which it is known that they are in trouble."""

    async def quiet_providers(self) -> set[str]:
        """Return the providers that are down, and of which nobody has seen a failure for a while."""


class TroubleSource(Protocol):
    """Ingest. Raises ClarionError: UNAVAILABLE if it is away."""

    async def troubles(self) -> Sequence[usage_pb2.Trouble]:
        """Return the tenants that are in trouble now."""


class Patrol:
    """One of each process; what several find is stored once."""

    def __init__(
        self, store: KnownOutages, source: TroubleSource, watch: ProviderWatch, *, now: clock.Clock = clock.now_us
    ) -> None:
        self._store = store
        self._source = source
        self._watch = watch
        self._now = now

    async def run(self) -> None:
        """Look until canceled."""
        while True:
            await asyncio.sleep(_PERIOD_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            try:
                await self.look()
            except ClarionError as error:
                log.warning("troubles_unknown", error=error.detail)

    async def look(self) -> None:
        """Look once. Raises UNAVAILABLE."""
        self._watch.expect(await self._store.quiet_providers())
        known = await self._store.open_troubles()
        now = self._now()
        found = set()
        for trouble in await self._source.troubles():
            kind, reason = _KINDS.get(trouble.kind, (None, ""))
            if kind is None:  # of a later version
                continue
            found.add((kind, trouble.tenant_id))
            if (kind, trouble.tenant_id) not in known:
                outage = Outage("", kind, trouble.tenant_id, trouble.tenant_id, 0, "", reason, _detail(trouble), now)
                await self._store.begin(outage)
        for kind, tenant_id in known - found:
            await self._store.end(kind, tenant_id, now)


def _detail(trouble: usage_pb2.Trouble) -> str:
    if trouble.kind == usage_pb2.TROUBLE_KIND_DEAD_LETTERS:
        return f"{trouble.count:,} deliveries died within an hour."
    return f"{trouble.count:,} of {trouble.bound:,} events are unfinished."
