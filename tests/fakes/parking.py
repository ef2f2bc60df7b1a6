"""The rows of deliveries that wait, in memory."""

from dataclasses import dataclass, field

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from runtime.parts import POSTGRES, PartAway
from services.delivery.ports import ParkedDelivery


@dataclass
class MemoryParking:
    """Implements services.delivery.ports.Parking.

    bound: how many rows there may be. waits: by endpoint, why its deliveries must wait.
    """

    bound: int = 1_000
    waits: dict[str, str] = field(default_factory=dict)
    rows: dict[tuple[str, int], ParkedDelivery] = field(default_factory=dict)
    is_away: bool = False
    # What is parked is stored, and the answer is lost.
    loses_answers: bool = False

    def must_wait(self, delivery: event_pb2.Delivery) -> ParkedDelivery | None:
        """By endpoint."""
        reason = self.waits.get(delivery.webhook.endpoint_id)
        return ParkedDelivery(delivery, reason) if reason else None

    async def park(self, parked: ParkedDelivery, *, is_claimed: bool = False) -> bool:
        """Store it once."""
        if self.is_away:
            raise ClarionError(Code.UNAVAILABLE, "The database does not answer.")
        new = ParkedDelivery(_copied(parked.delivery), parked.reason, parked.due_us)
        key = new.delivery.id, new.delivery.replay
        known = self.rows.get(key)
        if known is None and len(self.rows) >= self.bound:
            return False
        if known is None or (new.delivery.attempt, is_claimed) > (known.delivery.attempt, False):
            self.rows[key] = new
        if self.loses_answers:
            raise ClarionError(Code.UNAVAILABLE, "The database does not answer.")
        return True

    async def find(self, delivery: event_pb2.Delivery) -> ParkedDelivery | None:
        """Return the row, if it is of this attempt or a later one."""
        if self.is_away:
            raise PartAway(POSTGRES)
        row = self.rows.get((delivery.id, delivery.replay))
        return row if row is not None and row.delivery.attempt >= delivery.attempt else None


def _copied(delivery: event_pb2.Delivery) -> event_pb2.Delivery:
    made = event_pb2.Delivery()
    made.CopyFrom(delivery)
    return made
