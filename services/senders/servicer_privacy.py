"""SendersPrivacyService: between protobuf and the store."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import grpc.aio

from clarion.senders.v1 import privacy_pb2, privacy_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain.checks import check_id, invalid
from services.senders.contents import read
from services.senders.contents.ports import StoredRow
from services.senders.contents.store import ContentStore
from services.senders.privacy import Scope, SendersPrivacyStore
from services.senders.webhooks.parking.erase import ParkedEraser

NAME = "clarion.senders.v1.SendersPrivacyService"
MAX_EVENTS = 100
MAX_DELIVERIES = 1_000

# Of one page of contents.
_EXPORT_CONTENTS, _EXPORT_BYTES = 20, 4 * 1024 * 1024
_NUMBER = re.compile(r"[0-9]{1,6}")

Context = grpc.aio.ServicerContext[Any, Any]


class SendersPrivacyServicer(privacy_pb2_grpc.SendersPrivacyServiceServicer):
    """See proto/clarion/senders/v1/privacy.proto."""

    def __init__(
        self, store: SendersPrivacyStore, parked: ParkedEraser, contents: ContentStore, *, outbox_hours: int = 0
    ) -> None:
        """outbox_hours: of tenants that have no days of their own."""
        self._store = store
        self._outbox_hours = outbox_hours
        self._parked = parked
        self._contents = contents

    async def GetOutboxRetention(
        self, _request: privacy_pb2.GetOutboxRetentionRequest, _: Context
    ) -> privacy_pb2.GetOutboxRetentionResponse:
        """Return the installation's hours."""
        return privacy_pb2.GetOutboxRetentionResponse(hours=self._outbox_hours)

    async def EraseMessages(
        self, request: privacy_pb2.EraseMessagesRequest, _: Context
    ) -> privacy_pb2.EraseMessagesResponse:
        """Delete what is stored of these events, or of these deliveries of them, and end those that wait."""
        scope = _scope(request)
        await self._parked.erase(scope.tenant_id, scope.event_ids, scope.delivery_ids)
        return privacy_pb2.EraseMessagesResponse(**(await self._store.erase(scope))._asdict())

    async def ExportMessages(
        self, request: privacy_pb2.ExportMessagesRequest, _: Context
    ) -> privacy_pb2.ExportMessagesResponse:
        """Return the sandbox messages of these events, or of these deliveries of them."""
        messages, more = await self._store.page(_scope(request), request.after)
        return privacy_pb2.ExportMessagesResponse(messages=messages, next_after=more)

    async def ExportContents(
        self, request: privacy_pb2.ExportContentsRequest, _: Context
    ) -> privacy_pb2.ExportContentsResponse:
        """Return what was sent of these events, or of these deliveries of them."""
        scope = _scope(request)
        check_id("tenant_id", scope.tenant_id)
        place = _place(request.after)
        rows = await self._contents.export(
            scope.tenant_id, scope.event_ids, scope.delivery_ids, place, _EXPORT_CONTENTS + 1
        )
        return await asyncio.to_thread(_page, rows, scope.tenant_id)


def _page(rows: Sequence[StoredRow], tenant_id: str) -> privacy_pb2.ExportContentsResponse:
    """Return as many contents as a response may have. rows: one more than that, if there are more."""
    answer, size = privacy_pb2.ExportContentsResponse(), 0
    for position, row in enumerate(rows):
        sent = read.shown(row, tenant_id)
        size += sent.ByteSize()
        if position and (position == _EXPORT_CONTENTS or size > _EXPORT_BYTES):
            last = rows[position - 1]
            answer.next_after = f"{last.delivery_id}/{last.replay}/{last.attempt}"
            break
        answer.contents.append(sent)
    return answer


def _place(cursor: str) -> tuple[str, int, int] | None:
    """Return after which row a page begins. Raises INVALID."""
    if not cursor:
        return None
    delivery_id, _, numbers = cursor.partition("/")
    replay, _, attempt = numbers.partition("/")
    if not is_uuid(delivery_id) or not (_NUMBER.fullmatch(replay) and _NUMBER.fullmatch(attempt)):
        raise invalid("after", "must be the next_after of the page before")
    return delivery_id, int(replay), int(attempt)


def _scope(
    request: privacy_pb2.EraseMessagesRequest | privacy_pb2.ExportMessagesRequest | privacy_pb2.ExportContentsRequest,
) -> Scope:
    """Return what the request is about. Raises INVALID."""
    scope = Scope(request.tenant_id, list(request.event_ids), list(request.delivery_ids))
    if len(scope.event_ids) > MAX_EVENTS or not all(map(is_uuid, scope.event_ids)):
        raise ClarionError(Code.INVALID, f"event_ids must be at most {MAX_EVENTS} UUIDs")
    if len(scope.delivery_ids) > MAX_DELIVERIES or not all(map(is_uuid, scope.delivery_ids)):
        raise ClarionError(Code.INVALID, f"delivery_ids must be at most {MAX_DELIVERIES} UUIDs")
    return scope
