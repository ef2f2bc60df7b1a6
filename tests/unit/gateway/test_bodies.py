"""Orqestra's bodies: what is taken, and how each fault is named."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.common.v1 import event_pb2
from gateway.dialects.orqestra import bodies
from gateway.dialects.orqestra.errors import MalformedBodyError
from runtime.errors import ClarionError, Code

FULL = {
    "eventType": "order.confirmed",
    "eventId": "evt-1",
    "channels": ["PUSH", "EMAIL", "PUSH"],
    "payload": {
        "userId": "user-1",
        "recipientEmail": "ada@example.com",
        "recipientPhone": "+254712345678",
        "legacy": {"b": 1, "a": [2, {"d": 3, "c": 4}]},
    },
    "variables": {"z": 1, "amount": "$49.99", "big": 123456789012345678901234567890},
    "unknown": "ignored",
}
MINIMAL = {"eventType": "x", "payload": {"userId": "u"}}


def encoded(**changes: Any) -> bytes:
    """Return the minimal body with changes; a change to ... takes the field away."""
    body = {**MINIMAL, **changes}
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def fields_at_fault(raw: bytes) -> list[str]:
    """Return the fields that parse_trigger names."""
    with pytest.raises(ClarionError) as caught:
        bodies.parse_trigger(raw)
    assert caught.value.code is Code.INVALID
    for field, _ in caught.value.fields:
        assert field in caught.value.detail
    return [field for field, _ in caught.value.fields]


def test_a_full_body_becomes_an_event() -> None:
    """Every field arrives; JSON is compact; the channels are a set."""
    event = bodies.parse_trigger(json.dumps(FULL).encode())
    assert event.event_type == "order.confirmed"
    assert event.caller_event_id == "evt-1"
    assert event.recipient == event_pb2.Recipient(user_id="user-1", email="ada@example.com", phone="+254712345678")
    assert list(event.channels) == [event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_PUSH]
    assert event.variables == b'{"z":1,"amount":"$49.99","big":123456789012345678901234567890}'
    assert event.payload_extra == b'{"legacy":{"b":1,"a":[2,{"d":3,"c":4}]}}'


def test_what_is_not_given_is_empty() -> None:
    """Optional fields may be absent or null."""
    plain = bodies.parse_trigger(encoded())
    nulls = bodies.parse_trigger(
        encoded(
            eventId=None,
            channels=None,
            variables=None,
            payload={"userId": "u", "recipientEmail": None, "recipientPhone": None},
        )
    )
    assert plain == nulls
    assert plain.variables == b""
    assert plain.payload_extra == b""
    assert not plain.channels


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"eventType": ...}, "eventType"),
        ({"eventType": None}, "eventType"),
        ({"eventType": ""}, "eventType"),
        ({"eventType": 7}, "eventType"),
        ({"eventType": "x" * 256}, "eventType"),
        ({"eventType": "a\0b"}, "eventType"),
        ({"eventId": 7}, "eventId"),
        ({"eventId": ""}, "eventId"),
        ({"eventId": "x" * 256}, "eventId"),
        ({"payload": ...}, "payload"),
        ({"payload": []}, "payload"),
        ({"payload": "x"}, "payload"),
        ({"payload": {}}, "payload.userId"),
        ({"payload": {"userId": 7}}, "payload.userId"),
        ({"payload": {"userId": ""}}, "payload.userId"),
        ({"payload": {"userId": "x" * 256}}, "payload.userId"),
        ({"payload": {"userId": "u", "recipientEmail": 7}}, "payload.recipientEmail"),
        ({"payload": {"userId": "u", "recipientEmail": "x" * 1025}}, "payload.recipientEmail"),
        ({"payload": {"userId": "u", "recipientPhone": ["+1"]}}, "payload.recipientPhone"),
        ({"variables": []}, "variables"),
        ({"variables": "x"}, "variables"),
        ({"channels": "EMAIL"}, "channels"),
        ({"channels": ["EMAIL", "FAX"]}, "channels[1]"),
        ({"channels": ["EMAIL", "WEBHOOK"]}, "channels[1]"),
        ({"channels": ["email"]}, "channels[0]"),
        ({"channels": [None]}, "channels[0]"),
        ({"channels": [{}]}, "channels[0]"),
    ],
)
def test_each_fault_names_its_field(changes: dict[str, Any], field: str) -> None:
    """A wrong field is INVALID and named by its path."""
    assert fields_at_fault(encoded(**changes)) == [field]


def test_all_faults_are_told_at_once() -> None:
    """A client need not find its mistakes one by one."""
    assert fields_at_fault(b"{}") == ["eventType", "payload"]
    assert fields_at_fault(b'{"eventType":1,"payload":{},"variables":1}') == [
        "eventType",
        "variables",
        "payload.userId",
    ]


def test_the_longest_ids_are_taken() -> None:
    """255 characters, of any length in bytes."""
    event = bodies.parse_trigger(encoded(eventType="ü" * 255, eventId="e" * 255, payload={"userId": "😀" * 255}))
    assert len(event.recipient.user_id) == 255


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"nonsense", b'{"a":1}x', b"\xff\xfe", b'{"eventType":NaN}', b'{"a":"\\ud800"}', b"[" * 100_000],
)
def test_broken_json_is_malformed(raw: bytes) -> None:
    """What is not JSON is told apart from JSON that is wrong."""
    with pytest.raises(MalformedBodyError):
        bodies.parse_trigger(raw)


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"x"', b"1"])
def test_a_body_is_an_object(raw: bytes) -> None:
    """Other JSON is a validation error."""
    assert fields_at_fault(raw) == ["body"]


def test_deep_json_is_refused() -> None:
    """What would exhaust a parser further on does not get in; flat bodies of any width do."""
    deep: Any = {}
    for _ in range(100):
        deep = {"a": [deep]}
    assert fields_at_fault(encoded(variables=deep)) == ["body"]
    wide = bodies.parse_trigger(encoded(variables={str(n): {} for n in range(1000)}))
    assert len(msgspec.json.decode(wide.variables)) == 1000


@pytest.mark.parametrize(
    ("payload", "variables", "locale"),
    [
        ({}, None, ""),
        ({"locale": "pt_br"}, {"locale": "fr"}, "pt-BR"),
        ({}, {"locale": "de_DE.UTF-8"}, "de-DE"),
        ({"locale": "Deutsch, bitte"}, {"locale": "fr"}, "fr"),
        ({"locale": 7}, {"locale": ["fr"]}, ""),
        ({"locale": None, "a": {"locale": "fr"}}, {"b": {"locale": "fr"}}, ""),
    ],
)
def test_the_recipients_locale(payload: dict[str, Any], variables: dict[str, Any] | None, locale: str) -> None:
    """The payload's, else the variables', if it is one; templates find it where it stood, too."""
    event = bodies.parse_trigger(encoded(payload={"userId": "u", **payload}, variables=variables))
    assert event.recipient.locale == locale
    assert msgspec.json.decode(event.payload_extra or b"{}") == payload
    assert msgspec.json.decode(event.variables or b"{}") == (variables or {})


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)))
def test_variables_arrive_whole_and_in_order(variables: dict[str, Any]) -> None:
    """The same data, with the keys in the order of the request, whatever white space it had."""
    for sent in (variables, dict(reversed(variables.items()))):
        arrived = bodies.parse_trigger(msgspec.json.format(encoded(variables=sent))).variables
        read = msgspec.json.decode(arrived) if arrived else {}
        assert (read, list(read)) == (sent, list(sent))


def test_the_rest_of_the_payload_keeps_its_order() -> None:
    """What templates find beside the recipient, too."""
    payload = {"zip": "0150", "userId": "u", "city": {"z": 1, "a": 2}}
    assert bodies.parse_trigger(encoded(payload=payload)).payload_extra == b'{"zip":"0150","city":{"z":1,"a":2}}'


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_no_bytes_break_the_parser(raw: bytes) -> None:
    """Whatever comes in, it is an event or a documented fault."""
    try:
        bodies.parse_trigger(raw)
    except (ClarionError, MalformedBodyError):
        return


def test_idempotency_keys_are_visible_and_bounded() -> None:
    """1 to 255 visible ASCII characters; absent is empty."""
    assert bodies.parse_idempotency_key({}) == ""
    assert bodies.parse_idempotency_key({"X-Idempotency-Key": "reminder-1"}) == "reminder-1"
    assert bodies.parse_idempotency_key({"X-Idempotency-Key": "k" * 255}) == "k" * 255
    for wrong in ("", "k" * 256, "a b", "ü", "a\x7f"):
        with pytest.raises(ClarionError) as caught:
            bodies.parse_idempotency_key({"X-Idempotency-Key": wrong})
        assert caught.value.fields[0][0] == "X-Idempotency-Key"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it ends too early"),
        (b'{"a":', "it ends too early"),
        (b'{"a" 1}', "the fault is near byte 5"),
        (b"{} x", "the fault is near byte 4"),
        (b'{"a":"\xff"}', "it is not UTF-8"),
        (b"[" * 100_000, "it is nested too deeply"),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_what_is_no_json_says_why_in_plain_words(raw: bytes, why: str) -> None:
    """Nothing of the parser's own text, which names codecs and Python's types."""
    with pytest.raises(MalformedBodyError) as caught:
        bodies.parse_trigger(raw)
    assert str(caught.value) == f"The body is not valid JSON: {why}."


def test_the_user_of_a_token_is_checked_alike() -> None:
    """The rule of payload.userId holds for tokens."""
    assert bodies.parse_user_id(b'{"userId":"x,victim"}') == "x,victim"
    for raw in (b"{}", b'{"userId":7}', b'{"userId":""}', b'{"userId":null}'):
        with pytest.raises(ClarionError):
            bodies.parse_user_id(raw)
