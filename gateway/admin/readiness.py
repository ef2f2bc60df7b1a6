"""What is missing for a tenant to deliver, gathered from the services that know it."""

import asyncio
from typing import Any

from aiohttp import web

from clarion.ingest.v1 import ledger_pb2, refusals_pb2, usage_pb2
from clarion.render.v1 import templates_pb2
from clarion.router.v1 import endpoints_pb2
from clarion.senders.v1 import alerts_pb2, senders_pb2
from gateway.admin import forms
from gateway.admin.findings import BLOCKS, Facts, findings
from gateway.admin.usage import perhaps
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime import clock

_DAY_US = 86_400 * 1_000_000
_ENDPOINTS = 1_000
_PAGE = 100


class ReadinessRoutes:
    """The handler, which asks every service."""

    def __init__(self, clients: Clients, *, now: clock.Clock = clock.now_us) -> None:
        self._clients = clients
        self._now = now

    async def get(self, request: web.Request) -> web.Response:
        """Return what is missing. Parts that do not answer are named."""
        tenant_id = forms.path_id(request)
        tenant = await forms.check_tenant(request, self._clients, tenant_id)
        answers = dict(zip(_PARTS, await asyncio.gather(*self._questions(tenant_id)), strict=True))
        facts = Facts(
            tenant,
            usage=answers["limits"],
            shortfalls=answers["recent events"],
            refusals=_items(answers["refused requests"], "refusals"),
            providers=_items(answers["providers"], "providers"),
            outages=_items(answers["outages"], "outages"),
            templates=_items(answers["templates"], "templates"),
            endpoints=_items(answers["endpoints"], "endpoints"),
            dead_letters=answers["dead letters"].total if answers["dead letters"] is not None else None,
        )
        found = findings(facts)
        return json_reply(
            {
                "tenant_id": tenant_id,
                "ready": not any(one.severity == BLOCKS for one in found),
                "findings": [one.shown() for one in found],
                "unanswered": [name for name, answer in answers.items() if answer is None],
            }
        )

    def _questions(self, tenant_id: str) -> list[Any]:
        """Return the calls, in the order of _PARTS."""
        clients = self._clients
        asked: list[tuple[Any, Any]] = [
            (clients.usage.GetUsage, usage_pb2.GetUsageRequest(tenant_id=tenant_id)),
            (clients.usage.ListShortfalls, usage_pb2.ListShortfallsRequest(tenant_id=tenant_id)),
            (
                clients.refusals.ListRefusals,
                refusals_pb2.ListRefusalsRequest(tenant_id=tenant_id, since_us=self._now() - _DAY_US, limit=_PAGE),
            ),
            (
                clients.ledger.ListDeadLetters,
                ledger_pb2.ListDeadLettersRequest(tenant_id=tenant_id, limit=1, count=True),
            ),
            (clients.providers.ListProviders, senders_pb2.ListProvidersRequest(tenant_id=tenant_id)),
            (clients.alerts.ListOutages, alerts_pb2.ListOutagesRequest(tenant_id=tenant_id, open=True, limit=_PAGE)),
            (
                clients.templates.ListTemplates,
                templates_pb2.ListTemplatesRequest(tenant_id=tenant_id, active_only=True, limit=_PAGE),
            ),
            (
                clients.endpoints.ListEndpoints,
                endpoints_pb2.ListEndpointsRequest(tenant_id=tenant_id, limit=_ENDPOINTS),
            ),
        ]
        return [perhaps(clients, method, wire) for method, wire in asked]


_PARTS = (
    "limits",
    "recent events",
    "refused requests",
    "dead letters",
    "providers",
    "outages",
    "templates",
    "endpoints",
)


def _items(answer: Any, field: str) -> Any:
    return getattr(answer, field) if answer is not None else None
