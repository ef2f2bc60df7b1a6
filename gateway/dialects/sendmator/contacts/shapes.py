"""Contacts in this API's form, and changes of stored recipients: pure.

Custom fields are the recipient's data, so that templates, segments and rules of workflows find them by their names.
What this API has besides them lies there too: first and last name, and under names with "_" what only it knows.
"""

from collections.abc import Mapping
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
# Of a contact who is not active: the channels that were muted before.
_INACTIVE = "_inactive"
_OURS = frozenset({_FIRST, _LAST, _METADATA, _INACTIVE})
_PUSH_KINDS = {"fcm": "fcm_token", "apns": "apns_token"}


def shown(person: recipients_pb2.StoredRecipient) -> dict[str, Any]:
    """Return a contact."""
    data = data_of(person)
    first, _, last = person.name.strip().partition(" ")
    wanted = preferences.of(person)
    is_active = is_active_of(data)
    tokens = {_PUSH_KINDS[one.kind]: one.token for one in person.device_tokens if one.kind in _PUSH_KINDS}
    return {
        "id": person.id,
        "external_id": person.recipient_id,
        "email": person.email or None,
        "first_name": data.get(_FIRST) or first or None,
        "last_name": data.get(_LAST) or last.strip() or None,
        "phone": person.phone or None,
        "tags": list(person.tags),
        "is_active": is_active,
        "is_unsubscribed": is_active and not any(any(categories.values()) for categories in wanted.values()),
        "custom_fields": {name: value for name, value in data.items() if name not in _OURS},
        "metadata": data.get(_METADATA) or {},
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


def is_active_of(data: Mapping[str, Any]) -> bool:
    """Return whether a contact is active. data: as data_of() returns it."""
    return _INACTIVE not in data


def new(body: Fields) -> recipients_pb2.RecipientChange:
    """Return the change that stores a contact whom a body describes. Raises ApiError."""
    if not body.text("email", longest=MAX_EMAIL).strip():
        raise bad_request("email is required")
    return change(body, None)


def change(
    body: Fields, person: recipients_pb2.StoredRecipient | None, *, replaces: bool = False
) -> recipients_pb2.RecipientChange:
    """Return the change that a body makes. Absent fields stay as they are. Raises ApiError.

    person: as they are stored; None: they are new. replaces: custom fields that the body leaves out are deleted.
    """
    made = recipients_pb2.RecipientChange()
    _write_fields(body, person, made)
    data = _data(body, person, replaces=replaces)
    _write_name(body, person, made, data)
    _write_wanted(body, person, made, data)
    if data:
        made.data = msgspec.json.encode(data)
        made.merges_data = person is not None
    for kind, name in _PUSH_KINDS.items():
        if token := body.text(name, longest=4096):
            made.device_tokens.tokens.add(kind=kind, token=token)
    return made


def _write_fields(
    body: Fields, person: recipients_pb2.StoredRecipient | None, made: recipients_pb2.RecipientChange
) -> None:
    """Store what has a field of its own."""
    external_id = body.id("external_id")
    if person is None:
        made.recipient_id = external_id
    elif external_id and external_id != person.recipient_id:
        made.new_recipient_id = external_id
    for name in ("email", "phone", "locale", "timezone"):
        if name in body or body.is_null(name):
            setattr(made, name, body.text(name, longest=MAX_EMAIL).strip())
    if (tags := body.texts("tags", "tag")) is not None:
        made.tags.SetInParent()
        made.tags.tags.extend(tags)


def _data(body: Fields, person: recipients_pb2.StoredRecipient | None, *, replaces: bool) -> dict[str, Any]:
    """Return the fields of the data that change; None deletes one."""
    found: dict[str, Any] = {}
    if "custom_fields" in body:
        raw = body.object("custom_fields")
        given = msgspec.json.decode(raw) if raw else {}
        if taken := _OURS & given.keys():
            raise bad_request(f"custom_fields.{min(taken)} is a name that contacts have already")
        if replaces and person is not None:
            found = dict.fromkeys(data_of(person).keys() - _OURS)
        found |= given
    if "metadata" in body:
        raw = body.object("metadata")
        found[_METADATA] = msgspec.json.decode(raw) if raw else {}
    return found


def _write_name(
    body: Fields,
    person: recipients_pb2.StoredRecipient | None,
    made: recipients_pb2.RecipientChange,
    data: dict[str, Any],
) -> None:
    """Store first and last name, and both as the name."""
    if _FIRST not in body and _LAST not in body and not body.is_null(_FIRST) and not body.is_null(_LAST):
        return
    known = shown(person) if person is not None else {}
    names = {
        name: body.text(name) if name in body or body.is_null(name) else known.get(name) or ""
        for name in (_FIRST, _LAST)
    }
    data |= {name: value or None for name, value in names.items() if value or person is not None}
    made.name = " ".join(value for value in names.values() if value)[:255]


def _write_wanted(
    body: Fields,
    person: recipients_pb2.StoredRecipient | None,
    made: recipients_pb2.RecipientChange,
    data: dict[str, Any],
) -> None:
    """Store preferences, and whether the contact is active: one who is not has all channels muted."""
    before = person if person is not None else recipients_pb2.StoredRecipient()
    was_active = is_active_of(data_of(before))
    active = body.flag("is_active")
    if "preferences" in body:
        given = body.fields("preferences")
        changes = [
            (channel, category, bool(given.fields(channel).flag(category)))
            for channel in given.names()
            for category in given.fields(channel).names()
        ]
        preferences.write(changes, made, is_active=was_active if active is None else active)
    if active is False and was_active:
        data[_INACTIVE] = list(before.muted_channels)
        made.muted_channels.channels.extend(preferences.CHANNELS.values())
    elif active is True and not was_active:
        muted_before = data_of(before)[_INACTIVE]
        data[_INACTIVE] = None
        made.muted_channels.SetInParent()
        made.muted_channels.channels.extend(muted_before)
        if not made.HasField("preference_changes"):
            # A channel of which they refused everything meanwhile stays muted.
            preferences.write((), made)
