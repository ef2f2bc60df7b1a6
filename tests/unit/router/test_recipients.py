"""Recipients and changes of groups as they are sent: what is stored of them, and what is refused."""

from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2
from runtime.errors import ClarionError, Code
from services.router.groups.check import MAX_CHANGES, check_group, check_members
from services.router.recipients import devices
from services.router.recipients.check import MAX_DATA_BYTES, CheckedRecipient, Device, Fault, checked

TENANT = "01a1fe7a-0000-7000-8000-000000000001"


def _request(*recipients: dict[str, Any]) -> recipients_pb2.PutRecipientsRequest:
    stored = [recipients_pb2.StoredRecipient(**{"recipient_id": "ada", **one}) for one in recipients]
    return recipients_pb2.PutRecipientsRequest(tenant_id=TENANT, recipients=stored)


def _refused(request: recipients_pb2.PutRecipientsRequest) -> list[str]:
    with pytest.raises(ClarionError) as refused:
        checked(request)
    assert refused.value.code is Code.INVALID
    return [field for field, _ in refused.value.fields]


def test_what_is_sent_is_brought_into_the_form_that_is_stored() -> None:
    """Addresses, language and data in their normal form; tags and channels once each."""
    [found] = checked(
        _request(
            {
                "email": " Ada@bücher.example. ",
                "phone": "+44 (0)7911 123456",
                "name": "Ada Lovelace",
                "locale": "pt_br",
                "timezone": "Africa/Nairobi",
                "data": b' { "z" : 1.0, "a" : [ "\\\\u0000" ] } ',
                "tags": ["vip", "beta", "vip"],
                "muted_channels": [event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS],
            }
        )
    )
    assert found == CheckedRecipient(
        recipient_id="ada",
        email="Ada@xn--bcher-kva.example",
        phone="+447911123456",
        name="Ada Lovelace",
        locale="pt-BR",
        timezone="Africa/Nairobi",
        data=b'{"z":1.0,"a":["\\\\u0000"]}',
        tags=("vip", "beta"),
        muted_channels=(event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS),
    )


def test_only_the_id_is_required() -> None:
    """All else is unknown then."""
    [found] = checked(_request({}))
    assert found == CheckedRecipient("ada", "", "", "", "", "", b"{}", (), ())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"recipient_id": ""}, "recipient_id"),
        ({"recipient_id": "a" * 256}, "recipient_id"),
        ({"recipient_id": "a\0"}, "recipient_id"),
        ({"email": "ada"}, "email"),
        ({"email": "a@b.example, c@d.example"}, "email"),
        ({"phone": "0712345678"}, "phone"),
        ({"name": "a" * 256}, "name"),
        ({"locale": "english, please"}, "locale"),
        ({"timezone": "Nairobi"}, "timezone"),
        ({"timezone": "../Africa/Nairobi"}, "timezone"),
        ({"timezone": "africa/nairobi"}, "timezone"),
        ({"data": b"[]"}, "data"),
        ({"data": b"{"}, "data"),
        ({"data": b'{"a": 1e400}'}, "data"),
        ({"data": b'{"a": "\\u0000"}'}, "data"),
        ({"data": b'{"a": "\\\\\\u0000"}'}, "data"),
        ({"data": b'{"a": "\xff"}'}, "data"),
        ({"data": b'{"a":' + b"[" * 64 + b"]" * 64 + b"}"}, "data"),
        ({"data": b'{"a":"' + b"x" * MAX_DATA_BYTES + b'"}'}, "data"),
        ({"tags": ["a"] * 51}, "tags"),
        ({"tags": ["a", ""]}, "tags[1]"),
        ({"tags": ["a" * 65]}, "tags[0]"),
        ({"muted_channels": [0]}, "muted_channels"),
        ({"muted_channels": [99]}, "muted_channels"),
    ],
)
def test_a_wrong_field_is_named(wrong: dict[str, Any], field: str) -> None:
    """With its place among the recipients."""
    assert _refused(_request({"recipient_id": "bob"}, wrong)) == [f"recipients[1].{field}"]


