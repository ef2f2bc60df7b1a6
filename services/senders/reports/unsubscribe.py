"""Unsubscribing by a link: it ends subscribed mail, not other mail."""

import dataclasses

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import suppressions_pb2
from runtime import clock, logs
from runtime.ids import derived_id
from services.domain import suppression_list
from services.domain.reasons import Reason
from services.senders.ports import Email
from services.senders.reports.links import Links, Subscription
from services.senders.reports.ports import Suppressor, Trace

SOURCE = "recipient"

log = logs.get(__name__)


class UnsubscribeLinkAdder:
    """Adds the unsubscribe link to subscribed e-mail. See services.senders.send."""

    def __init__(self, links: Links) -> None:
        self._links = links

    def __call__(self, delivery: event_pb2.Delivery, message: Email) -> Email:
        """Return the message with its link, which is the same for every attempt; unchanged if public_url is unknown."""
        subscription = Subscription(delivery.tenant_id, delivery.event_id, delivery.id, str(message.recipient))
        return dataclasses.replace(message, unsubscribe_url=self._links.unsubscribe_url(subscription))


class Unsubscriber:
    """Reads unsubscribe links and unsubscribes their recipients."""

    def __init__(self, links: Links, suppressor: Suppressor, trace: Trace, *, now: clock.Clock = clock.now_us) -> None:
        self._links = links
        self._suppressor = suppressor
        self._trace = trace
        self._now = now

    def read(self, token: str) -> Subscription:
        """Return the subscription that the link ends. Raises NOT_FOUND."""
        return self._links.read(token)

    async def unsubscribe(self, token: str) -> None:
        """Suppress the recipient for subscribed mail. Raises NOT_FOUND, UNAVAILABLE."""
        subscription = self._links.read(token)
        wanted = suppressions_pb2.NewSuppression(
            tenant_id=subscription.tenant_id,
            channel=event_pb2.CHANNEL_EMAIL,
            address=subscription.address,
            reason=suppression_list.UNSUBSCRIBED,
            source=SOURCE,
            found_at_us=self._now(),
        )
        await self._suppressor.suppress([wanted])
        step = trace_pb2.Reported(
            delivery_id=subscription.delivery_id, channel=event_pb2.CHANNEL_EMAIL, reason=Reason.UNSUBSCRIBED
        )
        record = trace_pb2.TraceRecord(
            id=derived_id("unsubscribed", subscription.delivery_id),
            event_id=subscription.event_id,
            tenant_id=subscription.tenant_id,
            at_us=self._now(),
            reported=step,
        )
        await self._trace.write_all([record])
        log.info("unsubscribed", tenant_id=subscription.tenant_id, delivery_id=subscription.delivery_id)
