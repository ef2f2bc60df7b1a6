"""Delivers one push: stores it in the inbox first and then publishes it to open pages.

Storing the notification is the delivery; the publication only shows it at once on an open page. So if the hub will
never accept the publication, the delivery is still SENT and the hub's refusal is recorded: the recipient finds the
notification in the inbox, and neither a retry nor a replay could do better. If the database or the hub is away, the
delivery waits, and this does not count as an attempt.
"""

import asyncio
from functools import partial

from prometheus_client import Counter

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime import ids
from runtime.clock import Clock, now_us
from runtime.errors import ClarionError, Code
from runtime.parts import HUB, POSTGRES, OwnParts
from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.realtime.ports import Hub, Inbox, InboxEntry, PrincipalDirectory, PublishOutcome, PublishResult
from services.realtime.principal import channel, is_namespace
from services.realtime.publication import publication

PROVIDER = "realtime"
MAX_USER_ID = 255
# Seconds for writing the inbox row and reading the recipient's epoch. A repeat has no effect.
DATABASE_DEADLINE_S = 8.0

_VERDICTS = {
    PublishOutcome.DONE: Verdict.SENT,
    PublishOutcome.REFUSED: Verdict.SENT,
    PublishOutcome.BUSY: Verdict.POSTPONED,
}
_PUBLICATIONS = Counter("clarion_realtime_publications_total", "Publications by their outcome.", ["outcome"])


class Push:
    """Implements services.delivery.rendered.MessageSender for the PUSH channel."""

    def __init__(
        self, inbox: Inbox, directory: PrincipalDirectory, hub: Hub, *, own: OwnParts | None = None, now: Clock = now_us
    ) -> None:
        self._own = own or OwnParts()
        self._inbox = inbox
        self._directory = directory
        self._hub = hub
        self._now = now

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """Return the tenant id: all tenants share one hub and one database, and slots divide them among tenants."""
        return delivery.tenant_id

    async def send(self, delivery: event_pb2.Delivery, message: render_pb2.Content) -> SendResult:
        """Store the notification, then publish it. Raises PartAway."""
        if not delivery.recipient.user_id:  # a person who is known by an address only has no inbox
            return SendResult(Verdict.PERMANENT, PROVIDER, reason=Reason.MISSING_RECIPIENT)
        if not is_user_id(delivery.recipient.user_id) or not ids.is_uuid(delivery.id):
            return SendResult(Verdict.PERMANENT, PROVIDER, reason=Reason.INVALID_RECIPIENT)
        entry = self._entry(delivery, message)
        principal = await self._own.ask(POSTGRES, partial(self._keep, entry))
        published = await self._own.ask(HUB, partial(self._publish, entry, delivery.push_namespace, principal))
        _PUBLICATIONS.labels(published.outcome.value).inc()
        return SendResult(_VERDICTS[published.outcome], PROVIDER, reason=published.reason, detail=published.detail)

    async def _keep(self, entry: InboxEntry) -> str:
        """Store the notification and return its recipient's principal. Raises UNAVAILABLE."""
        try:
            async with asyncio.timeout(DATABASE_DEADLINE_S):
                await self._inbox.keep(entry)
                return await self._directory.principal(entry.tenant_id, entry.user_id)
        except TimeoutError as error:
            raise ClarionError(Code.UNAVAILABLE, "The inbox's database takes too long.", retry_after=1) from error

    async def _publish(self, entry: InboxEntry, namespace: str, principal: str) -> PublishResult:
        """Return what the hub says. Raises UNAVAILABLE while it is away, or not to be trusted."""
        if namespace and not is_namespace(namespace):
            detail = f"No channel can be named {namespace[:64]!r}."
            return PublishResult(PublishOutcome.REFUSED, Reason.INVALID_PUSH_NAMESPACE, detail)
        published = await self._hub.publish(channel(namespace, principal), publication(entry), entry.id)
        if published.outcome is PublishOutcome.AWAY:
            _PUBLICATIONS.labels(published.outcome.value).inc()
            raise ClarionError(Code.UNAVAILABLE, f"{published.reason}: {published.detail}", retry_after=1)
        return published

    def _entry(self, delivery: event_pb2.Delivery, content: render_pb2.Content) -> InboxEntry:
        return InboxEntry(
            id=delivery.id,
            tenant_id=delivery.tenant_id,
            user_id=delivery.recipient.user_id,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            title=_storable(content.title),
            body=_storable(content.body),
            created_at_us=delivery.accepted_at_us or self._now(),
        )


def is_user_id(text: str) -> bool:
    """Return whether text is a valid user id: 1 to 255 characters, without NUL, which PostgreSQL cannot store."""
    return 0 < len(text) <= MAX_USER_ID and "\x00" not in text


def _storable(text: str) -> str:
    return text.replace("\x00", "")
