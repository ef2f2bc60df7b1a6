"""RefusalService: wire to store."""

from typing import Any

from clarion.ingest.v1 import ledger_pb2, refusals_pb2, refusals_pb2_grpc
from services.domain.checks import check_id, invalid, tenants_of
from services.domain.paging import page_limit
from services.domain.refused import BY_WORD
from services.ingest.database import database_errors
from services.ingest.refused.store import RefusalSearch, RefusalStore
from services.ingest.time_range import check_time_range

NAME = "clarion.ingest.v1.RefusalService"

MAX_REFUSALS = 500
_MAX_TEXT = 512
_MAX_FIELDS = 20
_DIGEST_BYTES = 32


class RefusalServicer(refusals_pb2_grpc.RefusalServiceServicer):
    """See proto/clarion/ingest/v1/refusals.proto."""

    def __init__(self, store: RefusalStore) -> None:
        self._store = store

    @database_errors
    async def RecordRefusals(
        self, request: refusals_pb2.RecordRefusalsRequest, context: Any
    ) -> refusals_pb2.RecordRefusalsResponse:
        """Add what a gateway has counted."""
        if len(request.refusals) > MAX_REFUSALS:
            raise invalid("refusals", f"must be at most {MAX_REFUSALS}")
        for one in request.refusals:
            _check(one)
        await self._store.record(request.refusals)
        return refusals_pb2.RecordRefusalsResponse()

    @database_errors
    async def ListRefusals(
        self, request: refusals_pb2.ListRefusalsRequest, context: Any
    ) -> refusals_pb2.ListRefusalsResponse:
        """Return a page of refusals."""
        limit = page_limit(request.limit)
        check_time_range(request.since_us, request.until_us)
        for field in ("key_id", "cursor"):
            check_id(field, getattr(request, field), required=False)
        if request.reason and request.reason not in BY_WORD:
            raise invalid("reason", f"must be one of {', '.join(BY_WORD)}")
        search = RefusalSearch(
            tenant_ids=tenants_of(request.tenant_id, request.tenant_ids),
            status=request.status or None,
            key_id=request.key_id or None,
            reason=request.reason or None,
            since_us=request.since_us or None,
            until_us=request.until_us or None,
            before=request.cursor or None,
        )
        found = await self._store.list(search, limit)
        counted = await self._store.reasons(search) if request.count_reasons else []
        return refusals_pb2.ListRefusalsResponse(
            refusals=found,
            next_cursor=found[-1].id if len(found) == limit else "",
            reasons=[ledger_pb2.ReasonCount(reason=reason, count=count) for reason, count in counted],
        )


def _check(one: refusals_pb2.CountedRefusals) -> None:
    check_id("tenant_id", one.tenant_id, required=False)
    if len(one.key_digest) not in (0, _DIGEST_BYTES):
        raise invalid("key_digest", f"must be {_DIGEST_BYTES} bytes, or empty")
    if one.reason not in BY_WORD:
        one.reason = "other"  # of a gateway of a later version
    if not 100 <= one.status <= 599:
        raise invalid("status", "must be a status of HTTP")
    if one.count < 1 or not 0 < one.first_at_us <= one.last_at_us:
        raise invalid("count", "must be at least 1, with its times in order")
    if len(one.fields) > _MAX_FIELDS:
        raise invalid("fields", f"must be at most {_MAX_FIELDS}")
    for name in ("key_prefix", "key_last4", "network", "method", "route", "detail", "trace_id"):
        if len(getattr(one, name)) > _MAX_TEXT:
            raise invalid(name, f"must be at most {_MAX_TEXT} characters")
