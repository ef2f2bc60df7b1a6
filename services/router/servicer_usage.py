"""RouterUsageService: what a tenant has stored here."""

from pathlib import Path
from typing import Any

import asyncpg

from clarion.router.v1 import usage_pb2, usage_pb2_grpc
from runtime import postgres
from services.domain.checks import check_id
from services.router.catalogs.applications.store import MAX_APPLICATIONS
from services.router.catalogs.event_types.store import MAX_EVENT_TYPES
from services.router.endpoints.store import MAX_ENDPOINTS
from services.router.endpoints.subscriptions.store import MAX_OF_TENANT
from services.router.groups.check import MAX_GROUPS
from services.router.recipients.check import MAX_RECIPIENTS
from services.router.schedules.check import MAX_SCHEDULES
from services.router.segments.store import MAX_SEGMENTS
from services.router.workflows.store import MAX_WORKFLOWS

NAME = "clarion.router.v1.RouterUsageService"

_BOUNDS = {
    "recipients": MAX_RECIPIENTS,
    "groups": MAX_GROUPS,
    "endpoints": MAX_ENDPOINTS,
    "event_types": MAX_EVENT_TYPES,
    "applications": MAX_APPLICATIONS,
    "subscriptions": MAX_OF_TENANT,
    "workflows": MAX_WORKFLOWS,
    "segments": MAX_SEGMENTS,
    "schedules": MAX_SCHEDULES,
}
_SQL = postgres.Queries(Path(__file__).with_name("usage.sql"))


class RouterUsageServicer(usage_pb2_grpc.RouterUsageServiceServicer):
    """See proto/clarion/router/v1/usage.proto."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def GetRouterUsage(
        self, request: usage_pb2.GetRouterUsageRequest, context: Any
    ) -> usage_pb2.GetRouterUsageResponse:
        """Return how much a tenant has, of how much it may."""
        check_id("tenant_id", request.tenant_id)
        with postgres.unavailable_while_down():
            row: Any = await self._pool.fetchrow(_SQL.usage, request.tenant_id)
        return usage_pb2.GetRouterUsageResponse(
            **{name: usage_pb2.Stored(used=row[name], bound=bound) for name, bound in _BOUNDS.items()}
        )
