"""AuditService: wire to store."""

import uuid
from typing import Any

from clarion.ingest.v1 import audit_pb2, audit_pb2_grpc
from services.domain.checks import check_id, check_tenant_ids, invalid
from services.domain.paging import page_limit
from services.ingest.audit.store import AuditSearch, AuditStore
from services.ingest.database import database_errors
from services.ingest.time_range import check_time_range

_MAX_TEXT = 512
_MAX_FIELDS = 64
_MAX_CALLS = 200
_MAX_OFFSET = 10_000


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """See proto/clarion/ingest/v1/audit.proto."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    @database_errors
    async def BeginAuditEntry(
        self, request: audit_pb2.BeginAuditEntryRequest, context: Any
    ) -> audit_pb2.BeginAuditEntryResponse:
        """Record that a change is about to be made."""
        for name in ("actor", "method", "route"):
            if not getattr(request, name):
                raise invalid(name, "is required")
        for name in ("actor", "method", "route", "resource", "trace_id", "tenant_id", "actor_email"):
            _check_text(name, getattr(request, name))
        return audit_pb2.BeginAuditEntryResponse(audit_entry_id=await self._store.begin(request))

    @database_errors
    async def FinishAuditEntry(
        self, request: audit_pb2.FinishAuditEntryRequest, context: Any
    ) -> audit_pb2.FinishAuditEntryResponse:
        """Record the outcome of the change."""
        check_id("audit_entry_id", request.audit_entry_id)
        if not 100 <= request.status <= 599:
            raise invalid("status", "must be a status of HTTP")
        if len(request.fields) > _MAX_FIELDS:
            raise invalid("fields", f"must be at most {_MAX_FIELDS}")
        for value in (request.resource, request.tenant_id, *request.fields):
            _check_text("each text", value)
        await self._store.finish(request)
        return audit_pb2.FinishAuditEntryResponse()

    @database_errors
    async def ListAuditEntries(
        self, request: audit_pb2.ListAuditEntriesRequest, context: Any
    ) -> audit_pb2.ListAuditEntriesResponse:
        """Return a page of entries."""
        limit = page_limit(request.limit)
        check_time_range(request.since_us, request.until_us)
        check_id("cursor", request.cursor, required=False)
        if len(request.calls) > _MAX_CALLS:
            raise invalid("calls", f"must be at most {_MAX_CALLS}")
        if not 0 <= request.offset <= _MAX_OFFSET or (request.offset and request.cursor):
            raise invalid("offset", f"must be from 0 to {_MAX_OFFSET:,}, and 0 where there is a cursor")
        search = AuditSearch(
            actor=request.actor or None,
            tenant_id=request.tenant_id or None,
            resource=request.resource or None,
            method=request.method or None,
            since_us=request.since_us or None,
            until_us=request.until_us or None,
            before=uuid.UUID(request.cursor) if request.cursor else None,
            calls=[f"{call.method} {call.route}" for call in request.calls] or None,
            offset=request.offset,
            tenant_ids=check_tenant_ids(request.tenant_ids),
        )
        entries = await self._store.list(search, limit)
        more = entries[-1].id if len(entries) == limit else ""
        total = await self._store.count(search) if request.count else 0
        return audit_pb2.ListAuditEntriesResponse(entries=entries, next_cursor=more, total=total)


def _check_text(field: str, value: str) -> None:
    if len(value) > _MAX_TEXT or "\0" in value:
        raise invalid(field, f"must be at most {_MAX_TEXT} characters, none of them NUL")
