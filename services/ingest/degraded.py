"""The quota while PostgreSQL cannot be asked: each process counts for itself."""

import collections
from collections.abc import Callable

import msgspec

from runtime.configuration import Watch
from services import topology

DEFAULT_MAX_UNFINISHED = 100_000

QuotaOf = Callable[[str], int]


class _Tenant(msgspec.Struct):
    max_unfinished_events: int = DEFAULT_MAX_UNFINISHED


_decode = msgspec.json.Decoder(_Tenant).decode


def quota_from(watch: Watch) -> QuotaOf:
    """Return what looks a tenant's quota up in the configuration's copy."""

    def quota_of(tenant_id: str) -> int:
        known = watch.get(topology.tenant_key(tenant_id))
        return _decode(known).max_unfinished_events if known is not None else DEFAULT_MAX_UNFINISHED

    return quota_of


class OutageQuota:
    """Lets each tenant's quota in once for each outage.

    Without PostgreSQL the ledger finishes nothing and EVENTS cannot be tidied: all that comes in meanwhile counts.
    """

    def __init__(self, quota_of: QuotaOf) -> None:
        self._quota_of = quota_of
        self._accepted: collections.Counter[str] = collections.Counter()

    def take(self, tenant_id: str) -> bool:
        """Count one event; False: the tenant's quota is used up."""
        if self._accepted[tenant_id] >= self._quota_of(tenant_id):
            return False
        self._accepted[tenant_id] += 1
        return True

    def reset(self) -> None:
        """PostgreSQL answers, and counts again itself."""
        self._accepted.clear()
