"""Which events are valid, and which are duplicates."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError, Code
from services.ingest.validate import caller_key, check, content_key, normalise, seed_key


def _event(**fields: object) -> ingest_pb2.NewEvent:
    defaults: dict[str, object] = {"event_type": "a.b", "recipient": event_pb2.Recipient(user_id="u")}
    return ingest_pb2.NewEvent(**{**defaults, **fields})  # type: ignore[arg-type]


def test_the_least_event() -> None:
    """A type and a user are enough."""
    check(_event())


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (_event(event_type=""), "event_type"),
        (_event(event_type="x" * 256), "event_type"),
        (_event(recipient=event_pb2.Recipient()), "recipient.user_id"),
        (_event(recipient=event_pb2.Recipient(user_id="a\x00b")), "recipient.user_id"),
        (_event(caller_event_id="x" * 256), "caller_event_id"),
        (_event(idempotency_key="x" * 256), "idempotency_key"),
        (_event(recipient=event_pb2.Recipient(user_id="u", email="x" * 1025)), "recipient.email"),
        (_event(recipient=event_pb2.Recipient(user_id="u", phone="\x00")), "recipient.phone"),
        (_event(trace_id="x" * 256), "trace_id"),
        (_event(channels=[0]), "channels"),
        (_event(variables=b"x" * 1_100_000), "event"),
    ],
)
def test_faults_name_their_field(event: ingest_pb2.NewEvent, field: str) -> None:
    """Each error is INVALID and names the message's field."""
    with pytest.raises(ClarionError) as refused:
        check(event)
    assert refused.value.code is Code.INVALID
    assert [name for name, _ in refused.value.fields] == [field]
    message: Any = ingest_pb2.NewEvent.DESCRIPTOR
    for part in field.split(".") if field != "event" else ():
        message = message.fields_by_name[part].message_type or message


@pytest.mark.parametrize("text", [b"[1]", b"{", b"nonsense", b"1", b"\xff\xfe", b'{"a":"\xff"}', b"[" * 100_000])
def test_variables_are_an_object(text: bytes) -> None:
    """Anything else from an untrusted caller is INVALID."""
    with pytest.raises(ClarionError) as refused:
        normalise(_event(variables=text))
    assert refused.value.code is Code.INVALID


def test_what_may_be_sent_may_be_stored() -> None:
    """256 KiB of numbers that grow when they are rewritten, with the longest key, trace id and addresses."""
    numbers = ",".join(["1e15"] * ((256 * 1024 - 6_000) // 5))
    event = _event(
        variables=f'{{"a":[{numbers}]}}'.encode(),
        recipient=event_pb2.Recipient(user_id="u" * 255, email="€" * 1024, phone="1" * 1024),
        idempotency_key="k" * 255,
        trace_id="t" * 128,
    )
    normalise(event)
    assert len(event.variables) > 900_000
    check(event)


def test_more_than_256_kib_may_not_be_sent() -> None:
    """The same bound over gRPC as over HTTP, where the gateway counts the body's bytes."""
    with pytest.raises(ClarionError, match="256 KiB") as refused:
        normalise(_event(variables=b'{"a":"' + b"x" * (256 * 1024) + b'"}'))
    assert [name for name, _ in refused.value.fields] == ["event"]


def _nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_variables_are_not_too_deep() -> None:
    """64 levels, as in the gateway; brackets in texts do not count."""
    for kept in (_nested(64), b'{"a":"' + b"[{" * 100 + b'"}'):
        event = _event(variables=kept)
        normalise(event)
        assert event.variables == kept
    for field, event in (
        ("variables", _event(variables=_nested(65))),
        ("payload_extra", _event(payload_extra=_nested(300))),
    ):
        with pytest.raises(ClarionError, match="64 levels") as refused:
            normalise(event)
        assert refused.value.code is Code.INVALID
        assert [name for name, _ in refused.value.fields] == [field]


def test_the_order_of_keys_is_kept() -> None:
    """Templates loop over objects, so only white space is removed."""
    event = _event(variables=b'{ "b": {"d": 3, "c": 2}, "a": 1 }', payload_extra=b'{"z": 1, "y": 2}')
    normalise(event)
    assert (event.variables, event.payload_extra) == (b'{"b":{"d":3,"c":2},"a":1}', b'{"z":1,"y":2}')


def test_the_order_of_keys_makes_no_other_event() -> None:
    """The same content with keys in another order is a repeat, also inside a list."""
    one, other = _event(variables=b'{"a":1,"b":[{"c":2,"d":3}]}'), _event(variables=b'{ "b":[{"d":3,"c":2}], "a":1 }')
    normalise(one)
    normalise(other)
    assert content_key("t", one) == content_key("t", other)
    assert seed_key("t", one) == seed_key("t", other)
    one, other = _event(payload_extra=b'{"a":1,"b":2}'), _event(payload_extra=b'{"b":2,"a":1}')
    assert content_key("t", one) == content_key("t", other)
    assert seed_key("t", one) == seed_key("t", other)


_BY_PAYLOAD = [
    _event(),
    _event(event_type="a.c"),
    _event(recipient=event_pb2.Recipient(user_id="u", email="e")),
    _event(recipient=event_pb2.Recipient(user_id="u", phone="e")),
    _event(payload_extra=b'{"a":1}'),
]
_BY_THE_REST = [
    _event(caller_event_id="1"),
    _event(variables=b'{"a":1}'),
    _event(channels=[event_pb2.CHANNEL_EMAIL]),
]


def test_what_makes_events_differ() -> None:
    """Tenant, type, ids, addresses, data and channels all count; with content_key seed only type and payload."""
    events = [*_BY_PAYLOAD, *_BY_THE_REST]
    assert len({content_key(tenant, event) for event in events for tenant in ("t", "s")}) == 2 * len(events)
    assert len({seed_key(tenant, event) for event in events for tenant in ("t", "s")}) == 2 * len(_BY_PAYLOAD)
    assert {seed_key("t", event) for event in _BY_THE_REST} == {seed_key("t", _event())}


def test_kinds_of_keys_never_collide() -> None:
    """Caller keys and content hashes cannot collide, nor can the two kinds of content hashes."""
    events = [*_BY_PAYLOAD, *_BY_THE_REST]
    contents = {content_key("t", event) for event in events} | {seed_key("t", event) for event in events}
    assert len(contents) == len(events) + len(_BY_PAYLOAD)
    spelled = ["k", "content", "seed", "content\0t\0a.b", *(key.hex() for key in contents)]
    callers = {caller_key(tenant, text) for text in spelled for tenant in ("t", "s")}
    assert len(callers) == 2 * len(spelled)
    assert not callers & contents


@given(st.text(), st.text(), st.text(), st.text())
def test_neighbouring_fields_do_not_run_together(a: str, b: str, c: str, d: str) -> None:
    """Moving a character from one field to the next gives another key."""
    one = _event(event_type=a, caller_event_id=b)
    other = _event(event_type=c, caller_event_id=d)
    assert (content_key("t", one) == content_key("t", other)) is ((a, b) == (c, d))
