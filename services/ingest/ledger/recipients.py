"""Whom an event is for, as rows: pure."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from clarion.common.v1 import event_pb2
from services.domain import addresses as addresses_of
from services.domain import audience, channels
from services.domain.erasures import Erasures
from services.domain.nameless import described

# The field of a recipient with the address, by the channel's name.
_ADDRESS_FIELDS = {
    channel.name: channel.address_field for channel in channels.BY_NUMBER.values() if channel.address_field
}


@dataclass(slots=True)
class RecipientRow:
    """A recipient of an event, a contact as its caller named them, or somebody whom it excludes by id.

    The latter two have no deliveries: of a contact it is known only when the event is planned who is meant.

    addresses: by the channel's name; None: the person was erased.
    """

    event_id: str
    destination: str
    tenant_id: str
    user_id: str
    addresses: dict[str, str] | None

    def merge(self, other: "RecipientRow") -> None:
        """Add another record's addresses."""
        if self.addresses is not None and other.addresses:
            self.addresses |= other.addresses

    @property
    def addresses_json(self) -> str | None:
        """The addresses as JSON."""
        return None if self.addresses is None else msgspec.json.encode(self.addresses).decode()


def row_of(
    event_id: str,
    tenant_id: str,
    recipient: event_pb2.Recipient,
    destination: str,
    accepted_us: int,
    erasures: Erasures | None,
) -> RecipientRow:
    """Return a recipient's row; of an erased one their pseudonym alone."""
    erasure = erasures.find(tenant_id, recipient.user_id, accepted_us) if erasures is not None else None
    if erasure is not None:
        return RecipientRow(event_id, erasure.pseudonym, tenant_id, erasure.pseudonym, None)
    addresses = {name: value for name, field in _ADDRESS_FIELDS.items() if (value := getattr(recipient, field))}
    return RecipientRow(event_id, destination, tenant_id, recipient.user_id, addresses)


def rows_of(event: event_pb2.Event, erasures: Erasures | None) -> Iterator[RecipientRow]:
    """Return the rows of those whom the event names; the members of groups are known when they are planned."""
    if not event.audience:  # nearly always: a target would be a copy
        if event.HasField("recipient"):
            one = event.recipient
            yield row_of(event.id, event.tenant_id, one, audience.destination(one), event.accepted_at_us, erasures)
        return
    for position, target in enumerate(event.audience):
        recipient = _named(target)
        if recipient is not None:
            is_contact = target.HasField("contact")
            destination = audience.of_contact(position) if is_contact else audience.destination(recipient, position)
            yield row_of(event.id, event.tenant_id, recipient, destination, event.accepted_at_us, erasures)
    for target in event.exclusions:  # found by these rows, they are exported and erased, too
        recipient = _named(target)
        if recipient is not None:
            destination = audience.of_excluded(recipient.user_id)
            yield row_of(event.id, event.tenant_id, recipient, destination, event.accepted_at_us, erasures)


def is_shared(event: event_pb2.Event) -> bool:
    """Return whether the event has, or may get, more than one recipient, or names somebody whom it excludes."""
    return len(event.audience) > 1 or bool(event.exclusions) or audience.needs_expansion(event)


def remove_people(
    event: event_pb2.Event, user_ids: Collection[str], *, addresses: Collection[str] = (), nameless: bool = False
) -> bool:
    """Remove people from an event's targets and exclusions; return whether it is for somebody else, too.

    Their targets are left empty: of a recipient without an id the place among the targets says who it is. nameless:
    remove recipients without an id, too. addresses: their e-mail addresses and phone numbers, as they are sent to, by
    which people without an id are found.
    """
    gone = {*user_ids, ""} if nameless else set(user_ids)
    for target in event.audience:
        named = _named(target)
        if named is not None and (named.user_id in gone or (addresses and _is_found(target, addresses))):
            target.Clear()
    if event.HasField("recipient") and event.recipient.user_id in gone:
        event.ClearField("recipient")
    kept = [one for one in event.exclusions if (named := _named(one)) is None or named.user_id not in gone]
    if len(kept) < len(event.exclusions):
        del event.exclusions[:]
        event.exclusions.extend(kept)
    return event.HasField("recipient") or any(target.WhichOneof("target") for target in event.audience)


def user_ids_of(event: event_pb2.Event) -> set[str]:
    """Return the user ids that the event names, as recipients or as excluded."""
    return recipient_ids_of(event) | _user_ids(event.exclusions)


def recipient_ids_of(event: event_pb2.Event) -> set[str]:
    """Return the user ids of the recipients that the event names."""
    return _user_ids(audience.targets(event))


def _user_ids(targets: Iterable[event_pb2.Target]) -> set[str]:
    named = map(_named, targets)
    return {recipient.user_id for recipient in named if recipient is not None and recipient.user_id}


def _is_found(target: event_pb2.Target, known: Collection[str]) -> bool:
    """Return whether a target describes somebody without an id who has one of these addresses."""
    person = described(target)
    if person.user_id:
        return False
    return bool({_sent_to(person.email), _sent_to(person.phone)} & {_sent_to(one) for one in known} - {""})


def _sent_to(text: str) -> str:
    """Return an address as it is compared; of a phone number its digits."""
    if "@" in text:
        return addresses_of.trimmed(text).casefold()
    return addresses_of.phone_as_written(text)


def _named(target: event_pb2.Target) -> event_pb2.Recipient | None:
    match target.WhichOneof("target"):
        case "recipient":
            return target.recipient
        case "contact":
            return target.contact.recipient
        case "recipient_id":
            return event_pb2.Recipient(user_id=target.recipient_id)
    return None
