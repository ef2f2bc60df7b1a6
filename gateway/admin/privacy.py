"""Retention periods of a tenant, and export and erasure of a recipient's data.

The gateway asks the services that own the data one after the other, so that no service depends on another. It keeps
no state: an erasure that was interrupted is requested again.
"""

import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from clarion.ingest.v1 import privacy_pb2
from clarion.realtime.v1 import privacy_pb2 as realtime_pb2
from clarion.router.v1 import privacy_pb2 as router_pb2
from clarion.senders.v1 import privacy_pb2 as senders_pb2
from clarion.senders.v1 import senders_pb2 as outbox_pb2
from gateway.admin import contents as contents_of_attempts
from gateway.admin import dead_letters, events, forms, recipients, retention
from gateway.admin.bodies import raw_json
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply
from services.domain.retention import DAYS

# One request erases for this long, seconds; what is left then is for the next one.
ERASE_S = 15.0
# One page may delete a thousand rows in each of several tables.
PAGE_DEADLINE_S = 8.0
EXPORT_EVENTS = 20
EXPORT_NOTIFICATIONS = 100
# The most deliveries that the senders take at a time.
EXPORT_DELIVERIES = 1000

Days = Annotated[int, Meta(ge=1, le=3650)] | None


class RetentionBody(forms.Body):
    """The body of PUT /tenants/{id}/retention: all periods, in days. null or absent: the installation's default.

    keep_content: whether what is sent is stored with the attempt, for payload_days.
    """

    events_days: Days = None
    payload_days: Days = None
    inbox_days: Days = None
    outbox_days: Days = None
    keep_content: bool = True


class RecipientBody(forms.Body):
    """The body of POST /tenants/{id}/recipients/erase. The user id is in the body because paths are logged."""

    user_id: forms.UserId


class ExportRequestBody(RecipientBody):
    """The body of POST /tenants/{id}/recipients/export."""

    cursor: Annotated[str, Meta(max_length=1024)] = ""


class _Cursor(msgspec.Struct):
    """Where each part of an export continues. Empty: at its start; None: it is complete."""

    events: str | None = ""
    inbox: str | None = ""


