"""All that is stored of one person, as an export shows it: pages of what each service has."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from clarion.ingest.v1 import privacy_pb2
from clarion.realtime.v1 import privacy_pb2 as realtime_pb2
from clarion.router.v1 import privacy_pb2 as router_pb2
from clarion.router.v1 import workflows_pb2
from clarion.senders.v1 import privacy_pb2 as senders_pb2
from clarion.senders.v1 import senders_pb2 as outbox_pb2
from gateway.admin import contents as contents_of_attempts
from gateway.admin import dead_letters, events, forms, recipients, schedules, workflow_runs
from gateway.admin.bodies import raw_json
from gateway.clients import Clients

# One page may read a thousand rows of several tables.
PAGE_DEADLINE_S = 8.0
EXPORT_EVENTS = 20
EXPORT_NOTIFICATIONS = 100
EXPORT_RUNS = 100
# The most deliveries that the senders take at a time.
EXPORT_DELIVERIES = 1000

# What one page has, and where the next one begins; None: there are no more.
Page: TypeAlias = tuple[list[dict[str, Any]], str | None]


class PersonData:
    """Asks ingest, realtime, router and senders for what they store of one person."""

    def __init__(self, clients: Clients, tenant_id: str, user_id: str) -> None:
        self._clients = clients
        self._tenant_id = tenant_id
        self._user_id = user_id

    @property
    def parts(self) -> Mapping[str, Callable[[str], Awaitable[Page]]]:
        """What is read page by page, by its name in an export. Each takes a cursor; empty: from the start."""
        return {
            "events": self._events,
            "inbox": self._inbox,
            "schedules": self._schedules,
            "workflow_runs": self._workflow_runs,
        }

    async def stored(self) -> dict[str, Any]:
        """Return the stored recipient with the keys of their groups (None: they are not stored), and cooldowns."""
        wire = router_pb2.ExportRecipientRequest(tenant_id=self._tenant_id, user_id=self._user_id)
        answer = await self._clients.call(self._clients.router_privacy.ExportRecipient, wire)
        return {
            "recipient": recipients.with_groups(answer) if answer.HasField("recipient") else None,
            "cooldowns": [
                {
                    "workflow_id": one.workflow_id,
                    "workflow_name": one.workflow_name or None,
                    "until": forms.iso(one.until_us),
                }
                for one in answer.cooldowns
            ],
        }

    async def _events(self, cursor: str) -> Page:
        wire = privacy_pb2.ExportEventsRequest(
            tenant_id=self._tenant_id, user_id=self._user_id, cursor=cursor, limit=EXPORT_EVENTS
        )
        answer = await self._clients.call(self._clients.privacy.ExportEvents, wire, deadline=PAGE_DEADLINE_S)
        alone = [one.event.id for one in answer.events if not one.shared]
        shared = [one for one in answer.events if one.shared and one.event.deliveries]
        theirs = [delivery.id for one in shared for delivery in one.event.deliveries]
        messages, contents = await self._messages(alone), await self._contents(alone)
        together = [one.event.id for one in shared]
        for first in range(0, len(theirs), EXPORT_DELIVERIES):
            some = theirs[first : first + EXPORT_DELIVERIES]
            for event_id, more in (await self._messages(together, some)).items():
                messages.setdefault(event_id, []).extend(more)
            for event_id, more in (await self._contents(together, some)).items():
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
        self, event_ids: list[str], delivery_ids: Sequence[str] = ()
    ) -> dict[str, list[dict[str, Any]]]:
        """Return what was sent of these events, or of these deliveries of them."""
        by_event: dict[str, list[dict[str, Any]]] = {}
        after = "" if event_ids else None
        while after is not None:
            wire = senders_pb2.ExportContentsRequest(
                tenant_id=self._tenant_id, event_ids=event_ids, delivery_ids=delivery_ids, after=after
            )
            answer = await self._clients.call(self._clients.senders_privacy.ExportContents, wire)
            for sent in answer.contents:
                by_event.setdefault(sent.event_id, []).append(contents_of_attempts.exported(sent))
            after = answer.next_after or None
        return by_event

    async def _messages(
        self, event_ids: list[str], delivery_ids: Sequence[str] = ()
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the sandbox messages of these events, or of these deliveries of them."""
        by_event: dict[str, list[dict[str, Any]]] = {}
        after = "" if event_ids else None
        while after is not None:
            wire = senders_pb2.ExportMessagesRequest(
                tenant_id=self._tenant_id, event_ids=event_ids, delivery_ids=delivery_ids, after=after
            )
            answer = await self._clients.call(self._clients.senders_privacy.ExportMessages, wire)
            for message in answer.messages:
                by_event.setdefault(message.event_id, []).append(_message(message))
            after = answer.next_after or None
        return by_event

    async def _inbox(self, cursor: str) -> Page:
        wire = realtime_pb2.ExportNotificationsRequest(
            tenant_id=self._tenant_id, user_id=self._user_id, cursor=cursor, limit=EXPORT_NOTIFICATIONS
        )
        answer = await self._clients.call(self._clients.realtime_privacy.ExportNotifications, wire)
        return [shown_notification(one) for one in answer.notifications], answer.next_cursor or None

    async def _schedules(self, cursor: str) -> Page:
        wire = router_pb2.ExportSchedulesRequest(tenant_id=self._tenant_id, user_id=self._user_id, cursor=cursor)
        answer = await self._clients.call(self._clients.router_privacy.ExportSchedules, wire, deadline=PAGE_DEADLINE_S)
        return list(map(schedules.shown, answer.schedules)), answer.next_cursor or None

    async def _workflow_runs(self, cursor: str) -> Page:
        wire = workflows_pb2.ListWorkflowRunsRequest(
            tenant_id=self._tenant_id, recipient_id=self._user_id, cursor=cursor, limit=EXPORT_RUNS
        )
        answer = await self._clients.call(self._clients.workflows.ListWorkflowRuns, wire)
        return list(map(workflow_runs.shown, answer.runs)), answer.next_cursor or None


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
