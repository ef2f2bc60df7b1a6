"""Realtime tokens and the inbox of one user.

A tenant's key opens the inboxes of its users, unless it is only for some scopes; a realtime token (as bearer token)
opens the inbox of its user. An inbox that belongs to another user looks like one that does not exist.
"""

import re
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from clarion.realtime.v1 import realtime_pb2
from gateway import queries
from gateway.authentication import AuthenticatedTenant, CachedAuthenticator
from gateway.clients import Clients
from gateway.dialects.orqestra import bodies
from gateway.dialects.orqestra.credentials import api_key
from gateway.dialects.orqestra.errors import answers
from gateway.observing import TENANT_ID
from gateway.replies import json_reply, read_json_bytes
from runtime.errors import ClarionError, Code

_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")

NOT_FOUND = "Notification not found or access denied."
SCOPED = "This key can only send events. Use a key without scopes and endpoints for inboxes and realtime tokens."


class InboxRoutes:
    """Handlers that ask the realtime service."""

    def __init__(self, clients: Clients, authenticator: CachedAuthenticator) -> None:
        self._clients = clients
        self._authenticator = authenticator

    @answers
    async def issue_token(self, request: web.Request) -> web.StreamResponse:
        """POST /api/v1/auth/realtime-token: a connection token for one user, and the channels it opens."""
        tenant = await self._tenant(request, api_key(request))
        queries.check(request)
        user_id = bodies.parse_user_id(await read_json_bytes(request, limit=bodies.MAX_BODY_BYTES))
        answer = await self._clients.call(
            self._clients.realtime.IssueToken, realtime_pb2.IssueTokenRequest(tenant_id=tenant.id, user_id=user_id)
        )
        return json_reply({"token": answer.token, "channels": list(answer.channels)})

    @answers
    async def list_notifications(self, request: web.Request) -> web.StreamResponse:
        """GET /api/v1/notifications/{tenantId}/{userId}: newest first."""
        is_theirs, tenant_id, user_id = await self._authorize(request)
        queries.check(request, ("limit", "offset"))
        limit, offset = queries.numbers(request, limit=bodies.LIMIT, offset=bodies.OFFSET)
        if not is_theirs:
            return json_reply({"success": False, "message": NOT_FOUND, "data": []})
        answer = await self._clients.call(
            self._clients.realtime.ListNotifications,
            realtime_pb2.ListNotificationsRequest(tenant_id=tenant_id, user_id=user_id, limit=limit, offset=offset),
        )
        return json_reply({"success": True, "data": [_shown(notification) for notification in answer.notifications]})

    @answers
    async def count_unread(self, request: web.Request) -> web.StreamResponse:
        """GET …/unread-count, an extension: {"success", "unread"}."""
        is_theirs, tenant_id, user_id = await self._authorize(request)
        queries.check(request)
        if not is_theirs:
            return json_reply({"success": False, "message": NOT_FOUND, "unread": 0})
        answer = await self._clients.call(
            self._clients.realtime.CountUnread,
            realtime_pb2.CountUnreadRequest(tenant_id=tenant_id, user_id=user_id),
        )
        return json_reply({"success": True, "unread": answer.unread})

    @answers
    async def mark_read(self, request: web.Request) -> web.StreamResponse:
        """PUT …/{notificationId}/read: the same answer for another's notification as for none."""
        is_theirs, tenant_id, user_id = await self._authorize(request)
        queries.check(request)
        found = is_theirs and await self._mark_read(tenant_id, user_id, request.match_info["notification_id"])
        return json_reply({"success": True} if found else {"success": False, "message": NOT_FOUND})

    async def _mark_read(self, tenant_id: str, user_id: str, notification_id: str) -> bool:
        if "\0" in notification_id:
            return False
        answer = await self._clients.call(
            self._clients.realtime.MarkRead,
            realtime_pb2.MarkReadRequest(tenant_id=tenant_id, user_id=user_id, notification_id=notification_id),
        )
        return answer.found

    async def _authorize(self, request: web.Request) -> tuple[bool, str, str]:
        """Return whether the inbox is the caller's, its tenant and its user.

        Raises UNAUTHENTICATED, FORBIDDEN or INVALID.
        """
        tenant_id, user_id = request.match_info["tenant_id"], request.match_info["user_id"]
        key = api_key(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if key or scheme.lower() != "bearer":
            tenant = await self._tenant(request, key)
            bodies.check_user_id(user_id)
            return tenant.id == tenant_id, tenant_id, user_id
        try:
            await self._verify(token.strip(), tenant_id, user_id)
        except ClarionError as error:
            raise self._authenticator.attempts.refusal(request, error) from None
        request[TENANT_ID] = tenant_id
        return True, tenant_id, user_id

    async def _tenant(self, request: web.Request, key: str) -> AuthenticatedTenant:
        """Return the tenant of a key. Raises UNAUTHENTICATED, and FORBIDDEN if it can only send events."""
        tenant = await self._authenticator.tenant(request, key)
        request[TENANT_ID] = tenant.id
        if tenant.scopes or tenant.endpoint_ids:
            raise ClarionError(Code.FORBIDDEN, SCOPED)
        return tenant

    async def _verify(self, token: str, tenant_id: str, user_id: str) -> None:
        if not _TOKEN.fullmatch(token) or "\0" in tenant_id + user_id:
            raise ClarionError(Code.UNAUTHENTICATED, "The token is missing or malformed.")
        await self._clients.call(
            self._clients.realtime.VerifyToken,
            realtime_pb2.VerifyTokenRequest(token=token, tenant_id=tenant_id, user_id=user_id),
        )


def _shown(notification: realtime_pb2.Notification) -> dict[str, Any]:
    created_at = datetime.fromtimestamp(notification.created_at_us / 1_000_000, UTC)
    return {
        "id": notification.id,
        "type": notification.event_type,
        "title": notification.title,
        "body": notification.body,
        "status": "READ" if notification.read else "UNREAD",
        "created_at": created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
