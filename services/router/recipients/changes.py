"""Changes of recipients as they are sent: their check, and what they make of who is stored. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from clarion.router.v1 import recipients_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid, new_id
from services.domain import addresses
from services.router.recipients import check, devices, name_parts, preferences
from services.router.recipients.check import CheckedRecipient, Device, Fault, invalid, text
from services.router.recipients.decisions import Decision, Known, Names, becomes_unique
from services.router.recipients.name_parts import NameParts
from services.router.recipients.row import RecipientRow

CREATE = recipients_pb2.SAVE_MODE_CREATE
UPDATE = recipients_pb2.SAVE_MODE_UPDATE
UPSERT = recipients_pb2.SAVE_MODE_UPSERT

_EMPTY = b"{}"
# Of whom nothing is known.
NOBODY = CheckedRecipient(
    recipient_id="", email="", phone="", name="", locale="", timezone="", data=_EMPTY, tags=(), muted_channels=()
)

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Change:
    """A checked change, which decides as services.router.recipients.decisions.Wanted does.

    fields: what is given of CheckedRecipient, in the form that is stored, but for device_tokens, which may be as they
    are shown (services.router.recipients.devices); data only if it replaces all. merged: fields of data that are
    replaced; None: none. added_tags: beside those that are stored. tokens: of devices, in place of those of the same
    kinds. parts, wishes: other names, and changes of what they want; None: none.
    """

    names: Names
    mode: recipients_pb2.SaveMode.ValueType
    unique_email: bool
    fields: Mapping[str, Any]
    merged: Mapping[str, msgspec.Raw] | None = None
    added_tags: Sequence[str] = ()
    tokens: Sequence[Device] = ()
    parts: NameParts | None = None
    wishes: preferences.Wishes | None = None

    def decide(self, known: Known) -> Decision:
        """Return what is to be done. known: who has names."""
        current = self._meant(known)
        if error := self._refusal(known, current):
            return Decision(current, error=error)
        faults: list[Fault] = []
        after = self._made_to(NOBODY if current is None else current.recipient, faults)
        if self.names.new_recipient_id:
            after = replace(after, recipient_id=self.names.new_recipient_id)
        elif current is None:
            after = replace(after, recipient_id=self.names.recipient_id or new_id())
        if faults:
            return Decision(current, error=invalid(faults))
        is_unique = self._is_unique(after, known, current)
        if current is not None and (after, is_unique) == (current.recipient, current.is_unique):
            return Decision(current)
        return Decision(current, after, is_unique)

    def _made_to(self, before: CheckedRecipient, faults: list[Fault]) -> CheckedRecipient:
        """Return somebody with the change, but for their id; appends to faults what is wrong then."""
        after = replace(before, **self.fields)
        if self.merged is not None:
            after = replace(after, data=check.merged(after.data, self.merged, faults))
        if self.parts is not None:
            after = name_parts.changed(after, self.parts, faults)
        if self.added_tags:
            after = replace(after, tags=tuple(dict.fromkeys([*after.tags, *self.added_tags])))
            faults += check.wrong_tags(after.tags)
        if "device_tokens" in self.fields:
            after = replace(after, device_tokens=devices.in_full(after.device_tokens, before.device_tokens, faults))
        if self.tokens:
            after = replace(after, device_tokens=devices.with_kinds(self.tokens, before.device_tokens, faults))
        if self.wishes is not None:
            after = preferences.changed(after, self.wishes, faults)
        return after

    def _meant(self, known: Known) -> RecipientRow | None:
        if self.names.recipient_id:
            return known.recipient_id
        if self.names.id:
            return known.id
        return known.email if self.unique_email else None

    def _refusal(self, known: Known, current: RecipientRow | None) -> ClarionError | None:
        names = self.names
        if current is None and (self.mode == UPDATE or names.id):
            return ClarionError(Code.NOT_FOUND, "No recipient with this id is stored.")
        if current is not None and self.mode == CREATE:
            return _taken("recipient_id" if names.recipient_id else "email")
        owner = known.new_recipient_id
        if owner is not None and (current is None or owner.id != current.id):
            return _taken("new_recipient_id")
        owner = known.email if self.unique_email else None
        if owner is not None and (current is None or owner.id != current.id):
            # Who has the address already keeps it, though it is another one's too.
            is_kept = current is not None and current.recipient.email.lower() == names.email.lower()
            return None if is_kept else _taken("email")
        return None

    def _is_unique(self, after: CheckedRecipient, known: Known, current: RecipientRow | None) -> bool:
        if self.unique_email and self.names.email:
            return becomes_unique(after, known, current)
        return current is not None and current.is_unique and after.email.lower() == current.recipient.email.lower()


def checked(
    change: recipients_pb2.RecipientChange, mode: recipients_pb2.SaveMode.ValueType, *, unique_email: bool
) -> Change:
    """Return a change in the form that is stored. Raises INVALID naming each wrong field."""
    faults: list[Fault] = [
        *text("recipient_id", change.recipient_id),
        *text("new_recipient_id", change.new_recipient_id),
    ]
    if change.id and not is_uuid(change.id):
        faults.append(("id", "must be a UUID in lower case"))
    fields = _texts(change, faults) | _lists(change, faults)
    replaced = None
    if change.HasField("data"):
        data = check.json_object(change.data, faults)
        if change.merges_data:
            replaced = _decode_fields(data)
        else:
            fields["data"] = data
    parts = name_parts.checked(change.name_parts, faults) if change.HasField("name_parts") else None
    tokens: Sequence[Device] = fields.pop("device_tokens", ()) if change.device_tokens.keeps_other_kinds else ()
    wishes = None
    if change.HasField("preference_changes"):
        wishes = preferences.wishes(change.preference_changes, faults)
    email = fields.get("email", "")
    names = Names(change.recipient_id, change.id, email, fields.get("phone", ""), change.new_recipient_id)
    if mode == UPDATE and not (names.recipient_id or names.id or (unique_email and email)):
        faults.append(("recipient_id", "is required"))
    if faults:
        raise invalid(faults)
    return Change(names, mode, unique_email, fields, replaced, tokens=tokens, parts=parts, wishes=wishes)


def _texts(change: recipients_pb2.RecipientChange, faults: list[Fault]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if change.HasField("email"):
        fields["email"] = check.address("email", change.email, addresses.parse_email, faults)
    if change.HasField("phone"):
        fields["phone"] = check.address("phone", change.phone, addresses.parse_phone, faults)
    if change.HasField("name"):
        fields["name"] = change.name
        faults += text("name", change.name)
    if change.HasField("inactive"):
        fields["inactive"] = change.inactive
    if change.HasField("locale"):
        fields["locale"] = check.language(change.locale, faults)
    if change.HasField("timezone"):
        fields["timezone"] = change.timezone
        faults += check.wrong_time_zone(change.timezone)
    return fields


def _lists(change: recipients_pb2.RecipientChange, faults: list[Fault]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if change.HasField("tags"):
        fields["tags"] = tuple(dict.fromkeys(change.tags.tags))
        faults += check.wrong_tags(change.tags.tags)
    if change.HasField("muted_channels"):
        fields["muted_channels"] = tuple(sorted(set(change.muted_channels.channels)))
        faults += check.wrong_channels(change.muted_channels.channels)
    if change.HasField("category_preferences"):
        given = change.category_preferences.preferences
        fields["category_preferences"] = preferences.checked("category_preferences", given, faults)
    if change.HasField("device_tokens"):
        fields["device_tokens"] = devices.checked(change.device_tokens.tokens, faults)
    return fields


def _taken(field: str) -> ClarionError:
    words = {"email": "e-mail address", "recipient_id": "id", "new_recipient_id": "id"}[field]
    return ClarionError(Code.CONFLICT, f"Another recipient has this {words}.", fields=[(field, "is taken")])
