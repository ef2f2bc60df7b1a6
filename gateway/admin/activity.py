"""What is going on: the overview, and the search over ids."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from aiohttp import web

from clarion.common.v1 import search_pb2
from clarion.ingest.v1 import activity_pb2, tenants_pb2
from clarion.render.v1 import templates_pb2
from clarion.router.v1 import endpoints_pb2, recipients_pb2, router_pb2
from clarion.senders.v1 import senders_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime import logs
from runtime.errors import ClarionError
from services.domain.reasons import Reason

MAX_HITS = 20
_DAY_US = 86_400_000_000
# The most wanted first.
_ORDER = {
    kind: place
    for place, kind in enumerate(
        (
            "event",
            "delivery",
            "recipient",
            "workflow",
            "segment",
            "schedule",
            "import",
            "endpoint",
            "template",
            "provider",
            "tenant",
            "api_key",
        )
    )
}
_SEARCH_DEADLINE_S = 3.0
_TEXTS: dict[str, str] = {reason.value: reason.text for reason in Reason}

log = logs.get(__name__)


class ActivityRoutes:
    """Handlers that ask ingest for the overview, and all services for what has an id."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def overview(self, request: web.Request) -> web.Response:
        """Return counts by time. The last day if no time is given."""
        tenant_ids = forms.tenants(request)
        now_us = time.time_ns() // 1000
        until_us = forms.micros(request, "until") or now_us
        since_us = forms.micros(request, "since") or until_us - _DAY_US
        wire = activity_pb2.GetOverviewRequest(tenant_ids=tenant_ids, since_us=since_us, until_us=until_us)
        answer = await self._clients.call(self._clients.activity.GetOverview, wire)
        return json_reply(_overview(answer))

    async def search(self, request: web.Request) -> web.Response:
        """Look for an id in every service. What a service that is away owns is left out, and it is named."""
        query = request.query.get("q", "").strip()
        if not 3 <= len(query) <= 255:
            raise forms.invalid("q", "must have 3 to 255 characters")
        asked: dict[str, Any] = {"query": query, "tenant_ids": forms.tenants(request), "limit": MAX_HITS}
        clients = self._clients
        services: dict[str, Awaitable[Any]] = {
            "ingest": self._ask(clients.activity.Search, activity_pb2.SearchRequest(**asked)),
            "router": self._ask(clients.endpoints.SearchEndpoints, endpoints_pb2.SearchEndpointsRequest(**asked)),
            "router's recipients": self._ask(
                clients.recipients.SearchRecipients, recipients_pb2.SearchRecipientsRequest(**asked)
            ),
            "router's workflows": self._ask(clients.router.Search, router_pb2.SearchRequest(**asked)),
            "senders": self._ask(clients.providers.SearchProviders, senders_pb2.SearchProvidersRequest(**asked)),
            "render": self._ask(clients.templates.SearchTemplates, templates_pb2.SearchTemplatesRequest(**asked)),
        }
        answers = dict(zip(services, await asyncio.gather(*services.values(), return_exceptions=True), strict=True))
        hits: list[search_pb2.SearchHit] = []
        away = []
        for name, answer in answers.items():
            if isinstance(answer, ClarionError):
                away.append(name.partition("'")[0])
                log.warning("search_incomplete", service=name, error=answer.detail)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                hits += answer.hits
        found = _merged(hits)[:MAX_HITS]
        names = await self._names(found)
        return json_reply(
            {"data": [_hit(hit, names) for hit in found], "incomplete": sorted(set(away))},
        )

    async def _ask(self, method: Any, wire: Any) -> Any:
        return await self._clients.call(method, wire, deadline=_SEARCH_DEADLINE_S)

    async def _names(self, hits: Sequence[search_pb2.SearchHit]) -> dict[str, str]:
        """Return the tenants' names, where ingest has not said them."""
        names = {hit.tenant_id: hit.tenant_name for hit in hits if hit.tenant_name}
        unknown = list({hit.tenant_id for hit in hits if hit.tenant_id} - names.keys())
        asked = (
            self._ask(self._clients.tenants.GetTenant, tenants_pb2.GetTenantRequest(tenant_id=tenant_id))
            for tenant_id in unknown
        )
        for tenant_id, answer in zip(unknown, await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if not isinstance(answer, BaseException):
                names[tenant_id] = answer.tenant.name
        return names


def _merged(hits: Sequence[search_pb2.SearchHit]) -> list[search_pb2.SearchHit]:
    """Return each thing once, the most wanted kinds first, the newest of each first.

    A recipient may be stored, and named by events: the name is the stored one's.
    """
    found: dict[tuple[str, str, str, str], search_pb2.SearchHit] = {}
    for hit in hits:
        key = (hit.kind, hit.id, hit.tenant_id, "" if hit.id else hit.detail)
        known = found.setdefault(key, hit)
        if known is not hit:
            known.title, known.detail = known.title or hit.title, known.detail or hit.detail
            known.tenant_name = known.tenant_name or hit.tenant_name
    return sorted(found.values(), key=lambda hit: (_ORDER.get(hit.kind, len(_ORDER)), -hit.at_us))


def _hit(hit: search_pb2.SearchHit, names: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": hit.kind,
        "id": hit.id or None,
        "tenant_id": hit.tenant_id or None,
        "tenant_name": names.get(hit.tenant_id),
        "title": hit.title,
        "detail": hit.detail or None,
        "event_id": hit.event_id or None,
        "time": forms.iso(hit.at_us),
    }


def _overview(answer: activity_pb2.GetOverviewResponse) -> dict[str, Any]:
    oldest = answer.oldest_waiting if answer.HasField("oldest_waiting") else None
    return {
        "since": forms.iso(answer.since_us),
        "until": forms.iso(answer.until_us),
        "step_s": answer.step_s,
        "steps": [
            {
                "time": forms.iso(step.at_us),
                "events": step.events,
                "counts": [_count(count) for count in step.counts],
                "sent": _duration(step.duration),
            }
            for step in answer.steps
        ],
        "durations": [{"channel": forms.channel_name(one.channel), **_duration(one)} for one in answer.durations],
        "reasons": [
            {
                "status": forms.status_name(one.status),
                "channel": forms.channel_name(one.channel),
                "reason": one.reason,
                "text": _text(one.reason),
                "count": one.count,
            }
            for one in answer.reasons
        ],
        "oldest_waiting": None if oldest is None else _oldest(oldest),
    }


def _count(count: activity_pb2.OverviewCount) -> dict[str, Any]:
    return {
        "channel": forms.channel_name(count.channel),
        "status": forms.status_name(count.status) or str(count.status),
        "count": count.count,
    }


def _duration(duration: activity_pb2.OverviewDuration) -> dict[str, Any]:
    is_empty = not duration.count
    return {
        "count": duration.count,
        "p50_ms": None if is_empty else round(duration.p50_ms, 1),
        "p95_ms": None if is_empty else round(duration.p95_ms, 1),
    }


def _oldest(oldest: activity_pb2.OldestWaiting) -> dict[str, Any]:
    return {
        "event_id": oldest.event_id,
        "tenant_id": oldest.tenant_id,
        "tenant_name": oldest.tenant_name,
        "event_type": oldest.event_type,
        "since": forms.iso(oldest.since_us),
        "delivery_id": oldest.delivery_id or None,
        "channel": forms.channel_name(oldest.channel),
        "status": forms.status_name(oldest.status),
        "reason": oldest.reason or None,
        "text": _text(oldest.reason),
        "attempts": oldest.attempts,
        "provider": oldest.provider or None,
    }


def _text(reason: str) -> str | None:
    """Return what a reason means, None if this version does not know it."""
    return _TEXTS.get(reason)
