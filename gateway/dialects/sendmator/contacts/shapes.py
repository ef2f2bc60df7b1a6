"""Contacts in this API's form, and changes of stored recipients: pure.

Custom fields are the recipient's data, so that templates, segments and rules of workflows find them by their names.
First and last name lie there too, and metadata under a name with "_". A change says only what a request says: the
router makes it to what is stored at that moment, so that of two requests at the same time none is lost.
"""

from typing import Any

import msgspec

from clarion.router.v1 import recipients_pb2
from gateway.dialects.sendmator.bodies import Fields
from gateway.dialects.sendmator.contacts import preferences
from gateway.dialects.sendmator.errors import bad_request
from gateway.dialects.sendmator.times import iso

MAX_EMAIL = 320

_FIRST, _LAST = "first_name", "last_name"
_METADATA = "_metadata"
_OURS = frozenset({_FIRST, _LAST, _METADATA})
_PUSH_KINDS = {"fcm": "fcm_token", "apns": "apns_token"}


def shown(person: recipients_pb2.StoredRecipient) -> dict[str, Any]:
    """Return a contact."""
    data = data_of(person)
    first, _, last = person.name.strip().partition(" ")
    wanted = preferences.of(person)
    tokens = {_PUSH_KINDS[one.kind]: one.token for one in person.device_tokens if one.kind in _PUSH_KINDS}
    return {
        "id": person.id,
        "external_id": person.recipient_id,
        "email": person.email or None,
        "first_name": _text(data.get(_FIRST)) or first or None,
        "last_name": _text(data.get(_LAST)) or last.strip() or None,
        "phone": person.phone or None,
        "tags": list(person.tags),
        "is_active": not person.inactive,
        "is_unsubscribed": not any(any(categories.values()) for categories in wanted.values()),
        "custom_fields": {name: value for name, value in data.items() if name not in _OURS},
        "metadata": _object(data.get(_METADATA)),
        "preferences": wanted,
        "locale": person.locale or None,
        "timezone": person.timezone or None,
        "created_at": iso(person.created_at_us),
        "updated_at": iso(person.updated_at_us or person.created_at_us),
        **tokens,
    }


def data_of(person: recipients_pb2.StoredRecipient) -> dict[str, Any]:
    """Return what is stored of a recipient besides the fields that all have."""
    return dict(msgspec.json.decode(person.data)) if person.data else {}


def new(body: Fields) -> recipients_pb2.RecipientChange:
    """Return the change that stores the contact whom a body describes, or changes them. Raises ApiError."""
    if not body.text("email", longest=MAX_EMAIL).strip():
        raise bad_request("email is required")
    made = change(body)
    made.recipient_id, made.new_recipient_id = made.new_recipient_id, ""
    return made


def change(body: Fields, *, replaced: recipients_pb2.StoredRecipient | None = None) -> recipients_pb2.RecipientChange:
    """Return the change of a contact that a body asks for. Absent fields stay as they are. Raises ApiError.

    replaced: whose custom fields are deleted that the body leaves out; None: none are deleted.
    """
    made = recipients_pb2.RecipientChange()
    _write_fields(body, made)
    if data := _data(body, replaced):
        made.data, made.merges_data = msgspec.json.encode(data), True
    _write_wanted(body, made)
    made.device_tokens.CopyFrom(devices(body))
    if not made.device_tokens.tokens:
        made.ClearField("device_tokens")
    return made


def devices(body: Fields) -> recipients_pb2.DeviceTokens:
    """Return the tokens of devices that a body has, which replace those of the same kind. Raises ApiError."""
    found = recipients_pb2.DeviceTokens(keeps_other_kinds=True)
    for kind, name in _PUSH_KINDS.items():
        if token := body.text(name, longest=4096):
            found.tokens.add(kind=kind, token=token)
    return found


def _write_fields(body: Fields, made: recipients_pb2.RecipientChange) -> None:
    """Store what has a field of its own."""
    made.new_recipient_id = body.id("external_id")
    for name in ("email", "phone", "locale", "timezone"):
        if name in body or body.is_null(name):
            setattr(made, name, body.text(name, longest=MAX_EMAIL).strip())
    for part, name in (("first", _FIRST), ("last", _LAST)):
        if name in body or body.is_null(name):
            setattr(made.name_parts, part, body.text(name).strip())
    if (tags := body.texts("tags", "tag")) is not None:
        made.tags.SetInParent()
        made.tags.tags.extend(tags)


def _data(body: Fields, replaced: recipients_pb2.StoredRecipient | None) -> dict[str, Any]:
    """Return the fields of the data that change; None deletes one."""
    found: dict[str, Any] = {}
    if "custom_fields" in body:
        raw = body.object("custom_fields")
        given = msgspec.json.decode(raw) if raw else {}
        if taken := _OURS & given.keys():
            raise bad_request(f"custom_fields.{min(taken)} is a name that contacts have already")
        if replaced is not None:
            found = dict.fromkeys(data_of(replaced).keys() - _OURS)
        found |= given
    if "metadata" in body:
        raw = body.object("metadata")
        found[_METADATA] = msgspec.json.decode(raw) if raw else {}
    return found


def _write_wanted(body: Fields, made: recipients_pb2.RecipientChange) -> None:
    """Store preferences, and whether the contact is active."""
    active = body.flag("is_active")
    if active is not None:
        made.inactive = not active
    if "preferences" in body:
        given = body.fields("preferences")
        changes = [
            (channel, category, bool(given.fields(channel).flag(category)))
            for channel in given.names()
            for category in given.fields(channel).names()
        ]
        preferences.write(changes, made)


def _text(value: object) -> str:
    """Return a text that an event or a file may have stored as something else."""
    return value if isinstance(value, str) else ""


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
