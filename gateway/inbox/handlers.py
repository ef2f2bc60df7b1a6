"""Handlers of the inbox API, which ask the realtime service. A realtime token opens the inbox of its user alone."""

import re
from typing import Annotated, Any

import msgspec
from aiohttp import web

from clarion.realtime.v1 import realtime_pb2
from gateway import queries
from gateway.admin import forms
from gateway.authentication import CachedAuthenticator
from gateway.clients import Clients
from gateway.cursors import Cursors
from gateway.observing import TENANT_ID
from gateway.replies import iso, json_reply
from runtime.errors import ClarionError, Code

LIMIT = queries.Bounds(default=20, least=1, most=100)

# The number of calls by which one request marks notifications as read, of a thousand each.
_MAX_CALLS = 10
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_REFUSED = "The realtime token is missing, has expired, or is not one of this user."
_NOT_FOUND = "There is no such notification in this inbox."


class MarkAllBody(forms.Body):
    """Which notifications to mark as read."""

    until: Annotated[
        str,
        msgspec.Meta(
            description="The id of the newest notification that the user has seen: later ones stay unread. Absent: all."
        ),
    ] = ""


class InboxRoutes:
    """Handlers for one user's inbox."""

    def __init__(self, clients: Clients, authenticator: CachedAuthenticator, cursors: Cursors) -> None:
        self._clients = clients
        self._authenticator = authenticator
        self._cursors = cursors

    async def list_page(self, request: web.Request) -> web.StreamResponse:
        """GET …?limit=&cursor=: newest first, with the number of unread notifications (up to 10,000)."""
        tenant_id, user_id = await self._authorize(request)
        queries.check(request, ("limit", "cursor"))
        (limit,) = queries.numbers(request, limit=LIMIT)
        cursor = request.query.get("cursor", "")
        answer = await self._clients.call(
            self._clients.realtime.ListNotifications,
            realtime_pb2.ListNotificationsRequest(
                tenant_id=tenant_id,
                user_id=user_id,
                limit=limit,
                cursor=self._cursors.open(cursor, *self._list(tenant_id, user_id)) if cursor else "",
            ),
        )
        following = answer.next_cursor
        return json_reply(
            {
                "data": list(map(_shown, answer.notifications)),
                "unread": answer.unread,
                "next_cursor": self._cursors.seal(following, *self._list(tenant_id, user_id)) if following else None,
            }
        )

    async def mark_read(self, request: web.Request) -> web.StreamResponse:
        """PUT …/{notification_id}/read: mark one as read. {"unread"} is the number that is left."""
        tenant_id, user_id = await self._authorize(request)
        queries.check(request)
        notification_id = request.match_info["notification_id"]
        if "\0" in notification_id:
            raise ClarionError(Code.NOT_FOUND, _NOT_FOUND)
        wire = realtime_pb2.MarkReadRequest(tenant_id=tenant_id, user_id=user_id, notification_id=notification_id)
        if not (await self._clients.call(self._clients.realtime.MarkRead, wire)).found:
            raise ClarionError(Code.NOT_FOUND, _NOT_FOUND)
        return await self._unread(tenant_id, user_id)

    async def mark_all_read(self, request: web.Request) -> web.StreamResponse:
        """PUT …/read: mark all as read, or all up to one. At most 10,000 in one call: {"unread"} tells what is left."""
        tenant_id, user_id = await self._authorize(request)
        queries.check(request)
        body = await forms.read(request, MarkAllBody)
        if "\0" in body.until:
            raise ClarionError(Code.NOT_FOUND, _NOT_FOUND)
        wire = realtime_pb2.MarkAllReadRequest(tenant_id=tenant_id, user_id=user_id, until_id=body.until)
        for _ in range(_MAX_CALLS):
            answer = await self._clients.call(self._clients.realtime.MarkAllRead, wire)
            if not answer.found:
                raise ClarionError(Code.NOT_FOUND, _NOT_FOUND)
            if not answer.more:
                break
        return await self._unread(tenant_id, user_id)

    async def _unread(self, tenant_id: str, user_id: str) -> web.Response:
        wire = realtime_pb2.CountUnreadRequest(tenant_id=tenant_id, user_id=user_id)
        answer = await self._clients.call(self._clients.realtime.CountUnread, wire)
        return json_reply({"unread": answer.unread})

    async def _authorize(self, request: web.Request) -> tuple[str, str]:
        """Return tenant and user of the path, if the token is that user's. Raises UNAUTHENTICATED or LIMITED."""
        tenant_id, user_id = request.match_info["tenant_id"], request.match_info["user_id"]
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        try:
            if not _TOKEN.fullmatch(token) or "\0" in tenant_id + user_id:
                raise ClarionError(Code.UNAUTHENTICATED, _REFUSED)
            wire = realtime_pb2.VerifyTokenRequest(token=token, tenant_id=tenant_id, user_id=user_id)
            await self._clients.call(self._clients.realtime.VerifyToken, wire)
        except ClarionError as error:
            raise self._authenticator.attempts.refusal(request, error) from None
        request[TENANT_ID] = tenant_id
        return tenant_id, user_id

    @staticmethod
    def _list(tenant_id: str, user_id: str) -> tuple[str, str, str]:
        """Return what binds a cursor to the list of one user."""
        return "inbox", tenant_id, user_id


def _shown(notification: realtime_pb2.Notification) -> dict[str, Any]:
    return {
        "id": notification.id,
        "event_type": notification.event_type,
        "title": notification.title,
        "body": notification.body,
        "read": notification.read,
        "created_at": iso(notification.created_at_us),
    }
