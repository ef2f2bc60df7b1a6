"""SendersPrivacyService: between protobuf and the store."""

from collections.abc import Sequence
from typing import Any

import grpc.aio

from clarion.senders.v1 import privacy_pb2, privacy_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.senders.privacy import SendersPrivacyStore

NAME = "clarion.senders.v1.SendersPrivacyService"
MAX_EVENTS = 100

Context = grpc.aio.ServicerContext[Any, Any]


class SendersPrivacyServicer(privacy_pb2_grpc.SendersPrivacyServiceServicer):
    """See proto/clarion/senders/v1/privacy.proto."""

    def __init__(self, store: SendersPrivacyStore) -> None:
        self._store = store

    async def EraseMessages(
        self, request: privacy_pb2.EraseMessagesRequest, _: Context
    ) -> privacy_pb2.EraseMessagesResponse:
        """Delete what is stored of these events."""
        _check(request.event_ids)
        messages, records = await self._store.erase(request.tenant_id, list(request.event_ids))
        return privacy_pb2.EraseMessagesResponse(messages=messages, provider_records=records)

    async def ExportMessages(
        self, request: privacy_pb2.ExportMessagesRequest, _: Context
    ) -> privacy_pb2.ExportMessagesResponse:
        """Return the sandbox messages of these events."""
        _check(request.event_ids)
        messages, more = await self._store.page(request.tenant_id, list(request.event_ids), request.after)
        return privacy_pb2.ExportMessagesResponse(messages=messages, next_after=more)


def _check(event_ids: Sequence[str]) -> None:
    if len(event_ids) > MAX_EVENTS or not all(map(is_uuid, event_ids)):
        raise ClarionError(Code.INVALID, f"event_ids must be at most {MAX_EVENTS} UUIDs")
