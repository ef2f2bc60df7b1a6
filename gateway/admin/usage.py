"""What a tenant uses of its limits, gathered from the services that count it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import usage_pb2
from clarion.router.v1 import usage_pb2 as router_usage_pb2
from clarion.senders.v1 import usage_pb2 as senders_usage_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime.errors import ClarionError

# Of each service: the page shows what answers.
DEADLINE_S = 2.0

_QUOTAS = {
    error_pb2.LIMIT_KIND_UNFINISHED: "unfinished_events",
    error_pb2.LIMIT_KIND_BYTES: "unfinished_bytes",
    error_pb2.LIMIT_KIND_SCHEDULED: "scheduled_events",
}
_RATE_KINDS = {error_pb2.LIMIT_KIND_SLIDING: "sliding", error_pb2.LIMIT_KIND_FIXED: "fixed"}
_STORED = (
    "recipients",
    "groups",
    "endpoints",
    "event_types",
    "applications",
    "subscriptions",
    "workflows",
    "segments",
    "schedules",
)

Res = TypeVar("Res")


class UsageRoutes:
    """The handler, which asks ingest, the router and the senders."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def get(self, request: web.Request) -> web.Response:
        """Return what a tenant uses. Parts that do not answer are named."""
        tenant_id = forms.path_id(request)
        tenant = await forms.check_tenant(request, self._clients, tenant_id)
        clients = self._clients
        ingest, router, senders = await asyncio.gather(
            perhaps(clients, clients.usage.GetUsage, usage_pb2.GetUsageRequest(tenant_id=tenant_id)),
            perhaps(
                clients,
                clients.router_usage.GetRouterUsage,
                router_usage_pb2.GetRouterUsageRequest(tenant_id=tenant_id),
            ),
            perhaps(
                clients,
                clients.senders_usage.GetSendersUsage,
                senders_usage_pb2.GetSendersUsageRequest(tenant_id=tenant_id),
            ),
        )
        limits: list[dict[str, Any]] = []
        rates: list[dict[str, Any]] = []
        if ingest is not None:
            limits += [_limit(_QUOTAS[one.kind], one.bound - one.remaining, one.bound) for one in _quotas(ingest)]
            rates = [_rate(one) for one in ingest.limits if one.kind in _RATE_KINDS]
            limits.append(_limit("keys", ingest.keys, ingest.max_keys))
        if router is not None:
            stored = [(name, getattr(router, name)) for name in _STORED]
            # A router of an earlier version does not count all of them.
            limits += [_limit(name, one.used, one.bound) for name, one in stored if one.bound]
        if senders is not None:
            limits.append(_limit("providers", senders.providers, senders.max_providers))
            most = tenant.max_parked_per_endpoint
            fullest = _limit("parked_for_one_endpoint", senders.fullest_parked, most)
            limits.append({**fullest, "endpoint_id": senders.fullest_endpoint_id or None})
        parts = {"ingest": ingest, "router": router, "senders": senders}
        return json_reply(
            {
                "tenant_id": tenant_id,
                "limits": limits,
                "rates": rates,
                "parked": senders.parked if senders is not None else None,
                "unanswered": [name for name, answer in parts.items() if answer is None],
            }
        )


async def perhaps(clients: Clients, method: Callable[..., Awaitable[Res]], request: Any) -> Res | None:
    """Return a service's answer; None: it did not answer in time."""
    try:
        return await clients.call(method, request, deadline=DEADLINE_S)
    except ClarionError:
        return None


def _quotas(answer: usage_pb2.GetUsageResponse) -> list[error_pb2.LimitState]:
    return [one for one in answer.limits if one.kind in _QUOTAS]


def _limit(name: str, used: int, bound: int) -> dict[str, Any]:
    return {"name": name, "used": used, "bound": bound, "endpoint_id": None}


def _rate(one: error_pb2.LimitState) -> dict[str, Any]:
    return {
        "scope": one.scope or None,
        "key_id": one.key_id or None,
        "window_s": one.window_s,
        "kind": _RATE_KINDS[one.kind],
        "bound": one.bound,
        "used": one.bound - one.remaining,
        "remaining": one.remaining,
        "reset_s": one.reset_s,
    }
