"""What runs need of the rest of the router, in memory: a planner, and the progress of deliveries."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.errors import ClarionError, Code
from services.domain.delivery_ids import delivery_id
from services.router import messages
from services.router.messages import Plan
from services.router.ports import Person

_EMAIL = event_pb2.CHANNEL_EMAIL


@dataclass
class MailPlanner:
    """Implements runs.ports.Planner: one mail for each person with an address. away: it cannot be asked.

    version: of the template, which may change between two calls. poisonous: ids of events that make it fail. before: is
    awaited by each call.
    """

    away: bool = False
    version: str = "v1"
    poisonous: set[str] = field(default_factory=set)
    before: Callable[[event_pb2.Event], Awaitable[None]] | None = None

    async def plan(
        self, event: event_pb2.Event, people: Sequence[Person], *, sequence: int, with_endpoints: bool
    ) -> Plan:
        """Return one entry for each person, and for each endpoint that the event names."""
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The owner is away.")
        if event.id in self.poisonous:
            raise KeyError(event.id)
        if self.before is not None:
            await self.before(event)
        planned, deliveries = [], []
        for person in people:
            id_ = delivery_id(event, _EMAIL, person.destination, step="email")
            reason = "" if person.recipient.email else "missing_email"
            status = trace_pb2.DELIVERY_STATUS_SKIPPED if reason else trace_pb2.DELIVERY_STATUS_QUEUED
            planned.append(
                trace_pb2.PlannedDelivery(
                    delivery_id=id_, channel=_EMAIL, status=status, reason=reason, recipient=person.recipient
                )
            )
            if not reason:
                deliveries.append(
                    event_pb2.Delivery(
                        id=id_,
                        event_id=event.id,
                        tenant_id=event.tenant_id,
                        event_type=event.event_type,
                        channel=_EMAIL,
                        recipient=person.recipient,
                        template_version_id=self.version,
                    )
                )
        for endpoint_id in event.endpoints.endpoint_ids if with_endpoints else ():
            id_ = delivery_id(event, event_pb2.CHANNEL_WEBHOOK, endpoint_id, step="webhook")
            planned.append(messages.endpoint_decision(endpoint_id, id_, ""))
            shared = messages.common_to_endpoints(event, 0, sequence)
            deliveries.append(messages.endpoint_delivery(shared, endpoint_id, id_))
        return Plan(deliveries, planned)


@dataclass
class MemoryProgress:
    """Implements runs.ports.Progress. reason: why all runs wait."""

    reason: str = ""

    async def obstacle(self, event_id: str, published: int) -> str:
        """Return the reason."""
        return self.reason
