"""Whatever arrives as a trigger: an event that every later stage can hold, or a refusal that names the fault."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.orqestra import bodies
from gateway.dialects.orqestra.errors import MalformedBodyError
from runtime.errors import ClarionError, Code

# Lone surrogates, NUL, separators and all.
_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["", "\0", "\ud800", "a@example.com", "EMAIL", "\u2028"]
)
_NUMBER = st.integers() | st.floats() | st.sampled_from([10**30, -(10**400), 2**64, 1e308])
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBER | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)
_PAYLOAD = st.fixed_dictionaries(
    {}, optional={"userId": _TEXT | _JSON, "recipientEmail": _TEXT | _JSON, "recipientPhone": _TEXT | _JSON, "x": _JSON}
)
_CHANNELS = st.lists(st.sampled_from(["EMAIL", "SMS", "PUSH", "FAX", None]), max_size=4)
_EVENT = st.fixed_dictionaries(
    {},
    optional={
        "eventType": st.just("order.confirmed") | _TEXT | _JSON,
        "eventId": _TEXT | _JSON,
        "channels": _CHANNELS | _JSON,
        "payload": _PAYLOAD | _JSON,
        "variables": st.dictionaries(_TEXT, _JSON, max_size=4) | _JSON,
        "other": _JSON,
    },
)


def parsed(raw: bytes) -> ingest_pb2.NewEvent | None:
    """Return the event; None where it was refused as it should be."""
    try:
        return bodies.parse_trigger(raw)
    except MalformedBodyError as error:
        refusal: MalformedBodyError | ClarionError = error
    except ClarionError as error:
        refusal = error
    if isinstance(refusal, ClarionError):
        assert refusal.code is Code.INVALID
        assert refusal.fields
    else:
        assert "JSON" in str(refusal)
    assert str(refusal).isprintable()
    return None


def assert_whole(event: ingest_pb2.NewEvent) -> None:
    """It can be sent, read again, and holds what the database can hold."""
    assert ingest_pb2.NewEvent.FromString(event.SerializeToString()) == event
    recipient = event.recipient
    for text in (event.event_type, event.caller_event_id, recipient.user_id, recipient.email, recipient.phone):
        assert "\0" not in text
    assert event.event_type
    assert recipient.user_id
    for part in (event.variables, event.payload_extra):
        assert isinstance(msgspec.json.decode(part or b"{}"), dict)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_EVENT | _JSON, st.booleans())
def test_any_json(value: Any, escaped: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """As Python writes it: with NaN, lone surrogates escaped or raw, numbers of any length."""
    raw = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    event = parsed(raw)
    if event is not None:
        assert_whole(event)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_EVENT, st.data())
def test_any_bytes(value: dict[str, Any], data: st.DataObject) -> None:
    """A good body with a piece cut out, doubled or replaced."""
    raw = json.dumps(value).encode()
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, len(raw)))
    event = parsed(raw[:start] + data.draw(st.binary(max_size=8)) + raw[end:])
    if event is not None:
        assert_whole(event)
