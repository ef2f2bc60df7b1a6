"""ContentService: wire to store."""

import asyncio
from typing import Any

import grpc.aio

from clarion.senders.v1 import contents_pb2, contents_pb2_grpc
from services.domain.checks import check_id, invalid
from services.domain.retention import RetentionPolicies
from services.senders.contents import read
from services.senders.contents.store import ContentStore

CONTENT_SERVICE = "clarion.senders.v1.ContentService"

Context = grpc.aio.ServicerContext[Any, Any]


class ContentServicer(contents_pb2_grpc.ContentServiceServicer):
    """See proto/clarion/senders/v1/contents.proto. days: of tenants without their own; 0: nothing is stored."""

    def __init__(self, store: ContentStore, policies: RetentionPolicies, days: int) -> None:
        self._store = store
        self._policies = policies
        self._days = days

    async def GetContent(self, request: contents_pb2.GetContentRequest, _: Context) -> contents_pb2.GetContentResponse:
        """Return the content of an attempt, or why it is not stored."""
        check_id("tenant_id", request.tenant_id)
        check_id("delivery_id", request.delivery_id)
        if request.attempt < 0 or request.replay < 0:
            raise invalid("attempt", "must not be negative")
        row = await self._store.find(
            request.tenant_id,
            request.delivery_id,
            request.attempt or None,
            request.replay if request.attempt and request.HasField("replay") else None,
        )
        answer = contents_pb2.GetContentResponse(
            attempts=await self._store.attempts(request.tenant_id, request.delivery_id),
            days=self._policies.content_days(request.tenant_id, self._days),
        )
        if row is None:
            answer.missing = self._missing(request.tenant_id)
            return answer
        # A mail of a megabyte takes tens of milliseconds to read.
        sent = await asyncio.to_thread(read.shown, row, request.tenant_id, with_source=request.with_source)
        answer.content.CopyFrom(sent)
        return answer

    def _missing(self, tenant_id: str) -> contents_pb2.MissingReason.ValueType:
        if not self._days:
            return contents_pb2.MISSING_REASON_INSTALLATION_KEEPS_NONE
        if not self._policies.keeps_content(tenant_id):
            return contents_pb2.MISSING_REASON_TENANT_KEEPS_NONE
        return contents_pb2.MISSING_REASON_NOT_STORED