class PrivacyRoutes:
    """Handlers that ask ingest, realtime, router and senders."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def retention(self, request: web.Request) -> web.Response:
        """Return a tenant's own retention periods."""
        wire = privacy_pb2.GetRetentionRequest(tenant_id=_tenant(request))
        answer = await self._clients.call(self._clients.privacy.GetRetention, wire)
        return json_reply(_policy(answer.retention) | {"defaults": await retention.defaults(self._clients, answer)})

    async def set_retention(self, request: web.Request) -> web.Response:
        """Replace a tenant's retention periods."""
        tenant_id = _tenant(request)
        body = await forms.read(request, RetentionBody)
        wanted = privacy_pb2.Retention(
            **{name: getattr(body, name) or 0 for name in DAYS}, discard_content=not body.keep_content
        )
        wire = privacy_pb2.SetRetentionRequest(tenant_id=tenant_id, retention=wanted)
        await self._clients.call(self._clients.privacy.SetRetention, wire)
        return await self.retention(request)

    async def erase(self, request: web.Request) -> web.Response:
        """Erase one recipient's data in all services. complete is false if the caller must repeat the call."""
        tenant_id = _tenant(request)
        user_id = (await forms.read(request, RecipientBody)).user_id
        wire = privacy_pb2.BeginErasureRequest(tenant_id=tenant_id, user_id=user_id)
        begun = await self._clients.call(self._clients.privacy.BeginErasure, wire)
        erasure = _Erasure(self._clients, tenant_id, user_id, begun.erasure_id, begun.at_us)
        complete = await erasure.run()
        return json_reply(
            {
                "erasure_id": begun.erasure_id,
                "erased_until": forms.iso(begun.at_us),
                "complete": complete,
                "erased": erasure.counts,
            }
        )

    async def export(self, request: web.Request) -> web.Response:
        """Return one page of a recipient's data."""
        tenant_id = _tenant(request)
        body = await forms.read(request, ExportRequestBody)
        cursor = _decoded(forms.opened_cursor(request, body.cursor, body.user_id))
        following = _Cursor(events=None, inbox=None)
        exported: list[dict[str, Any]] = []
        inbox: list[dict[str, Any]] = []
        stored = await self._stored(tenant_id, body.user_id) if not body.cursor else None
        if cursor.events is not None:
            exported, following.events = await self._events(tenant_id, body.user_id, cursor.events)
        if cursor.inbox is not None:
            inbox, following.inbox = await self._inbox(tenant_id, body.user_id, cursor.inbox)
        return json_reply(
            {
                "tenant_id": tenant_id,
                "user_id": body.user_id,
                "recipient": stored,
                "events": exported,
                "inbox": inbox,
                "next_cursor": forms.sealed_cursor(request, _encoded(following), body.user_id),
            }
        )

    async def _stored(self, tenant_id: str, user_id: str) -> dict[str, Any] | None:
        """Return the stored recipient with the keys of their groups; None: they are not stored."""
        wire = router_pb2.ExportRecipientRequest(tenant_id=tenant_id, user_id=user_id)
        answer = await self._clients.call(self._clients.router_privacy.ExportRecipient, wire)
        return recipients.with_groups(answer) if answer.HasField("recipient") else None

    async def _events(self, tenant_id: str, user_id: str, cursor: str) -> tuple[list[dict[str, Any]], str | None]:
        wire = privacy_pb2.ExportEventsRequest(tenant_id=tenant_id, user_id=user_id, cursor=cursor, limit=EXPORT_EVENTS)
        answer = await self._clients.call(self._clients.privacy.ExportEvents, wire, deadline=PAGE_DEADLINE_S)
        alone = [one.event.id for one in answer.events if not one.shared]
        shared = [one for one in answer.events if one.shared and one.event.deliveries]
        theirs = [delivery.id for one in shared for delivery in one.event.deliveries]
        messages, contents = await self._messages(tenant_id, alone), await self._contents(tenant_id, alone)
        together = [one.event.id for one in shared]
        for first in range(0, len(theirs), EXPORT_DELIVERIES):
            some = theirs[first : first + EXPORT_DELIVERIES]
            for event_id, more in (await self._messages(tenant_id, together, some)).items():
                messages.setdefault(event_id, []).extend(more)
            for event_id, more in (await self._contents(tenant_id, together, some)).items():
                contents.setdefault(event_id, []).extend(more)
        found = [
            {
                **_event(one),
                "messages": messages.get(one.event.id, []),
                "contents": contents.get(one.event.id, []),
            }
            for one in answer.events
        ]
        return found, answer.next_cursor or None

    async def _contents(
        self, tenant_id: str, event_ids: list[str], delivery_ids: Sequence[str] = ()
    ) -> dict[str, list[dict[str, Any]]]:
        """Return what was sent of these events, or of these deliveries of them."""
        by_event: dict[str, list[dict[str, Any]]] = {}
        after = "" if event_ids else None
        while after is not None:
            wire = senders_pb2.ExportContentsRequest(
                tenant_id=tenant_id, event_ids=event_ids, delivery_ids=delivery_ids, after=after
            )
            answer = await self._clients.call(self._clients.senders_privacy.ExportContents, wire)
            for sent in answer.contents:
                by_event.setdefault(sent.event_id, []).append(contents_of_attempts.exported(sent))
            after = answer.next_after or None
        return by_event

    async def _messages(
        self, tenant_id: str, event_ids: list[str], delivery_ids: Sequence[str] = ()
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the sandbox messages of these events, or of these deliveries of them."""
        by_event: dict[str, list[dict[str, Any]]] = {}
        after = "" if event_ids else None
        while after is not None:
            wire = senders_pb2.ExportMessagesRequest(
                tenant_id=tenant_id, event_ids=event_ids, delivery_ids=delivery_ids, after=after
            )
            answer = await self._clients.call(self._clients.senders_privacy.ExportMessages, wire)
            for message in answer.messages:
                by_event.setdefault(message.event_id, []).append(_message(message))
            after = answer.next_after or None
        return by_event

    async def _inbox(self, tenant_id: str, user_id: str, cursor: str) -> tuple[list[dict[str, Any]], str | None]:
        wire = realtime_pb2.ExportNotificationsRequest(
            tenant_id=tenant_id, user_id=user_id, cursor=cursor, limit=EXPORT_NOTIFICATIONS
        )
        answer = await self._clients.call(self._clients.realtime_privacy.ExportNotifications, wire)
        return [shown_notification(one) for one in answer.notifications], answer.next_cursor or None


class _Erasure:
    """The part of an erasure that one request does. counts: erased rows by kind."""

    def __init__(self, clients: Clients, tenant_id: str, user_id: str, erasure_id: str, at_us: int) -> None:
        self._clients = clients
        self._tenant_id = tenant_id
        self._user_id = user_id
        self._erasure_id = erasure_id
        self._at_us = at_us
        self._until = time.monotonic() + ERASE_S
        self.counts = dict.fromkeys(
            (
                "recipients",
                "memberships",
                "waiting_events",
                "schedules",
                "notifications",
                "messages",
                "provider_records",
                "contents",
                "events",
                "payloads",
                "attempts",
                "dead_letters",
            ),
            0,
        )

    async def run(self) -> bool:
        """Erase until nothing is left or ERASE_S is over. Return whether nothing is left."""
        if not (await self._stored() and await self._inbox()):
            return False
        return await self._events(late=False) and await self._events(late=True)

    async def _stored(self) -> bool:
        """Erase what the router stores, and take the person out of events that wait."""
        after, more = "", True
        while more:
            if self._is_over():
                return False
            wire = router_pb2.EraseRecipientRequest(tenant_id=self._tenant_id, user_id=self._user_id, after=after)
            answer = await self._call(self._clients.router_privacy.EraseRecipient, wire)
            self.counts["recipients"] += answer.recipients
            self.counts["memberships"] += answer.memberships
            self.counts["waiting_events"] += answer.runs
            self.counts["schedules"] += answer.schedules
            after, more = answer.next_after, bool(answer.next_after)
        return True

    async def _inbox(self) -> bool:
        more, inbox_only = True, False
        while more:
            if self._is_over():
                return False
            wire = realtime_pb2.EraseRecipientRequest(
                tenant_id=self._tenant_id, user_id=self._user_id, until_us=self._at_us, inbox_only=inbox_only
            )
            answer = await self._call(self._clients.realtime_privacy.EraseRecipient, wire)
            self.counts["notifications"] += answer.notifications
            more, inbox_only = answer.more, True
        return True

    async def _events(self, *, late: bool) -> bool:
        """Erase page by page. late: what an attempt stored after its event had been erased."""
        after = ""
        while True:
            if self._is_over():
                return False
            wire = privacy_pb2.ListErasureEventsRequest(
                tenant_id=self._tenant_id,
                user_id="" if late else self._user_id,
                erasure_id=self._erasure_id,
                late=late,
                after=after,
                shared=True,
            )
            page = await self._call(self._clients.privacy.ListErasureEvents, wire)
            if not page.event_ids:
                return True
            await self._page(page, late=late)
            after = page.event_ids[-1] if late else ""

    async def _page(self, page: privacy_pb2.ListErasureEventsResponse, *, late: bool) -> None:
        # The ledger comes last: only it knows whose events these are.
        shared = set(page.shared_event_ids)
        await self._messages([id_ for id_ in page.event_ids if id_ not in shared])
        if page.delivery_ids:  # none would mean all
            await self._messages(list(page.shared_event_ids), list(page.delivery_ids))
        ledger = await self._call(
            self._clients.privacy.EraseEvents,
            privacy_pb2.EraseEventsRequest(
                tenant_id=self._tenant_id,
                erasure_id=self._erasure_id,
                event_ids=page.event_ids,
                user_id=self._user_id,
            ),
        )
        self._count(ledger, "payloads", "attempts", "dead_letters")
        if not late:  # late ones were counted before
            self._count(ledger, "events")

    async def _messages(self, event_ids: list[str], delivery_ids: Sequence[str] = ()) -> None:
        """Erase what the senders store of these events, or of these deliveries of them."""
        if event_ids:
            wire = senders_pb2.EraseMessagesRequest(
                tenant_id=self._tenant_id, event_ids=event_ids, delivery_ids=delivery_ids
            )
            answer = await self._call(self._clients.senders_privacy.EraseMessages, wire)
            self._count(answer, "messages", "provider_records", "contents")

    def _count(self, answer: Any, *names: str) -> None:
        for name in names:
            self.counts[name] += getattr(answer, name)

    async def _call(self, method: Any, wire: Any) -> Any:
        return await self._clients.call(method, wire, deadline=PAGE_DEADLINE_S)

    def _is_over(self) -> bool:
        return time.monotonic() > self._until


def _tenant(request: web.Request) -> str:
    tenant_id = forms.path_id(request)
    request[TENANT_ID] = tenant_id
    return tenant_id


def _policy(retention: privacy_pb2.Retention) -> dict[str, Any]:
    return {name: getattr(retention, name) or None for name in DAYS} | {"keep_content": not retention.discard_content}


def _event(one: privacy_pb2.ExportedEvent) -> dict[str, Any]:
    payload = one.payload if one.HasField("payload") else None
    return {
        **events.shown(one.event),
        "variables": raw_json(payload.variables) if payload else None,
        "payload": raw_json(payload.payload_extra) if payload else None,
        "timeline": [events.shown_step(step) for step in one.steps],
        "dead_letters": [dead_letters.shown(letter) for letter in one.dead_letters],
    }


def _message(message: outbox_pb2.OutboxMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "channel": forms.channel_name(message.channel),
        "recipient": message.recipient,
        "sender": message.sender,
        "reply_to": message.reply_to or None,
        "subject": message.subject or None,
        "text": message.text,
        "html": message.html or None,
        "recorded_at": forms.iso(message.recorded_at_us),
    }


def shown_notification(one: realtime_pb2.ExportedNotification) -> dict[str, Any]:
    """Return a notification as the API shows it."""
    return {
        "id": one.id,
        "event_id": one.event_id,
        "event_type": one.event_type,
        "title": one.title,
        "body": one.body,
        "created_at": forms.iso(one.created_at_us),
        "read_at": forms.iso(one.read_at_us),
    }


def _encoded(cursor: _Cursor) -> str:
    return "" if cursor.events is None and cursor.inbox is None else msgspec.json.encode(cursor).decode()


def _decoded(text: str) -> _Cursor:
    return msgspec.json.decode(text, type=_Cursor) if text else _Cursor()
