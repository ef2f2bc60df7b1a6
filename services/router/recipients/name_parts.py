"""The first and the last name of recipients, which lie in their data: pure."""

from dataclasses import dataclass, replace

import msgspec

from clarion.router.v1 import recipients_pb2
from services.router.recipients.check import MAX_NAME, CheckedRecipient, Fault, merged, text

FIRST, LAST = "first_name", "last_name"

_FIELD = "name_parts"

_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class NameParts:
    """Another first and last name. None: it stays; empty: it is deleted."""

    first: str | None
    last: str | None


def checked(given: recipients_pb2.NameParts, faults: list[Fault]) -> NameParts:
    """Return the names that a caller sent; appends to faults what is wrong with them."""
    faults += [*text(f"{_FIELD}.first", given.first), *text(f"{_FIELD}.last", given.last)]
    return NameParts(given.first if given.HasField("first") else None, given.last if given.HasField("last") else None)


def changed(person: CheckedRecipient, parts: NameParts, faults: list[Fault]) -> CheckedRecipient:
    """Return somebody with other names, of which both together are their name; appends to faults what is wrong then.

    What is not stored by itself is taken from their name: its first word, and the rest.
    """
    data = _decode(person.data)
    first, _, last = person.name.strip().partition(" ")
    first = _text(data.get(FIRST)) or first if parts.first is None else parts.first
    last = _text(data.get(LAST)) or last.strip() if parts.last is None else parts.last
    fields = {name: msgspec.Raw(_encode(value or None)) for name, value in ((FIRST, first), (LAST, last))}
    name = " ".join(filter(None, (first, last)))[:MAX_NAME]
    return replace(person, name=name, data=merged(person.data, fields, faults))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
