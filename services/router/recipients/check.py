"""Checks stored recipients as they are sent, and brings them into their stored form: pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import addresses, channels, locales
from services.domain.time_zones import is_time_zone

# Of one tenant.
MAX_RECIPIENTS = 1_000_000
# Of one call.
MAX_ITEMS = 100
MAX_NAME = 255
MAX_DATA_BYTES = 16 * 1024
MAX_TAGS = 50
MAX_TAG = 64
MAX_PREFERENCES = 200
MAX_CATEGORY = 64
MAX_DEVICES = 10
MAX_TOKEN = 4096
DEVICE_KINDS = ("fcm", "apns", "expo")
# How many faults an error's sentence holds; its fields are complete.
_MAX_IN_SENTENCE = 5

_WRONG_CHANNELS = f"must hold only {', '.join(channels.PUBLIC_NAMES_FOR_PEOPLE)}"
_EMPTY = b"{}"
_NULL = b"null"
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CheckedRecipient:
    """A valid recipient in the form that is stored. email, phone: the form that is sent to; empty: unknown.

    data: a JSON object without blanks between its parts. inactive: they get nothing, whatever else is stored of them.
    PutRecipients leaves category_preferences, device_tokens and inactive as they are stored.
    """

    recipient_id: str
    email: str
    phone: str
    name: str
    locale: str
    timezone: str
    data: bytes
    tags: tuple[str, ...]
    muted_channels: tuple[event_pb2.Channel.ValueType, ...]
    category_preferences: tuple["Preference", ...] = ()
    device_tokens: tuple["Device", ...] = ()
    inactive: bool = False


class Preference(msgspec.Struct, frozen=True):
    """What a recipient wants of a category on a channel, as it is stored."""

    channel: int
    category: str
    wanted: bool


class Device(msgspec.Struct, frozen=True):
    """A token of a recipient's device, as it is stored. kind: see DEVICE_KINDS."""

    kind: str
    token: str


def checked(request: recipients_pb2.PutRecipientsRequest) -> list[CheckedRecipient]:
    """Return the recipients in the same order. Raises INVALID naming each wrong field."""
    if not 1 <= len(request.recipients) <= MAX_ITEMS:
        raise invalid([("recipients", f"must be from 1 to {MAX_ITEMS}")])
    faults = list(tenant(request.tenant_id))
    found: list[CheckedRecipient] = []
    positions: dict[str, int] = {}
    for position, one in enumerate(request.recipients):
        first = positions.setdefault(one.recipient_id, position)
        mine: list[Fault] = (
            [] if first == position else [("recipient_id", f"is the same as that of recipients[{first}]")]
        )
        found.append(_stored_form(one, mine))
        faults += [(f"recipients[{position}].{field}", text) for field, text in mine]
    if faults:
        raise invalid(faults)
    return found


def tenant(tenant_id: str) -> Iterator[Fault]:
    """Yield what is wrong with a tenant's id."""
    if not is_uuid(tenant_id):
        yield "tenant_id", "must be a UUID in lower case"


def text(field: str, value: str, *, limit: int = MAX_NAME, required: bool = False) -> Iterator[Fault]:
    """Yield what is wrong with a text of a limited length."""
    if required and not value:
        yield field, "is required"
    if len(value) > limit:
        yield field, f"must be at most {limit} characters"
    if "\0" in value:
        yield field, "must not contain a NUL character"


def invalid(faults: Sequence[Fault]) -> ClarionError:
    """Return the error for these fields."""
    detail = "; ".join(f"{field} {description}" for field, description in faults[:_MAX_IN_SENTENCE])
    return ClarionError(Code.INVALID, detail, fields=faults)


def _stored_form(one: recipients_pb2.StoredRecipient, faults: list[Fault]) -> CheckedRecipient:
    """Return the recipient; appends to faults what is wrong with it."""
    faults += text("recipient_id", one.recipient_id, required=True)
    faults += text("name", one.name)
    locale = language(one.locale, faults)
    faults += wrong_time_zone(one.timezone)
    faults += wrong_tags(one.tags)
    faults += wrong_channels(one.muted_channels)
    return CheckedRecipient(
        recipient_id=one.recipient_id,
        email=address("email", one.email, addresses.parse_email, faults),
        phone=address("phone", one.phone, addresses.parse_phone, faults),
        name=one.name,
        locale=locale,
        timezone=one.timezone,
        data=json_object(one.data, faults),
        tags=tuple(dict.fromkeys(one.tags)),
        muted_channels=tuple(sorted(set(one.muted_channels))),
    )


