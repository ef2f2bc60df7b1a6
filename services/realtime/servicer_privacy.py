"""Implements RealtimePrivacyService with the privacy store."""

from typing import Any

from clarion.realtime.v1 import privacy_pb2, privacy_pb2_grpc
from runtime import logs
from services.domain.paging import MAX_LIMIT, page_limit
from services.realtime.privacy import PrivacyStore
from services.realtime.revoke import Revoker
from services.realtime.servicer import check_user

NAME = "clarion.realtime.v1.RealtimePrivacyService"

log = logs.get(__name__)


class RealtimePrivacyServicer(privacy_pb2_grpc.RealtimePrivacyServiceServicer):
    """See proto/clarion/realtime/v1/privacy.proto."""

    def __init__(self, store: PrivacyStore, revoker: Revoker, inbox_days: int) -> None:
        """inbox_days: of tenants that have none of their own."""
        self._store = store
        self._revoker = revoker
        self._inbox_days = inbox_days

    async def GetInboxRetention(
        self, _request: privacy_pb2.GetInboxRetentionRequest, _: Any
    ) -> privacy_pb2.GetInboxRetentionResponse:
        """Return the installation's days."""
        return privacy_pb2.GetInboxRetentionResponse(days=self._inbox_days)

    async def EraseRecipient(
        self, request: privacy_pb2.EraseRecipientRequest, _: Any
    ) -> privacy_pb2.EraseRecipientResponse:
        """Revoke the user's tokens, then delete the inbox."""
        check_user(request)
        if not request.inbox_only:
            await self._revoker.user(request.tenant_id, request.user_id)
        deleted, more = await self._store.erase(request.tenant_id, request.user_id, request.until_us)
        log.info("inbox_erased", tenant_id=request.tenant_id, notifications=deleted)
        return privacy_pb2.EraseRecipientResponse(notifications=deleted, more=more)

    async def ExportNotifications(
        self, request: privacy_pb2.ExportNotificationsRequest, _: Any
    ) -> privacy_pb2.ExportNotificationsResponse:
        """Return one page of a user's inbox with all fields."""
        check_user(request)
        limit = page_limit(request.limit, default=MAX_LIMIT)
        rows, cursor = await self._store.page(request.tenant_id, request.user_id, request.cursor, limit)
        return privacy_pb2.ExportNotificationsResponse(
            notifications=[privacy_pb2.ExportedNotification(**{**row, "id": str(row["id"])}) for row in rows],
            next_cursor=cursor,
        )
