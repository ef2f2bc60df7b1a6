"""Whom an event is sent to: the recipients whom the caller describes, and stored ones. Pure, but for StoredPeople."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

from clarion.common.v1 import event_pb2
from runtime.batching import Batcher, BatchLimits
from services.domain import audience
from services.router.ports import Person, RecipientKey, StoredRecipients

Found: TypeAlias = Mapping[RecipientKey, Person]

_NO_CONTACTS: Mapping[int, Person] = {}
# Recipients that one query asks for.
_MAX_ASKED = 2_000


def only_recipient(event: event_pb2.Event) -> Sequence[Person]:
    """Return the recipient of an event without audience and exclusions; none: it names nobody."""
    recipient = event.recipient
    return (Person(recipient, audience.destination(recipient)),) if event.HasField("recipient") else ()


def named_ids(event: event_pb2.Event) -> list[RecipientKey]:
    """Return the stored recipients that must be found to plan the event."""
    described = {target.recipient.user_id for target in event.audience if target.HasField("recipient")}
    left_out = described | _excluded(event)
    ids = dict.fromkeys(target.recipient_id for target in event.audience if target.HasField("recipient_id"))
    return [(event.tenant_id, id_) for id_ in ids if id_ not in left_out]


def named_directly(
    event: event_pb2.Event, found: Found, contacts: Mapping[int, Person] = _NO_CONTACTS
) -> Sequence[Person]:
    """Return the recipients that the event describes or names by id, each once, without those it excludes.

    One who is described and also named by id is the described one. found: of named_ids(). contacts: those whom it names
    as contacts, by their place among its targets.
    """
    if not event.audience and not event.exclusions:
        return only_recipient(event)
    stored = dict.fromkeys(named_ids(event))
    for contact in contacts.values():
        stored.pop((event.tenant_id, contact.recipient.user_id), None)
    taken = _excluded(event)
    people = []
    for position, target in enumerate(audience.targets(event)):
        if target.HasField("recipient_id"):
            key = event.tenant_id, target.recipient_id
            if key in stored:
                del stored[key]
                people.append(found.get(key) or _unknown(target.recipient_id))
        elif (person := _described(target, position, contacts)) is not None:
            user_id = person.recipient.user_id
            if user_id not in taken:
                people.append(person)
            if user_id:
                taken.add(user_id)
    return people


def _described(target: event_pb2.Target, position: int, contacts: Mapping[int, Person]) -> Person | None:
    """Return whom a target describes, or names as a contact."""
    if target.HasField("recipient"):
        return Person(target.recipient, audience.destination(target.recipient, position))
    return contacts.get(position)


def _excluded(event: event_pb2.Event) -> set[str]:
    return {target.recipient_id for target in event.exclusions if target.recipient_id}


def _unknown(recipient_id: str) -> Person:
    recipient = event_pb2.Recipient(user_id=recipient_id)
    return Person(recipient, audience.destination(recipient), is_unknown=True)


class StoredPeople:
    """Finds stored recipients. Events that are planned at the same time share a query."""

    def __init__(self, stored: StoredRecipients) -> None:
        self._stored = stored
        # What counts as the bytes of an item is the number of its recipients.
        limits = BatchLimits(bytes=_MAX_ASKED)
        self._batchers: Mapping[bool, Batcher[Sequence[RecipientKey], Found]] = {
            whole: Batcher(partial(self._find, whole=whole), limits, size=len) for whole in (False, True)
        }

    async def find(self, wanted: Sequence[RecipientKey], *, whole: bool = False) -> Found:
        """Return those that are stored; see StoredRecipients.find. Raises UNAVAILABLE while the database is away."""
        return await self._batchers[whole].submit(wanted) if wanted else {}

    async def _find(self, wanted: Sequence[Sequence[RecipientKey]], *, whole: bool) -> Sequence[Found]:
        found = await self._stored.find({key for keys in wanted for key in keys}, whole=whole)
        return [{key: found[key] for key in keys if key in found} for keys in wanted]
