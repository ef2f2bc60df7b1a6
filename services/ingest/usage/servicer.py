"""UsageService: what tenants use of their limits, and what their newest events lacked."""

from pathlib import Path
from typing import Any

import asyncpg

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import usage_pb2, usage_pb2_grpc
from runtime import postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from services.domain.checks import check_id
from services.domain.reasons import Reason
from services.ingest.database import database_errors
from services.ingest.keys.store import MAX_KEYS
from services.ingest.ports import LimitKind, LimitState
from services.ingest.refusals import state_of

NAME = "clarion.ingest.v1.UsageService"

# Events that are looked at for what they lacked.
NEWEST = 1_000
# Dead letters of an hour that are trouble.
MANY_LETTERS = 100
# What a tenant can do something about.
LACKING = (
    Reason.TENANT_POLICY,
    Reason.NO_PROVIDER,
    Reason.NO_ACTIVE_TEMPLATE,
    Reason.NO_TEMPLATE_FOR_LOCALE,
    Reason.NO_SUBSCRIBER,
)

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


class UsageServicer(usage_pb2_grpc.UsageServiceServicer):
    """See proto/clarion/ingest/v1/usage.proto."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    @database_errors
    async def GetUsage(self, request: usage_pb2.GetUsageRequest, context: Any) -> usage_pb2.GetUsageResponse:
        """Return what a tenant uses of its limits."""
        check_id("tenant_id", request.tenant_id)
        row = await self._pool.fetchrow(_SQL.limits, request.tenant_id)
        if row is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")
        rates = await self._pool.fetch(_SQL.rates, request.tenant_id)
        quotas = [
            _quota(error_pb2.LIMIT_KIND_UNFINISHED, row["max_unfinished_events"], row["unfinished"]),
            _quota(error_pb2.LIMIT_KIND_BYTES, row["max_unfinished_bytes"], row["unfinished_bytes"]),
            _quota(error_pb2.LIMIT_KIND_SCHEDULED, row["max_scheduled_events"], row["scheduled"]),
        ]
        return usage_pb2.GetUsageResponse(limits=[*quotas, *map(_rate, rates)], keys=row["keys"], max_keys=MAX_KEYS)

    @database_errors
    async def ListShortfalls(
        self, request: usage_pb2.ListShortfallsRequest, context: Any
    ) -> usage_pb2.ListShortfallsResponse:
        """Return what was skipped of a tenant's newest events for want of something."""
        check_id("tenant_id", request.tenant_id)
        rows = await self._pool.fetch(_SQL.shortfalls, request.tenant_id, NEWEST, list(LACKING))
        first = rows[0]
        return usage_pb2.ListShortfallsResponse(
            shortfalls=[
                usage_pb2.Shortfall(
                    event_type=row["event_type"] or "",
                    channel=row["channel"],
                    reason=row["reason"],
                    count=row["count"],
                    event_id=str(row["event_id"]),
                    at_us=micros_of(row["at"]),
                )
                for row in rows
                if row["reason"] is not None
            ],
            events=first["events"],
            since_us=micros_of(first["since"]) if first["since"] else 0,
        )

    @database_errors
    async def ListTroubles(
        self, request: usage_pb2.ListTroublesRequest, context: Any
    ) -> usage_pb2.ListTroublesResponse:
        """Return the tenants that are in trouble now."""
        dead = await self._pool.fetch(_SQL.dead_letters, MANY_LETTERS)
        full = await self._pool.fetch(_SQL.full_quotas)
        return usage_pb2.ListTroublesResponse(
            troubles=[
                *[_trouble(usage_pb2.TROUBLE_KIND_DEAD_LETTERS, row) for row in dead],
                *[
                    _trouble(
                        usage_pb2.TROUBLE_KIND_QUOTA,
                        row,
                        bound=row["bound"],
                        bytes=row["bytes"],
                        bytes_bound=row["bytes_bound"],
                        is_near=row["is_near"],
                    )
                    for row in full
                ],
            ]
        )


def _quota(kind: "error_pb2.LimitKind.ValueType", bound: int, used: int) -> error_pb2.LimitState:
    return error_pb2.LimitState(kind=kind, bound=bound, remaining=max(0, bound - used))


def _rate(row: Any) -> error_pb2.LimitState:
    state = LimitState(
        kind=LimitKind(row["kind"]),
        scope=row["scope"],
        window_s=row["window_s"],
        bound=row["bound"],
        remaining=row["remaining"],
        reset_s=row["reset_s"],
    )
    return state_of(state)


def _trouble(kind: "usage_pb2.TroubleKind.ValueType", row: Any, **of_quota: Any) -> usage_pb2.Trouble:
    return usage_pb2.Trouble(
        kind=kind, tenant_id=str(row["tenant_id"]), tenant_name=row["name"], count=row["count"], **of_quota
    )