def address(field: str, written: str, parse: Callable[[str], str], faults: list[Fault]) -> str:
    """Return an address in the form that is stored, empty for an empty one; appends to faults what is wrong with it."""
    if not written:
        return ""
    try:
        return parse(written)
    except addresses.InvalidAddress as error:
        faults.append((field, f"is invalid: {error}"))
        return ""


def language(written: str, faults: list[Fault]) -> str:
    """Return a locale in the form that is stored; appends to faults what is wrong with it."""
    locale = locales.normal(written)
    if written and not locale:
        faults.append(("locale", "must be a language tag such as pt-BR"))
    return locale


def wrong_time_zone(name: str) -> Iterator[Fault]:
    """Yield what is wrong with a time zone."""
    if name and not is_time_zone(name):
        yield "timezone", "must be the IANA name of a time zone, such as Africa/Nairobi"


def wrong_channels(some: Sequence[event_pb2.Channel.ValueType]) -> Iterator[Fault]:
    """Yield what is wrong with muted channels."""
    if any(channel not in channels.FOR_PEOPLE for channel in some):
        yield "muted_channels", _WRONG_CHANNELS


def wrong_tags(tags: Sequence[str]) -> Iterator[Fault]:
    """Yield what is wrong with tags."""
    if len(tags) > MAX_TAGS:
        yield "tags", f"must be at most {MAX_TAGS}"
    for position, tag in enumerate(tags[:MAX_TAGS]):
        yield from text(f"tags[{position}]", tag, limit=MAX_TAG, required=True)


def json_object(raw: bytes, faults: list[Fault]) -> bytes:
    """Return data without blanks between its parts; appends to faults what is wrong with it."""
    if not raw:
        return _EMPTY
    try:
        value = _decode_object(raw)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so is that for what is not UTF-8
        faults.append(("data", "must be a JSON object"))
        return _EMPTY
    if is_too_deep(raw, value):
        faults.append(("data", f"must be nested at most {MAX_DEPTH} levels deep"))
        return _EMPTY
    compact = _encode(value)
    if len(compact) > MAX_DATA_BYTES:
        faults.append(("data", f"must be at most {MAX_DATA_BYTES // 1024} KiB of JSON"))
    if _NUL.search(compact):  # PostgreSQL's jsonb, in which it is searched, has none
        faults.append(("data", "must not contain a NUL character"))
    return compact


def merged(data: bytes, fields: Mapping[str, msgspec.Raw], faults: list[Fault]) -> bytes:
    """Return data in which fields are replaced, those that are null deleted; appends to faults what is wrong then."""
    left = {**_decode_fields(data), **fields}
    return json_object(_encode({name: one for name, one in left.items() if bytes(one) != _NULL}), faults)


def muted(stored: Iterable[int], *, inactive: bool) -> frozenset[event_pb2.Channel.ValueType]:
    """Return the channels on which somebody gets nothing. stored: those that they muted."""
    return frozenset(channels.FOR_PEOPLE if inactive else map(event_pb2.Channel.ValueType, stored))


def read_preferences(stored: str) -> tuple[Preference, ...]:
    """Return category preferences as they are stored."""
    return () if stored == "[]" else msgspec.json.decode(stored, type=tuple[Preference, ...])


def read_devices(stored: str) -> tuple[Device, ...]:
    """Return device tokens as they are stored."""
    return () if stored == "[]" else msgspec.json.decode(stored, type=tuple[Device, ...])


def unwanted(preferences: Iterable[Preference]) -> frozenset[tuple[event_pb2.Channel.ValueType, str]]:
    """Return the categories that somebody does not want on a channel, as planning asks for them."""
    return frozenset((event_pb2.Channel.ValueType(one.channel), one.category) for one in preferences if not one.wanted)
