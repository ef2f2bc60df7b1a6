"""People whom an event describes without an id: an erased person is known among them by their addresses. Pure."""

import contextlib
from collections.abc import Collection, Iterator

from clarion.common.v1 import event_pb2
from services.domain import addresses as addresses_of


def described(target: event_pb2.Target) -> event_pb2.Recipient:
    """Return the person whom a target describes; one without any field: it describes nobody."""
    return target.contact.recipient if target.HasField("contact") else target.recipient


def has_address(person: event_pb2.Recipient, addresses: Collection[str]) -> bool:
    """Return whether a person has no id and one of these addresses, however it is written.

    addresses: as recipients have them stored, in lower case.
    """
    if person.user_id or not addresses:
        return False
    written = {addresses_of.trimmed(person.email).lower(), addresses_of.phone_as_written(person.phone)}
    with contextlib.suppress(addresses_of.InvalidAddress):
        written.add(addresses_of.parse_email(person.email).lower())
    with contextlib.suppress(addresses_of.InvalidAddress):
        written.add(addresses_of.parse_phone(person.phone))
    return not (written - {""}).isdisjoint(addresses)


def with_addresses_as_stored(event: event_pb2.Event) -> event_pb2.Event:
    """Return the event with the addresses of people without an id in the form in which recipients have them.

    By these an erased person is found in the runs that wait. What is malformed stays as it is.
    """
    if not any(person.email or person.phone for person in _nameless(event)):
        return event
    plain = event_pb2.Event()
    plain.CopyFrom(event)
    for person in _nameless(plain):
        with contextlib.suppress(addresses_of.InvalidAddress):
            person.email = person.email and addresses_of.parse_email(person.email)
        with contextlib.suppress(addresses_of.InvalidAddress):
            person.phone = person.phone and addresses_of.parse_phone(person.phone)
    return plain


def _nameless(event: event_pb2.Event) -> Iterator[event_pb2.Recipient]:
    if event.HasField("recipient") and not event.recipient.user_id:
        yield event.recipient
    for target in event.audience:
        if target.WhichOneof("target") in ("recipient", "contact") and not described(target).user_id:
            yield described(target)
