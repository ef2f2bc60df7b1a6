"""What runs need of the rest of the router, in memory: a planner, stored recipients, the progress of deliveries."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.errors import ClarionError, Code
from services.domain.delivery_ids import delivery_id
from services.router.ports import MemberPage, Membership, Person, RecipientKey
from services.router.runs.ports import Planned

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

    async def plan(self, event: event_pb2.Event, people: Sequence[Person], *, sequence: int) -> Planned:
        """Return one entry for each person."""
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
        return Planned(deliveries, planned)


@dataclass
class MemoryRecipients:
    """Implements router.ports.StoredRecipients. members: the recipients of each group, by its key."""

    stored: dict[RecipientKey, Person] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    away: bool = False

    def add(self, tenant_id: str, *ids: str, group: str = "") -> None:
        """Store recipients, each with an address."""
        for id_ in ids:
            recipient = event_pb2.Recipient(user_id=id_, email=f"{id_}@example.com")
            self.stored[tenant_id, id_] = Person(recipient, id_)
            if group:
                self.members.setdefault(group, []).append(id_)

    async def find(self, wanted: Collection[RecipientKey]) -> Mapping[RecipientKey, Person]:
        """Return those that are stored."""
        self._check()
        return {key: self.stored[key] for key in wanted if key in self.stored}

    async def page(self, membership: Membership, after: str, limit: int) -> MemberPage:
        """Return the next members by their ids."""
        self._check()
        wanted = {id_ for group in membership.groups for id_ in self.members.get(group, ())}
        wanted |= set(membership.recipients)
        if membership.everybody:
            wanted |= {id_ for tenant_id, id_ in self.stored if tenant_id == membership.tenant_id}
        wanted -= set(membership.excluded)
        wanted -= {id_ for group in membership.excluded_groups for id_ in self.members.get(group, ())}
        found = [
            self.stored[membership.tenant_id, id_]
            for id_ in sorted(wanted)
            if id_ > after and (membership.tenant_id, id_) in self.stored
        ]
        more = len(found) > limit
        return MemberPage(found[:limit], found[limit - 1].destination if more else "")

    def _check(self) -> None:
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The database does not answer.")


@dataclass
class MemoryProgress:
    """Implements runs.ports.Progress. reason: why all runs wait."""

    reason: str = ""

    async def obstacle(self, event_id: str, published: int) -> str:
        """Return the reason."""
        return self.reason
