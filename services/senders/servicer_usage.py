"""SendersUsageService: what a tenant has stored here."""

from pathlib import Path
from typing import Any

import asyncpg

from clarion.senders.v1 import usage_pb2, usage_pb2_grpc
from runtime import postgres
from services.domain.checks import check_id
from services.senders.store import MAX_PROVIDERS

NAME = "clarion.senders.v1.SendersUsageService"

_SQL = postgres.Queries(Path(__file__).with_name("usage.sql"))


class SendersUsageServicer(usage_pb2_grpc.SendersUsageServiceServicer):
    """See proto/clarion/senders/v1/usage.proto."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def GetSendersUsage(
        self, request: usage_pb2.GetSendersUsageRequest, context: Any
    ) -> usage_pb2.GetSendersUsageResponse:
        """Return how much a tenant has."""
        check_id("tenant_id", request.tenant_id)
        with postgres.unavailable_while_down():
            row: Any = await self._pool.fetchrow(_SQL.usage, request.tenant_id, request.tenant_id)
        return usage_pb2.GetSendersUsageResponse(
            providers=row["providers"],
            max_providers=MAX_PROVIDERS,
            parked=row["parked"],
            endpoints_waited_for=row["endpoints"],
            fullest_endpoint_id=str(row["fullest"]) if row["fullest_parked"] else "",
            fullest_parked=row["fullest_parked"],
        )
