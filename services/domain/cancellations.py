"""Which events were canceled: what is not in hand by then is not sent.

The router publishes each canceled event as a key of the configuration (topology.canceled_key) for a week: longer than
anything waits in a stream.
"""

from clarion.common.v1 import event_pb2
from services.domain import topology
from services.domain.reasons import Reason


class Cancellations:
    """The ids of the canceled events, kept up to date by the configuration's watch."""

    def __init__(self) -> None:
        self._event_ids: set[str] = set()

    def on_change(self, changed: str, value: bytes | None) -> None:
        """Apply a change of the configuration; ignores other keys. An event whose key is deleted is forgotten."""
        prefix, _, event_id = changed.partition(".")
        if prefix != topology.CANCELED:
            return
        if value is None:
            self._event_ids.discard(event_id)
        else:
            self._event_ids.add(event_id)

    def refusal(self, delivery: event_pb2.Delivery) -> str:
        """Return the reason for not sending this delivery; empty: it may be sent."""
        return Reason.CANCELED if delivery.event_id in self._event_ids else ""
