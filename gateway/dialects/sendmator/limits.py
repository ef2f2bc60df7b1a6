"""The X-RateLimit headers of every answer: what is left of the tenant's hourly limit.

An accepted or refused event tells it. Answers to other calls show what the newest such answer told, or, if that is too
old, what ingest says now: such calls take nothing of a limit of events.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from aiohttp import web

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import usage_pb2
from gateway.clients import Clients
from runtime import clock
from runtime.errors import ClarionError

# How long what an answer told of a tenant's limits is shown to calls that take nothing of them, seconds.
FRESH_S = 5.0
# Such a call waits at most this long for its headers, seconds.
_DEADLINE_S = 1.0
_MAX_TENANTS = 10_000
_HOUR_S = 3_600

_HEADERS = web.RequestKey("sendmator_limit_headers", dict)
# The tenant and the key of a request, once they are known.
OWNER = web.RequestKey("sendmator_limit_owner", tuple)


class _Told(NamedTuple):
    until: float
    headers: dict[str, str]


class Limits:
    """What is known of each tenant's limits, with the further limits of its keys."""

    def __init__(
        self, clients: Clients, *, now: Callable[[], float] = time.monotonic, wall_clock: clock.Clock = clock.now_us
    ) -> None:
        self._clients = clients
        self._now = now
        self._wall_clock = wall_clock
        self._told: OrderedDict[tuple[str, str], _Told] = OrderedDict()

    def tell(self, request: web.Request, states: Sequence[error_pb2.LimitState]) -> None:
        """Show on this request's answer, and on the next ones, what an accepted event left of the limits."""
        found = headers(states, self._wall_clock())
        request[_HEADERS] = found
        owner = request[OWNER]
        self._told[owner] = _Told(self._now() + FRESH_S, found)
        self._told.move_to_end(owner)
        if len(self._told) > _MAX_TENANTS:
            self._told.popitem(last=False)

    async def complete(self, request: web.Request) -> None:
        """Show on this request's answer what is left of the limits, if it does not say it yet.

        If nobody can say, and for a request without a valid key, there are no headers.
        """
        owner: tuple[str, str] | None = request.get(OWNER)
        if owner is None or _HEADERS in request:
            return
        told = self._told.get(owner)
        if told is not None and self._now() < told.until:
            request[_HEADERS] = told.headers
            return
        tenant_id, key_id = owner
        wire = usage_pb2.GetUsageRequest(tenant_id=tenant_id)
        try:
            answer = await self._clients.call(self._clients.usage.GetUsage, wire, deadline=_DEADLINE_S)
        except ClarionError:
            request[_HEADERS] = told.headers if told is not None else {}
            return
        self.tell(request, [one for one in answer.limits if one.key_id in ("", key_id)])


def note(request: web.Request, states: Sequence[error_pb2.LimitState]) -> None:
    """Show on this request's answer the limit that refused it."""
    if any(state.window_s for state in states):
        request[_HEADERS] = headers(states, clock.now_us())


def show(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers on the answer of a request."""
    if not response.prepared:
        response.headers.update(request.get(_HEADERS, {}))


def headers(states: Iterable[error_pb2.LimitState], now_us: int) -> dict[str, str]:
    """Return the headers for the hourly rate of which the least is left, or else for another rate; none without a rate.

    X-RateLimit-Reset: the Unix time in seconds when something of it is free again. Limits of other keys are not shown.
    """
    rates = [state for state in states if state.window_s]
    shown = [state for state in rates if state.window_s == _HOUR_S] or rates
    if not shown:
        return {}
    closest = min(shown, key=lambda state: (state.remaining, state.bound))
    return {
        "X-RateLimit-Limit": str(closest.bound),
        "X-RateLimit-Remaining": str(max(closest.remaining, 0)),
        "X-RateLimit-Reset": str(-(-now_us // 1_000_000) + max(closest.reset_s, 0)),
    }
