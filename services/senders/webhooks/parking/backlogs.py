"""How many deliveries of a tenant wait in rows, of all its endpoints together, and how many more may."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

# A tenant may have so many times as many rows as one endpoint of it.
ENDPOINTS_BOUND = 10
# The sum over a tenant's endpoints is read again after so long, seconds; and always above this share of the bound.
_KNOWN_S, _NEAR = 1.0, 0.9
# Tenants whose sums are remembered.
_MOST = 10_000


class _Known(NamedTuple):
    """A sum as it was read, with what this process added since. read_at: monotonic, seconds."""

    parked: int
    read_at: float


class Backlogs:
    """The sums of this process. Several processes may together pass the bound by what each stores in one second."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    async def room(
        self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]], bounds: Mapping[str, int]
    ) -> dict[str, int]:
        """Return how many more rows each tenant may have. bounds: of one endpoint. read: reads sums of tenants."""
        now = time.monotonic()
        most = {tenant_id: bound * ENDPOINTS_BOUND for tenant_id, bound in bounds.items()}
        asked = [tenant_id for tenant_id in bounds if not self._is_known(tenant_id, most[tenant_id] * _NEAR, now)]
        if len(self._known) + len(asked) > _MOST:
            self._known.clear()
            asked = list(bounds)
        if asked:
            found = await read(asked)
            self._known.update({tenant_id: _Known(found.get(tenant_id, 0), now) for tenant_id in asked})
        return {tenant_id: max(0, bound - self._known[tenant_id].parked) for tenant_id, bound in most.items()}

    def add(self, counts: Mapping[str, int]) -> None:
        """Count rows that were stored."""
        for tenant_id, count in counts.items():
            if (known := self._known.get(tenant_id)) is not None:
                self._known[tenant_id] = known._replace(parked=known.parked + count)

    def _is_known(self, tenant_id: str, near: float, now: float) -> bool:
        known = self._known.get(tenant_id)
        return known is not None and known.parked < near and now - known.read_at < _KNOWN_S
