"""Remembers the newest revision of each tenant's endpoints and subscriptions that this gateway has seen."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

# A tenant that is forgotten gets answers from a copy that may be some milliseconds old.
MAX_TENANTS = 10_000
# How long after a revision an older one may still be answered, seconds: longer than any call takes. After that a
# smaller revision is a newer one, of a configuration bucket that was made again.
LATE_S = 10.0


class _Newest(NamedTuple):
    revision: int
    seen_at: float


class Revisions:
    """What changes of endpoints answered, so that the events that follow them in this gateway are read with them.

    now: a clock that never goes back, seconds.
    """

    def __init__(self, most: int = MAX_TENANTS, *, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._newest: OrderedDict[str, _Newest] = OrderedDict()

    def remember(self, tenant_id: str, revision: int) -> None:
        """Note the revision that a change answered; 0: it answered none."""
        if not revision:
            return
        now, known = self._now(), self._newest.get(tenant_id)
        if known is not None and revision < known.revision and now < known.seen_at + LATE_S:
            return  # the answers of two changes overtook each other
        self._newest[tenant_id] = _Newest(revision, now)
        self._newest.move_to_end(tenant_id)
        if len(self._newest) > self._most:
            self._newest.popitem(last=False)

    def of(self, tenant_id: str) -> int:
        """Return the newest revision of a tenant; 0: none is known."""
        known = self._newest.get(tenant_id)
        return known.revision if known is not None else 0


REVISIONS = web.AppKey("revisions", Revisions)


def remember(request: web.Request, tenant_id: str, revision: int) -> None:
    """Note the revision that a change of a tenant's endpoints answered, made by this request."""
    request.app[REVISIONS].remember(tenant_id, revision)
