"""The newest revision of each tenant's endpoints and subscriptions that this gateway knows of."""

from collections import OrderedDict

# Tenants; past it the one whose endpoints changed longest ago is forgotten, whose changes are known everywhere by now.
MAX_REMEMBERED = 10_000


class Revisions:
    """Remembers the newest revision per tenant, for AcceptItem.revision."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict()

    def remember(self, tenant_id: str, revision: int) -> None:
        """Remember the revision that a write answered; 0 says nothing."""
        if revision > self._newest.get(tenant_id, 0):
            self._newest[tenant_id] = revision
            self._newest.move_to_end(tenant_id)
            if len(self._newest) > MAX_REMEMBERED:
                self._newest.popitem(last=False)

    def newest(self, tenant_id: str) -> int:
        """Return the newest revision that is known; 0: none."""
        return self._newest.get(tenant_id, 0)
