"""Who the contact of an event is, and what is stored of them: pure. See clarion.common.v1.Contact for the rules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from runtime.ids import new_id
from services.domain import addresses, audience, locales
from services.domain.time_zones import is_time_zone
from services.router.ports import Conflict, Identified, Person
from services.router.recipients import changes, check
from services.router.recipients.check import CheckedRecipient, Fault, text
from services.router.recipients.decisions import Decision, Known, Names, becomes_unique
from services.router.recipients.row import RecipientRow

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True)
class NamedContact:
    """A contact, who decides as services.router.recipients.decisions.Wanted does. What cannot be stored is left out."""

    given: event_pb2.Recipient

    @cached_property
    def names(self) -> Names:
        """By what they are looked for."""
        given = self.given
        user_id = given.user_id if not list(text("", given.user_id)) else ""
        faults: list[Fault] = []
        email = check.address("", given.email, addresses.parse_email, faults)
        return Names(user_id, "", email, check.address("", given.phone, addresses.parse_phone, faults))

    def decide(self, known: Known) -> Decision:
        """Return what is to be done: what is new of them is stored, and who is new if they have an address."""
        names = self.names
        current = known.recipient_id or known.email or known.phone
        conflicts = tuple(self._conflicts(known, current)) if current else ()
        kept = {conflict.identifier for conflict in conflicts}
        given: dict[str, Any] = {
            name: value
            for name, value in (("email", names.email), ("phone", names.phone), *self._described())
            if value and name not in kept
        }
        if current is None:
            if not (names.email or names.phone):
                return Decision()
            before = replace(changes.NOBODY, recipient_id=names.recipient_id or new_id())
        else:
            before = current.recipient
        after = self._with_data(replace(before, **given))
        is_unique = current is not None and current.is_unique
        if names.email and "email" not in kept:
            is_unique = becomes_unique(after, known, current)
        if current is not None and (after, is_unique) == (current.recipient, current.is_unique):
            return Decision(current, conflicts=conflicts)
        return Decision(current, after, is_unique, conflicts=conflicts)

    def identified(self, stored: RecipientRow | None, decision: Decision, *, is_new: bool) -> Identified:
        """Return who they are. stored: as they are now; None: they are not stored."""
        if stored is None:
            recipient = event_pb2.Recipient()
            recipient.CopyFrom(self.given)
            return Identified(Person(recipient, audience.destination(recipient), is_unknown=True))
        person = person_of(stored)
        if not person.recipient.email and not self.names.email:
            person.recipient.email = self.given.email  # malformed, as planning says then
        if not person.recipient.phone and not self.names.phone:
            person.recipient.phone = self.given.phone
        return Identified(person, is_new, decision.conflicts)

    def _conflicts(self, known: Known, current: RecipientRow) -> Iterator[Conflict]:
        mine = current.recipient
        for name, given, has, owner in (
            ("email", self.names.email.lower(), mine.email.lower(), known.email),
            ("phone", self.names.phone, mine.phone, known.phone),
        ):
            if owner is not None and owner.id != current.id and given != has:
                yield Conflict(mine.recipient_id, owner.recipient.recipient_id, name)

    def _described(self) -> Iterator[tuple[str, str]]:
        given = self.given
        if not list(text("", given.name)):
            yield "name", given.name
        yield "locale", locales.normal(given.locale)
        if is_time_zone(given.timezone):
            yield "timezone", given.timezone

    def _with_data(self, one: CheckedRecipient) -> CheckedRecipient:
        """Return the recipient with the fields of data that are given; as they were if that were too much."""
        faults: list[Fault] = []
        given = check.json_object(self.given.data, faults)
        fields: Mapping[str, msgspec.Raw] = {} if faults else _decode_fields(given)
        if not fields:
            return one
        data = check.merged(one.data, fields, faults)
        return one if faults else replace(one, data=data)


def person_of(row: RecipientRow) -> Person:
    """Return a stored recipient as planning sees them, whole."""
    one = row.recipient
    recipient = event_pb2.Recipient(
        user_id=one.recipient_id,
        email=one.email,
        phone=one.phone,
        locale=one.locale,
        timezone=one.timezone,
        name=one.name,
        data=one.data,
    )
    return Person(
        recipient,
        audience.destination(recipient),
        check.muted(one.muted_channels, inactive=one.inactive),
        tags=frozenset(one.tags),
        unwanted=check.unwanted(one.category_preferences),
    )
