"""Looks every minute which tenants are in trouble, and which providers that were down nobody has seen fail lately."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from clarion.ingest.v1 import usage_pb2
from runtime import clock, logs
from runtime.errors import ClarionError
from services.senders.alerts.outages import DEAD_LETTERS, QUOTA, QUOTA_NEAR, Kind, Outage
from services.senders.alerts.watch import Outages, ProviderWatch

_PERIOD_S = 60.0

# See ListTroublesResponse: a kind with so many may have more.
_LISTED = 100
_MIB = 1024 * 1024

_KINDS = {
    usage_pb2.TROUBLE_KIND_DEAD_LETTERS: Kind.DEAD_LETTERS,
    usage_pb2.TROUBLE_KIND_QUOTA: Kind.QUOTA,
}

log = logs.get(__name__)


class KnownOutages(Outages, Protocol):
    """The stored outages. Each method raises UNAVAILABLE."""

    async def open_troubles(self) -> dict[tuple[Kind, str], str]:
        """Return the tenants of which it is known that they are in trouble, with the reasons."""

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
        listed = Counter[Kind]()
        for trouble in await self._source.troubles():
            kind = _KINDS.get(trouble.kind)
            if kind is None:  # of a later version
                continue
            key = kind, trouble.tenant_id
            found.add(key)
            listed[kind] += 1
            reason = _reason(trouble)
            if key not in known or (known[key] == QUOTA_NEAR and reason == QUOTA):
                outage = Outage("", kind, trouble.tenant_id, trouble.tenant_id, 0, "", reason, _detail(trouble), now)
                await self._store.begin(outage)
        for kind, tenant_id in known.keys() - found:
            if listed[kind] < _LISTED:
                await self._store.end(kind, tenant_id, now)


def _reason(trouble: usage_pb2.Trouble) -> str:
    if trouble.kind == usage_pb2.TROUBLE_KIND_DEAD_LETTERS:
        return DEAD_LETTERS
    return QUOTA_NEAR if trouble.is_near else QUOTA


def _detail(trouble: usage_pb2.Trouble) -> str:
    if trouble.kind == usage_pb2.TROUBLE_KIND_DEAD_LETTERS:
        return f"{trouble.count:,} deliveries died within an hour."
    if trouble.bytes_bound and trouble.bytes * trouble.bound > trouble.count * trouble.bytes_bound:
        return f"Unfinished events take {trouble.bytes // _MIB:,} of {trouble.bytes_bound // _MIB:,} MiB."
    return f"{trouble.count:,} of {trouble.bound:,} events are unfinished."
