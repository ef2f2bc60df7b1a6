"""The interfaces that planning needs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from clarion.common.v1 import event_pb2

# A tenant's id, and the id that it gave a recipient.
RecipientKey: TypeAlias = tuple[str, str]


class Person(NamedTuple):  # made for each event: much cheaper than a frozen dataclass
    """A recipient as planning sees them.

    destination: services.domain.audience.destination. muted: the channels that they do not want to be notified on.
    is_unknown: the event names them by id, and the tenant stores no such recipient.
    """

    recipient: event_pb2.Recipient
    destination: str
    muted: frozenset[event_pb2.Channel.ValueType] = frozenset()
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """Whom a page of an event's recipients is read from: of one tenant.

    recipients: ids of stored recipients that are named directly. excluded, excluded_groups: who is left out.
    """

    tenant_id: str
    groups: Sequence[str] = ()
    everybody: bool = False
    recipients: Sequence[str] = ()
    excluded: Sequence[str] = ()
    excluded_groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MemberPage:
    """people: at most as many as asked for, each once. after: where the next page begins; empty: there is none.

    As many members are read as were asked for, and those who are excluded are left out: people may be fewer, or empty,
    though there is a next page.
    """

    people: Sequence[Person]
    after: str


class StoredRecipients(Protocol):
    """The recipients that tenants store."""

    async def find(self, wanted: Collection[RecipientKey]) -> Mapping[RecipientKey, Person]:
        """Return those that are stored, in one query. Raises UNAVAILABLE while the database is away."""

    async def newest(self, tenant_id: str) -> str:
        """Return the id of the newest recipient: a bound for page() that excludes all who are stored from now on.

        A recipient who is deleted and stored again is excluded, too. It is never empty. Raises UNAVAILABLE while the
        database is away.
        """

    async def page(self, membership: Membership, after: str, limit: int, upto: str = "") -> MemberPage:
        """Return the next members in the order of their creation.

        after: of the previous page; empty: from the start. upto: of newest(); empty: up to the end.
        Raises UNAVAILABLE while the database is away.
        """


@dataclass(frozen=True, slots=True)
class NewRun:
    """An event that the router must keep in mind: it waits for its time, or has too many recipients to plan at once.

    sequence: of the event in EVENTS.
    """

    event: event_pb2.Event
    sequence: int


class Runs(Protocol):
    """The rows of events that the router keeps in mind."""

    async def begin(self, new: Sequence[NewRun]) -> None:
        """Store a run for each event; changes nothing for one that has a run. Raises UNAVAILABLE."""
