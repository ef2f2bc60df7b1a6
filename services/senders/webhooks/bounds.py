"""How many calls may be under way: in all, of a tenant, and to an endpoint. Pure.

Whoever has many under way gets no more once little is left, before the others get none: a tenant may hold as many as
are free, an endpoint a quarter of what it has and its tenant may still take. So 200 endpoints of one tenant that hang
hold a few calls each, and one that is well still finds its own.
"""

from collections import Counter
from dataclasses import dataclass

_ENDPOINT_SHARE = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """The most calls under way at a time, in this process."""

    total: int = 768
    of_tenant: int = 256
    of_endpoint: int = 64


class Bounds:
    """Counts the calls under way. Every enter() that returned true needs one leave()."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tenants: Counter[str] = Counter()
        self._endpoints: Counter[str] = Counter()
        self.under_way = 0

    def enter(self, tenant_id: str, endpoint_id: str) -> bool:
        """Return whether one more call may be made now."""
        free = self._limits.total - self.under_way
        of_tenant, of_endpoint = self._tenants[tenant_id], self._endpoints[endpoint_id]
        left = min(self._limits.of_tenant - of_tenant, free)
        share = min(self._limits.of_endpoint, max(1, (left + of_endpoint) // _ENDPOINT_SHARE))
        if left <= 0 or of_tenant >= max(1, free) or of_endpoint >= share:
            return False
        self.under_way += 1
        self._tenants[tenant_id] += 1
        self._endpoints[endpoint_id] += 1
        return True

    def has_calls_of(self, tenant_id: str) -> bool:
        """Return whether calls of a tenant are under way."""
        return tenant_id in self._tenants

    def has_calls_to(self, endpoint_id: str) -> bool:
        """Return whether calls of an endpoint are under way."""
        return endpoint_id in self._endpoints

    def leave(self, tenant_id: str, endpoint_id: str) -> None:
        """End a call."""
        self.under_way -= 1
        _lower(self._tenants, tenant_id)
        _lower(self._endpoints, endpoint_id)


def _lower(counts: "Counter[str]", name: str) -> None:
    counts[name] -= 1
    if counts[name] <= 0:
        del counts[name]
