"""Which events were canceled: what is not in hand by then is not sent.

The router publishes each canceled event as a key of the configuration (topology.canceled_key) for a week: longer than
anything waits in a stream. What waits in rows is ended when the key is seen: see services/senders/webhooks/parking.
"""

from clarion.common.v1 import event_pb2
from services.domain import topology
from services.domain.reasons import Reason


class Cancellations:
    """The canceled events, kept up to date by the configuration's watch."""

    def __init__(self) -> None:
        # By the rest of their keys: tenant and event, so that nobody cancels another tenant's event.
        self._canceled: set[str] = set()

    def on_change(self, changed: str, value: bytes | None) -> None:
        """Apply a change of the configuration; ignores other keys. An event whose key is deleted is forgotten."""
        prefix, _, canceled = changed.partition(".")
        if prefix != topology.CANCELED:
            return
        if value is None:
            self._canceled.discard(canceled)
        else:
            self._canceled.add(canceled)

    def refusal(self, delivery: event_pb2.Delivery) -> str:
        """Return the reason for not sending this delivery; empty: it may be sent."""
        return Reason.CANCELED if self.covers(delivery.tenant_id, delivery.event_id) else ""

    def covers(self, tenant_id: str, event_id: str) -> bool:
        """Return whether an event was canceled."""
        if not self._canceled:  # nearly always
            return False
        return f"{tenant_id}.{event_id}" in self._canceled
