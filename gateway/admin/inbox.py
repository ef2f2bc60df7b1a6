"""The inbox of one recipient, as an operator sees it. Nothing is marked as read."""

from aiohttp import web

from clarion.realtime.v1 import privacy_pb2, realtime_pb2
from gateway.admin import forms
from gateway.admin.person_data import shown_notification
from gateway.clients import Clients
from gateway.replies import json_reply


class InboxRoutes:
    """Handlers that ask realtime, always for the tenant and the recipient in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def list_all(self, request: web.Request) -> web.Response:
        """List a recipient's notifications, newest first. The recipient need not be stored."""
        tenant_id = await forms.path_tenant(request, self._clients)
        user_id: str = request.match_info["recipient_id"]
        wire = privacy_pb2.ExportNotificationsRequest(
            tenant_id=tenant_id,
            user_id=user_id,
            cursor=forms.cursor(request),
            limit=forms.limit(request),
        )
        page = await self._clients.call(self._clients.realtime_privacy.ExportNotifications, wire)
        unread = await self._clients.call(
            self._clients.realtime.CountUnread, realtime_pb2.CountUnreadRequest(tenant_id=tenant_id, user_id=user_id)
        )
        notes = [shown_notification(one) for one in page.notifications]
        return json_reply({**forms.page(request, notes, page.next_cursor), "unread": unread.unread})
