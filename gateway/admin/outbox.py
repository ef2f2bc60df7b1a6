"""The messages that a tenant's sandbox providers received."""

from typing import Any

from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code


class OutboxRoutes:
    """Handlers that ask senders' OutboxService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def list_all(self, request: web.Request) -> web.Response:
        """List messages, newest first, without HTML and with at most 2,000 characters of text each."""
        tenant_id = await forms.path_tenant(request, self._clients)
        channel = forms.text(request, "channel")
        wire = senders_pb2.ListMessagesRequest(
            tenant_id=tenant_id,
            event_id=forms.text(request, "event_id"),
            channel=forms.channel(channel) if channel else event_pb2.CHANNEL_UNSPECIFIED,
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.outbox.ListMessages, wire)
        return json_reply(forms.page(request, [_shown(message) for message in answer.messages], answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one message with its HTML. Another tenant's message is not found."""
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = senders_pb2.GetMessageRequest(message_id=request.match_info["message_id"].replace("\0", ""))
        message = (await self._clients.call(self._clients.outbox.GetMessage, wire)).message
        if message.tenant_id != tenant_id:
            raise ClarionError(Code.NOT_FOUND, "The tenant's outbox holds no message with this id.")
        return json_reply({**_shown(message), "html": message.html or None})


def _shown(message: senders_pb2.OutboxMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "event_id": message.event_id or None,
        "delivery_id": message.delivery_id or None,
        "channel": forms.channel_name(message.channel),
        "recipient": message.recipient,
        "sender": message.sender,
        "reply_to": message.reply_to or None,
        "subject": message.subject or None,
        "text": message.text,
        "via": message.via,
        "trace_id": message.trace_id,
        "recorded_at": forms.iso(message.recorded_at_us),
    }
