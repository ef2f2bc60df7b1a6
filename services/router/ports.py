"""The interfaces that planning needs."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from clarion.common.v1 import event_pb2

# A tenant's id, and the id that it gave a recipient.
RecipientKey: TypeAlias = tuple[str, str]


class Person(NamedTuple):  # made for each event: much cheaper than a frozen dataclass
    """A recipient as planning sees them.

    destination: services.domain.audience.destination. muted: the channels that they do not want to be notified on.
    is_unknown: the event names them by id, and the tenant stores no such recipient. tags: of a stored recipient.
    unwanted: the categories that they do not want on a channel.
    """

    recipient: event_pb2.Recipient
    destination: str
    muted: frozenset[event_pb2.Channel.ValueType] = frozenset()
    is_unknown: bool = False
    tags: frozenset[str] = frozenset()
    unwanted: frozenset[tuple[event_pb2.Channel.ValueType, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Membership:
    """Whom a page of an event's recipients is read from: of one tenant.

    recipients: ids of stored recipients that are named directly. tags: sets of tags, of each those who have all of its
    tags. segment_ids: one that does not exist has nobody. All of these together, each person once; everybody includes
    them. excluded, excluded_groups: who is left out. whole: see StoredRecipients.find.
    """

    tenant_id: str
    groups: Sequence[str] = ()
    everybody: bool = False
    recipients: Sequence[str] = ()
    excluded: Sequence[str] = ()
    excluded_groups: Sequence[str] = ()
    tags: Sequence[Sequence[str]] = ()
    segment_ids: Sequence[str] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class MemberPage:
    """people: at most as many as asked for, each once. after: where the next page begins; empty: there is none.

    At most as many members are read as were asked for, and those who are excluded are left out: people may be fewer, or
    empty, though there is a next page.
    """

    people: Sequence[Person]
    after: str


class StoredRecipients(Protocol):
    """The recipients that tenants store."""

    async def find(self, wanted: Collection[RecipientKey], *, whole: bool = False) -> Mapping[RecipientKey, Person]:
        """Return those that are stored, in one query. Raises UNAVAILABLE while the database is away.

        whole: with their names, data, tags and unwanted categories, which workflows and direct messages need.
        """

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


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two of the identifiers by which a caller named a contact belong to different people.

    meant, other: the recipient ids of who is meant, and of who has the other identifier. identifier: what the other one
    has: "email" or "phone".
    """

    meant: str
    other: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Identified:
    """Who a contact is. person: with everything that is stored of them (see StoredRecipients.find: whole).

    Who is not stored, because they have no address that can be stored, is the person as described; is_unknown then.
    is_new: they were not stored before. conflicts: see Conflict; at most two.
    """

    person: Person
    is_new: bool = False
    conflicts: Sequence[Conflict] = ()


class Contacts(Protocol):
    """Finds out who the contacts of events are. Implemented by services.router.recipients.identity.Identities."""

    async def resolve(self, wanted: Sequence[tuple[str, event_pb2.Contact]]) -> Sequence[Identified]:
        """Return who each contact is, in the same order; stores what is new of them.

        wanted: tenant's id and contact. See clarion.common.v1.Contact for the rules. Calls at the same time, also of
        several routers, never store one person twice. What cannot be stored (a malformed address, a name that is too
        long) is not stored; an address stands in the person as it was given if they have none, so that planning says
        what is wrong with it. Raises UNAVAILABLE while the database is away.
        """


class Segments(Protocol):
    """Who is in a segment. Implemented by services.router.segments.members.SegmentMembers."""

    async def matching(self, tenant_id: str, segment_id: str, recipient_ids: Collection[str]) -> AbstractSet[str]:
        """Return those of the stored recipients, by the tenant's ids of them, whom the segment matches now.

        recipient_ids: at most 1,000. Nobody if there is no such segment. Raises UNAVAILABLE while the database is away.
        """


class Runs(Protocol):
    """The rows of events that the router keeps in mind."""

    async def begin(self, new: Sequence[NewRun]) -> None:
        """Store a run for each event; changes nothing for one that has a run. Raises UNAVAILABLE."""
