"""SendersPrivacyService: between protobuf and the store."""

from typing import Any

import grpc.aio

from clarion.senders.v1 import privacy_pb2, privacy_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.senders.privacy import Scope, SendersPrivacyStore
from services.senders.webhooks.parking.erase import ParkedEraser

NAME = "clarion.senders.v1.SendersPrivacyService"
MAX_EVENTS = 100
MAX_DELIVERIES = 1_000

Context = grpc.aio.ServicerContext[Any, Any]


class SendersPrivacyServicer(privacy_pb2_grpc.SendersPrivacyServiceServicer):
    """See proto/clarion/senders/v1/privacy.proto."""

    def __init__(self, store: SendersPrivacyStore, parked: ParkedEraser) -> None:
        self._store = store
        self._parked = parked

    async def EraseMessages(
        self, request: privacy_pb2.EraseMessagesRequest, _: Context
    ) -> privacy_pb2.EraseMessagesResponse:
        """Delete what is stored of these events, or of these deliveries of them, and end those that wait."""
        scope = _scope(request)
        await self._parked.erase(scope.tenant_id, scope.event_ids, scope.delivery_ids)
        messages, records = await self._store.erase(scope)
        return privacy_pb2.EraseMessagesResponse(messages=messages, provider_records=records)

    async def ExportMessages(
        self, request: privacy_pb2.ExportMessagesRequest, _: Context
    ) -> privacy_pb2.ExportMessagesResponse:
        """Return the sandbox messages of these events, or of these deliveries of them."""
        messages, more = await self._store.page(_scope(request), request.after)
        return privacy_pb2.ExportMessagesResponse(messages=messages, next_after=more)


def _scope(request: privacy_pb2.EraseMessagesRequest | privacy_pb2.ExportMessagesRequest) -> Scope:
    """Return what the request is about. Raises INVALID."""
    scope = Scope(request.tenant_id, list(request.event_ids), list(request.delivery_ids))
    if len(scope.event_ids) > MAX_EVENTS or not all(map(is_uuid, scope.event_ids)):
        raise ClarionError(Code.INVALID, f"event_ids must be at most {MAX_EVENTS} UUIDs")
    if len(scope.delivery_ids) > MAX_DELIVERIES or not all(map(is_uuid, scope.delivery_ids)):
        raise ClarionError(Code.INVALID, f"delivery_ids must be at most {MAX_DELIVERIES} UUIDs")
    return scope
