"""Remembers the newest revision of each tenant's endpoints and subscriptions that this gateway has seen."""

from collections import OrderedDict

from aiohttp import web

# A tenant that is forgotten gets answers from a copy that may be some milliseconds old.
MAX_TENANTS = 10_000


class Revisions:
    """What changes of endpoints answered, so that the events that follow them in this gateway are read with them."""

    def __init__(self, most: int = MAX_TENANTS) -> None:
        self._most = most
        self._newest: OrderedDict[str, int] = OrderedDict()

    def remember(self, tenant_id: str, revision: int) -> None:
        """Note the revision that a change answered; 0: it answered none."""
        if revision <= self._newest.get(tenant_id, 0):
            return
        self._newest[tenant_id] = revision
        self._newest.move_to_end(tenant_id)
        if len(self._newest) > self._most:
            self._newest.popitem(last=False)

    def of(self, tenant_id: str) -> int:
        """Return the newest revision of a tenant; 0: none is known."""
        return self._newest.get(tenant_id, 0)


REVISIONS = web.AppKey("revisions", Revisions)


def remember(request: web.Request, tenant_id: str, revision: int) -> None:
    """Note the revision that a change of a tenant's endpoints answered, made by this request."""
    request.app[REVISIONS].remember(tenant_id, revision)
