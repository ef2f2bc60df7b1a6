"""Contacts and what they want, in this API's form and in that of stored recipients."""

import json
from dataclasses import replace
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2
from gateway.dialects.sendmator import bodies
from gateway.dialects.sendmator.contacts import preferences, shapes
from gateway.dialects.sendmator.errors import ApiError
from services.router.recipients.changes import checked
from services.router.recipients.check import CheckedRecipient, Device, Preference
from services.router.recipients.decisions import Known
from services.router.recipients.row import RecipientRow
from services.router.recipients.servicer import recipient_of

# As the published page on adding contacts has it, but for what is of no use here.
CONTACT = {
    "external_id": "CRM-001",
    "email": "john.doe@example.com",
    "first_name": "John",
    "last_name": "Doe",
    "tags": ["customer", "vip"],
    "is_active": True,
    "custom_fields": {"company": "Acme Corp", "lead_score": 85},
    "metadata": {"source": "website"},
}


def fields(**body: Any) -> bodies.Fields:
    """Return a body."""
    return bodies.parse(json.dumps(body).encode())


def stored(change: recipients_pb2.RecipientChange, before: Any = None) -> recipients_pb2.StoredRecipient:
    """Return a recipient after a change, as the router makes it."""
    person = before or recipients_pb2.StoredRecipient()
    change.recipient_id = person.recipient_id or change.recipient_id or "u"
    row = RecipientRow("", _read(person), is_unique=False, created_at_us=0, updated_at_us=0)
    decision = checked(change, recipients_pb2.SAVE_MODE_UPSERT, unique_email=False).decide(
        Known(recipient_id=row if before else None)
    )
    assert decision.error is None, decision.error
    return recipient_of(replace(row, recipient=decision.wanted or row.recipient))


def _read(person: recipients_pb2.StoredRecipient) -> CheckedRecipient:
    """Return a recipient as the router has them in its hands."""
    return CheckedRecipient(
        person.recipient_id or "u",
        person.email,
        person.phone,
        person.name,
        person.locale,
        person.timezone,
        person.data or b"{}",
        tuple(person.tags),
        tuple(person.muted_channels),
        tuple(Preference(one.channel, one.category, one.wanted) for one in person.category_preferences),
        tuple(Device(one.kind, one.token) for one in person.device_tokens),
        person.inactive,
    )


def test_a_contact_comes_back_as_it_was_written() -> None:
    """Through the stored recipient, whose data are the custom fields."""
    person = stored(shapes.new(fields(**CONTACT)))
    shown = shapes.shown(person)
    assert {name: shown[name] for name in CONTACT} == CONTACT
    assert person.name == "John Doe"
    assert json.loads(person.data)["company"] == "Acme Corp"


def test_a_change_keeps_what_it_does_not_name() -> None:
    """Of custom fields it changes single ones, and null deletes one."""
    person = stored(shapes.new(fields(**CONTACT)))
    body = fields(first_name="Jane", custom_fields={"lead_score": None, "role": "Dev"}, tags=[])
    shown = shapes.shown(stored(shapes.change(body), person))
    assert (shown["first_name"], shown["last_name"], shown["email"]) == ("Jane", "Doe", CONTACT["email"])
    assert shown["custom_fields"] == {"company": "Acme Corp", "role": "Dev"}
    assert (shown["tags"], shown["metadata"]) == ([], {"source": "website"})


def test_a_replacement_deletes_the_custom_fields_that_it_leaves_out() -> None:
    """And nothing else."""
    person = stored(shapes.new(fields(**CONTACT)))
    shown = shapes.shown(stored(shapes.change(fields(custom_fields={"a": 1}), replaced=person), person))
    assert shown["custom_fields"] == {"a": 1}
    assert (shown["first_name"], shown["metadata"]) == ("John", {"source": "website"})


def test_a_contact_who_is_not_active_keeps_what_they_want() -> None:
    """It counts when they are active again, and is changed meanwhile like anybody's."""
    person = stored(
        shapes.new(fields(email="a@example.com", preferences={"sms": dict.fromkeys(preferences.CATEGORIES, False)}))
    )
    gone = stored(shapes.change(fields(is_active=False)), person)
    assert (shapes.shown(gone)["is_active"], shapes.shown(gone)["is_unsubscribed"]) == (False, False)
    meanwhile = wanted(*preferences.everything(value=False, channels=("email",)), person=gone)
    assert not shapes.shown(meanwhile)["is_active"]
    back = stored(shapes.change(fields(is_active=True)), meanwhile)
    assert list(back.muted_channels) == [event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS]
    assert shapes.shown(back)["is_active"]
    assert shapes.shown(back)["custom_fields"] == {}


