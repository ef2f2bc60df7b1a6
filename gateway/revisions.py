"""The newest revision of each tenant's endpoints and subscriptions that this gateway has seen."""

from collections import OrderedDict

# Past it the tenant is forgotten whose last change is the oldest: its change has long been everywhere.
MAX_TENANTS = 10_000


class Revisions:
    """Remembers what writes answered, so that an event right after one is accepted by a copy that has it."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict()

    def remember(self, tenant_id: str, revision: int) -> None:
        """Note a revision. 0: the write did not say."""
        if revision <= self._newest.get(tenant_id, 0):
            return
        self._newest[tenant_id] = revision
        self._newest.move_to_end(tenant_id)
        if len(self._newest) > MAX_TENANTS:
            self._newest.popitem(last=False)

    def newest(self, tenant_id: str) -> int:
        """Return the newest revision; 0: none is known."""
        return self._newest.get(tenant_id, 0)