def test_data_may_be_as_large_as_it_says() -> None:
    """16 KiB as it is stored, blanks not counted."""
    raw = b'{  "a":"' + b"x" * (MAX_DATA_BYTES - 8) + b'"}'
    assert len(checked(_request({"data": raw}))[0].data) == MAX_DATA_BYTES


def test_all_wrong_fields_are_named_at_once() -> None:
    """Of all recipients, and an id that is there twice."""
    request = _request({"email": "x", "phone": "y"}, {"timezone": "z"}, {"recipient_id": "bob", "locale": "!"})
    request.tenant_id = TENANT.upper()
    assert _refused(request) == [
        "tenant_id",
        "recipients[0].email",
        "recipients[0].phone",
        "recipients[1].recipient_id",
        "recipients[1].timezone",
        "recipients[2].locale",
    ]


def test_a_call_has_1_to_100_recipients() -> None:
    """Neither none nor more."""
    assert _refused(_request()) == ["recipients"]
    many = [{"recipient_id": str(number)} for number in range(101)]
    assert _refused(_request(*many)) == ["recipients"]
    assert len(checked(_request(*many[:100]))) == 100


@pytest.mark.parametrize(
    ("add", "remove", "fields"),
    [
        ([], [], ["add"]),
        (["a"] * 300, ["b"] * (MAX_CHANGES - 299), ["add"]),
        (["a", "b"], ["c", "a"], ["remove[1]"]),
        (["a", ""], ["x" * 256, "b\0"], ["add[1]", "remove[0]", "remove[1]"]),
    ],
)
def test_a_wrong_change_of_members_is_refused(add: list[str], remove: list[str], fields: list[str]) -> None:
    """None, too many, one both ways, and what cannot be an id."""
    request = recipients_pb2.ChangeMembersRequest(tenant_id=TENANT, key="g", add=add, remove=remove)
    with pytest.raises(ClarionError) as refused:
        check_members(request)
    assert [field for field, _ in refused.value.fields] == fields


def test_a_wrong_group_is_refused() -> None:
    """Each wrong field is named; a name is not required."""
    check_group(recipients_pb2.PutGroupRequest(tenant_id=TENANT, key="g"))
    with pytest.raises(ClarionError) as refused:
        check_group(recipients_pb2.PutGroupRequest(tenant_id="x", key="", name="n" * 256))
    assert [field for field, _ in refused.value.fields] == ["tenant_id", "key", "name"]


_LONG = Device("fcm", "abcdef-one-secret-one-wxyz")
_ALIKE = Device("fcm", "abcdef-two-secret-two-wxyz")
_SHOWN = Device("fcm", "abcdef…wxyz")
_SHORT = Device("expo", "short")


@pytest.mark.parametrize(
    ("sent", "stored", "kept", "wrong"),
    [
        ([_SHOWN, _SHORT], [_LONG], (_LONG, _SHORT), []),
        ([_SHOWN, _LONG], [_LONG], (_LONG,), []),
        ([Device("expo", "…")], [_LONG, _SHORT], (_SHORT,), []),
        ([_SHOWN, _SHOWN], [_LONG, _ALIKE], (_LONG, _ALIKE), []),
        ([_SHOWN], [_LONG, _ALIKE], (), [0]),
        ([_SHORT, _SHOWN, _SHOWN], [_LONG], (_SHORT,), [1, 2]),
        ([Device("apns", _SHOWN.token)], [_LONG], (), [0]),
        ([_SHOWN], [], (), [0]),
    ],
)
def test_a_token_as_it_is_shown_is_the_stored_one(
    sent: list[Device], stored: list[Device], kept: tuple[Device, ...], wrong: list[int]
) -> None:
    """Of its kind; one that is shown like no stored one, or like several of which not all are sent, is refused."""
    faults: list[Fault] = []
    assert devices.in_full(sent, stored, faults) == kept
    assert [field for field, _ in faults] == [f"device_tokens[{position}].token" for position in wrong]
    assert {one.token for one in stored}.isdisjoint(devices.shown(one.token) for one in stored)