def test_a_contact_who_is_stored_once_more_keeps_what_the_body_does_not_have() -> None:
    """As a row of a bulk upsert does, which knows nothing of who is stored: nobody becomes active by it."""
    person = stored(shapes.change(fields(is_active=False)), stored(shapes.new(fields(**CONTACT))))
    row = {"external_id": "CRM-001", "email": CONTACT["email"], "last_name": "Roe", "custom_fields": {"role": "Dev"}}
    again = stored(shapes.new(fields(**row)), person)
    shown = shapes.shown(again)
    assert (shown["is_active"], shown["first_name"], shown["last_name"]) == (False, "John", "Roe")
    assert shown["custom_fields"] == {"company": "Acme Corp", "lead_score": 85, "role": "Dev"}
    assert (shown["metadata"], shown["tags"], again.name) == ({"source": "website"}, CONTACT["tags"], "John Roe")


def test_names_that_something_else_stored() -> None:
    """A name as a whole gives first and last name; what is no text is none."""
    person = recipients_pb2.StoredRecipient(recipient_id="u", name="Ada King Lovelace", data=b'{"first_name":5}')
    person.data = b'{"first_name":5,"_metadata":"x"}'
    shown = shapes.shown(person)
    assert (shown["first_name"], shown["last_name"], shown["metadata"]) == ("Ada", "King Lovelace", {})
    changed = stored(shapes.change(fields(last_name="Byron")), person)
    assert (changed.name, shapes.shown(changed)["first_name"]) == ("Ada Byron", "Ada")
    assert stored(shapes.change(fields(last_name=None)), changed).name == "Ada"


def test_a_token_of_another_kind_stays() -> None:
    """One contact may have a telephone of each."""
    person = stored(shapes.change(fields(fcm_token="f" * 30)), recipients_pb2.StoredRecipient(recipient_id="u"))
    both = stored(shapes.change(fields(apns_token="a" * 30)), person)
    assert [one.kind for one in both.device_tokens] == ["fcm", "apns"]
    assert [one.kind for one in stored(shapes.change(fields(fcm_token="g" * 30)), both).device_tokens] == [
        "apns",
        "fcm",
    ]


def test_names_of_our_own_fields_are_refused() -> None:
    """A custom field of that name would be lost."""
    with pytest.raises(ApiError, match=r"custom_fields\.first_name"):
        shapes.new(fields(email="a@example.com", custom_fields={"first_name": "x"}))


def test_an_address_is_required() -> None:
    """Of a new contact."""
    with pytest.raises(ApiError, match="email is required"):
        shapes.new(fields(first_name="John"))


def wanted(*changes: tuple[str, str, bool], person: Any = None) -> recipients_pb2.StoredRecipient:
    """Return a recipient after changes of what they want."""
    change = recipients_pb2.RecipientChange()
    preferences.write(changes, change)
    return stored(change, person)


def test_everything_is_wanted_of_somebody_new() -> None:
    """All channels with all categories."""
    summary = preferences.summary(preferences.of(recipients_pb2.StoredRecipient()))
    assert (summary["subscribedCount"], summary["totalPreferences"], summary["subscriptionRate"]) == (21, 21, 100.0)


def test_one_category_is_refused_and_wanted_again() -> None:
    """The others stay."""
    person = wanted(("email", "promotional", False))
    found = preferences.of(person)
    assert not found["email"]["promotional"]
    assert sum(found["email"].values()) == 6
    assert not person.muted_channels
    assert not wanted(("email", "promotional", True), person=person).category_preferences


def test_a_channel_of_which_nothing_is_wanted_is_muted() -> None:
    """And one category of it that is wanted again is the only one."""
    person = wanted(*preferences.everything(value=False, channels=("email",)))
    assert list(person.muted_channels) == [event_pb2.CHANNEL_EMAIL]
    again = wanted(("email", "transactional", True), person=person)
    assert not again.muted_channels
    assert [name for name, value in preferences.of(again)["email"].items() if value] == ["transactional"]


@pytest.mark.parametrize("number", [1, 7])
def test_one_category_of_a_channel_that_was_muted_elsewhere(number: int) -> None:
    """Those that are wanted now are the only ones, until all are."""
    muted = recipients_pb2.StoredRecipient(recipient_id="u", muted_channels=[event_pb2.CHANNEL_SMS])
    some = preferences.CATEGORIES[:number]
    person = wanted(*[("sms", category, True) for category in some], person=muted)
    assert not person.muted_channels
    assert [name for name, value in preferences.of(person)["sms"].items() if value] == list(some)


def test_categories_that_only_workflows_know_stay() -> None:
    """This API does not show them."""
    other = recipients_pb2.CategoryPreference(channel=event_pb2.CHANNEL_SMS, category="news", wanted=False)
    person = recipients_pb2.StoredRecipient(category_preferences=[other])
    assert other in wanted(("email", "system", False), person=person).category_preferences


@pytest.mark.parametrize(("channel", "category"), [("whatsapp", "system"), ("email", "news"), ("", "system")])
def test_what_does_not_exist_cannot_be_changed(channel: str, category: str) -> None:
    """Neither a channel nor a category."""
    with pytest.raises(ApiError):
        preferences.write([(channel, category, True)], recipients_pb2.RecipientChange())
