"""Implements the gRPC service: checks requests, calls the core, builds responses."""

import re
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from prometheus_client import Counter

from clarion.realtime.v1 import realtime_pb2, realtime_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.domain.paging import page_limit
from services.realtime import places, principal
from services.realtime.directory import EpochDirectory
from services.realtime.guard import HubGuard
from services.realtime.namespaces import Namespaces
from services.realtime.publication import publication
from services.realtime.push import MAX_USER_ID, is_user_id
from services.realtime.revoke import Revoker
from services.realtime.store import InboxStore, Kept
from services.realtime.tokens import Tokens, refused

NAME = "clarion.realtime.v1.RealtimeService"

MAX_LIMIT = 1_000
MAX_OFFSET = 10_000

# The characters of a tenant id, which becomes part of a configuration key.
_TENANT_ID = re.compile(r"[a-z0-9_-]{1,64}")

_TOKENS = Counter("clarion_realtime_tokens_total", "Connection tokens issued.")

log = logs.get(__name__)


class OfUser(Protocol):
    """A request about one user."""

    tenant_id: str
    user_id: str


class _Tenant(msgspec.Struct):
    active: bool = True


_decode_tenant = msgspec.json.Decoder(_Tenant).decode


class RealtimeServicer(realtime_pb2_grpc.RealtimeServiceServicer):
    """Implements clarion.realtime.v1.RealtimeService. configuration: returns the last known value of a key."""

    def __init__(
        self,
        *,
        inbox: InboxStore,
        directory: EpochDirectory,
        tokens: Tokens,
        namespaces: Namespaces,
        revoker: Revoker,
        guard: HubGuard,
        configuration: Callable[[str], bytes | None],
    ) -> None:
        self._inbox = inbox
        self._directory = directory
        self._tokens = tokens
        self._namespaces = namespaces
        self._revoker = revoker
        self._guard = guard
        self._configuration = configuration

    async def IssueToken(self, request: realtime_pb2.IssueTokenRequest, _: Any) -> realtime_pb2.IssueTokenResponse:
        """Return a connection token, valid for two hours by default, and the channels it allows."""
        check_user(request)
        if not self._guard.may_serve:
            raise ClarionError(
                Code.UNAVAILABLE, "Realtime is unavailable: its hub failed the safety check.", retry_after=30
            )
        self._check_active(request.tenant_id)
        name = await self._directory.principal_of_token(request.tenant_id, request.user_id)
        namespaces = principal.issued(self._namespaces.of(request.tenant_id))
        channels = principal.channels(namespaces, name)
        _TOKENS.inc()
        log.info("token_issued", tenant_id=request.tenant_id, principal=name, channels=len(channels))
        return realtime_pb2.IssueTokenResponse(token=self._tokens.issue(name, namespaces), channels=channels)

    async def VerifyToken(self, request: realtime_pb2.VerifyTokenRequest, _: Any) -> realtime_pb2.VerifyTokenResponse:
        """Check that a token is valid and belongs to this user. Raises UNAUTHENTICATED."""
        if not _TENANT_ID.fullmatch(request.tenant_id) or not is_user_id(request.user_id):
            raise refused()
        self._check_active(request.tenant_id)
        shown = self._tokens.principal(request.token)
        if shown != await self._directory.principal(request.tenant_id, request.user_id):
            raise refused()
        return realtime_pb2.VerifyTokenResponse()

    async def RevokeTokens(
        self, request: realtime_pb2.RevokeTokensRequest, _: Any
    ) -> realtime_pb2.RevokeTokensResponse:
        """Revoke the tokens of a user or of the whole tenant, and close their connections."""
        tenant_id, user_id = request.tenant_id, request.user_id
        if user_id:
            check_user(request)
            disconnected = await self._revoker.user(tenant_id, user_id)
        else:
            _check_tenant(tenant_id)
            disconnected = await self._revoker.tenant(tenant_id)
        whose = "user" if user_id else "tenant"
        log.info("tokens_revoked", tenant_id=tenant_id, whose=whose, disconnected=disconnected)
        return realtime_pb2.RevokeTokensResponse(disconnected=disconnected)

    async def ListNotifications(
        self, request: realtime_pb2.ListNotificationsRequest, _: Any
    ) -> realtime_pb2.ListNotificationsResponse:
        """Return one page of a user's inbox, newest first, and the total number of unread notifications."""
        check_user(request)
        if not 0 <= request.offset <= MAX_OFFSET:
            raise _invalid("offset", f"must be a whole number from 0 to {MAX_OFFSET:,}")
        if request.offset and request.cursor:
            raise _invalid("offset", "must be absent with a cursor")
        limit = page_limit(request.limit, largest=MAX_LIMIT)
        page = await self._inbox.newest(
            request.tenant_id,
            request.user_id,
            limit=limit,
            offset=request.offset,
            after=places.from_cursor(request.cursor),
        )
        return realtime_pb2.ListNotificationsResponse(
            notifications=[
                realtime_pb2.Notification(
                    id=entry.id,
                    event_type=entry.event_type,
                    title=entry.title,
                    body=entry.body,
                    read=entry.read,
                    created_at_us=entry.created_at_us,
                )
                for entry in page.entries
            ],
            unread=page.unread,
            next_cursor=_cursor_after(page.entries[-1]) if len(page.entries) == limit else "",
        )

    async def MarkRead(self, request: realtime_pb2.MarkReadRequest, _: Any) -> realtime_pb2.MarkReadResponse:
        """Mark a notification as read. found is false if this user has no such notification."""
        check_user(request)
        found = await self._inbox.mark_read(request.tenant_id, request.user_id, request.notification_id)
        log.info(
            "marked_read",
            tenant_id=request.tenant_id,
            notification_id=request.notification_id if found else "",
            found=found,
        )
        return realtime_pb2.MarkReadResponse(found=found)

    async def MarkAllRead(self, request: realtime_pb2.MarkAllReadRequest, _: Any) -> realtime_pb2.MarkAllReadResponse:
        """Mark all of a user's notifications as read, or those up to one of them."""
        check_user(request)
        until: places.Place | None = places.TOP
        if request.until_id:
            until = await self._inbox.place(request.tenant_id, request.user_id, request.until_id)
        if until is None:
            return realtime_pb2.MarkAllReadResponse(found=False)
        marked, more = await self._inbox.mark_all_read(request.tenant_id, request.user_id, until)
        log.info("marked_all_read", tenant_id=request.tenant_id, marked=marked)
        return realtime_pb2.MarkAllReadResponse(found=True, marked=marked, more=more)

    async def CountUnread(self, request: realtime_pb2.CountUnreadRequest, _: Any) -> realtime_pb2.CountUnreadResponse:
        """Return the number of unread notifications."""
        check_user(request)
        return realtime_pb2.CountUnreadResponse(unread=await self._inbox.unread(request.tenant_id, request.user_id))

    async def GetNotification(
        self, request: realtime_pb2.GetNotificationRequest, _: Any
    ) -> realtime_pb2.GetNotificationResponse:
        """Return one notification with what open pages received of it. Raises NOT_FOUND."""
        check_user(request)
        found = await self._inbox.find(request.tenant_id, request.user_id, request.notification_id)
        if found is None:
            raise ClarionError(Code.NOT_FOUND, "The inbox has no such notification.")
        entry, read_at_us = found
        return realtime_pb2.GetNotificationResponse(
            notification=realtime_pb2.Notification(
                id=entry.id,
                event_type=entry.event_type,
                title=entry.title,
                body=entry.body,
                read=bool(read_at_us),
                created_at_us=entry.created_at_us,
            ),
            read_at_us=read_at_us,
            data=msgspec.json.encode(publication(entry)),
        )

    def _check_active(self, tenant_id: str) -> None:
        """Raise UNAUTHENTICATED for an inactive tenant: it receives no tokens, and its tokens are not valid."""
        value = self._configuration(topology.tenant_key(tenant_id))
        if value is not None and not _decode_tenant(value).active:
            raise refused()


def _cursor_after(entry: Kept) -> str:
    return places.to_cursor(places.Place(entry.created_at_us, entry.event_id, entry.id))


def check_user(request: OfUser) -> None:
    """Raise INVALID, naming the field, for an invalid tenant id or user id."""
    _check_tenant(request.tenant_id)
    if not is_user_id(request.user_id):
        raise _invalid("user_id", f"must have 1 to {MAX_USER_ID} characters")


def _check_tenant(tenant_id: str) -> None:
    if not _TENANT_ID.fullmatch(tenant_id):
        raise _invalid("tenant_id", "is not a valid tenant id")


def _invalid(field: str, description: str) -> ClarionError:
    return ClarionError(Code.INVALID, f"{field} {description}.", fields=[(field, description)])
