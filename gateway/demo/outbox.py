"""The messages in the sandbox of the demo tenant, as pages and as JSON for `make smoke`."""

from typing import Any

from aiohttp import web

from clarion.senders.v1 import senders_pb2
from gateway import queries
from gateway.clients import Clients
from gateway.demo import outbox_pages
from gateway.observing import TENANT_ID
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from services.domain.channels import PUBLIC_NAMES

_LIMIT = queries.Bounds(default=50, least=1, most=1_000)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The markup of a mail is not trusted: no scripts, no origin, and no requests but for images that were asked for.
_MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:{images}; font-src data:; "
    "frame-ancestors 'self'"
)


class DemoOutboxRoutes:
    """Handlers that ask senders' OutboxService for one tenant."""

    def __init__(self, clients: Clients, tenant_id: str) -> None:
        self._clients = clients
        self._tenant_id = tenant_id

    async def list_page(self, request: web.Request) -> web.Response:
        """GET /demo/outbox: newest first, a page at a time."""
        try:
            answer = await self._list(request)
        except ClarionError as error:
            if error.code is Code.INVALID:
                return _html(outbox_pages.sorry("Outbox", error.detail), 422)
            return _sorry(error)
        return _html(outbox_pages.listed(list(answer.messages), answer.next_cursor))

    async def list_json(self, request: web.Request) -> web.Response:
        """GET /demo/outbox.json?event_id=&limit=&cursor=. With event_id the messages contain their HTML."""
        try:
            answer = await self._list(request)
            messages = list(answer.messages)
            if request.query.get("event_id"):
                messages = [await self._get(message.id) for message in messages]
        except ClarionError as error:
            status = {Code.NOT_FOUND: 404, Code.INVALID: 422}.get(error.code, 503)
            return json_reply({"message": error.detail}, status=status)
        shown = [_shown(message) for message in messages]
        return json_reply({"messages": shown, "next_cursor": answer.next_cursor or None})

    async def message_page(self, request: web.Request) -> web.Response:
        """GET /demo/outbox/{id}?images=shown: one message, with its HTML in a sandboxed frame."""
        try:
            queries.check(request, ("images",))
            message = await self._get(request.match_info["id"])
        except ClarionError as error:
            return _sorry(error)
        return _html(outbox_pages.message(message, with_images=_wants_images(request)))

    async def message_html(self, request: web.Request) -> web.Response:
        """GET /demo/outbox/{id}/html?images=shown: the HTML of a mail, sandboxed."""
        try:
            queries.check(request, ("images",))
            message = await self._get(request.match_info["id"])
        except ClarionError as error:
            return _sorry(error)
        policy = _MAIL_POLICY.format(images=" https: http:" if _wants_images(request) else "")
        headers = {"Content-Security-Policy": policy, "X-Frame-Options": "SAMEORIGIN"}
        return web.Response(text=message.html, content_type="text/html", charset="utf-8", headers=headers)

    async def _list(self, request: web.Request) -> senders_pb2.ListMessagesResponse:
        request[TENANT_ID] = self._tenant_id
        queries.check(request, ("event_id", "limit", "cursor"))
        (limit,) = queries.numbers(request, limit=_LIMIT)
        wire = senders_pb2.ListMessagesRequest(
            tenant_id=self._tenant_id,
            event_id=request.query.get("event_id", ""),
            limit=limit,
            cursor=request.query.get("cursor", ""),
        )
        return await self._clients.call(self._clients.outbox.ListMessages, wire)

    async def _get(self, message_id: str) -> senders_pb2.OutboxMessage:
        wire = senders_pb2.GetMessageRequest(message_id=message_id.replace("\0", ""))
        answer = await self._clients.call(self._clients.outbox.GetMessage, wire)
        if answer.message.tenant_id != self._tenant_id:
            raise ClarionError(Code.NOT_FOUND, "There is no message with this id.")
        return answer.message


def _html(text: str, status: int = 200) -> web.Response:
    headers = {"Content-Security-Policy": _POLICY}
    return web.Response(text=text, content_type="text/html", charset="utf-8", status=status, headers=headers)


def _sorry(error: ClarionError) -> web.Response:
    if error.code in (Code.NOT_FOUND, Code.INVALID):
        return _html(outbox_pages.sorry("Not found", "There is no message with this id."), 404)
    return _html(outbox_pages.sorry("Outbox", "The outbox is temporarily unavailable. Try again shortly."), 503)


def _shown(message: senders_pb2.OutboxMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "event_id": message.event_id,
        "delivery_id": message.delivery_id,
        "channel": PUBLIC_NAMES.get(message.channel),
        "recipient": message.recipient,
        "sender": message.sender,
        "reply_to": message.reply_to,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "via": message.via,
        "trace_id": message.trace_id,
        "recorded_at": outbox_pages.iso(message),
    }


def _wants_images(request: web.Request) -> bool:
    return request.query.get("images") == "shown"
