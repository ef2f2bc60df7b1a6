"""The request that sends an accepted event once more: the API that it came by reads the same event from it."""

import json
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from gateway import dialects
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.ingest import events
from gateway.dialects.orqestra.bodies import parse_idempotency_key, parse_trigger
from runtime.ids import new_id

_NUMBERS = b'{"big":12345678901234567890.123456789,"text":"it\'s \\u202e"}'


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"variables": _NUMBERS, "payload_extra": b'{"a":1,"b":{"c":[]}}', "caller_event_id": "7"},
        {"channels": [event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_PUSH], "payload_extra": b"{}"},
        {"recipient": event_pb2.Recipient(user_id="u1", email="a@b.example", phone="+254712345678")},
    ],
)
def test_a_trigger(fields: dict[str, Any]) -> None:
    """With everything that the caller said, and a new key: else it would be a duplicate."""
    event = event_pb2.Event(event_type="order", **{"recipient": event_pb2.Recipient(user_id="u1"), **fields})
    copy = dialects.copy_of(event)
    assert copy is not None
    assert copy.path == "/api/v1/events/trigger"
    read = parse_trigger(copy.body)
    assert (read.event_type, read.caller_event_id) == (event.event_type, event.caller_event_id)
    assert (read.recipient, list(read.channels)) == (event.recipient, list(event.channels))
    assert json.loads(read.payload_extra or b"{}") == json.loads(event.payload_extra or b"{}")
    assert json.loads(read.variables or b"{}") == json.loads(event.variables or b"{}")
    again = dialects.copy_of(event)
    assert again is not None
    keys = [parse_idempotency_key(one.headers) for one in (copy, again)]
    assert len(set(keys)) == 2


def test_numbers_stay_as_they_were_written() -> None:
    """No float could hold them."""
    event = event_pb2.Event(event_type="x", recipient=event_pb2.Recipient(user_id="u"), variables=_NUMBERS)
    copy = dialects.copy_of(event)
    assert copy is not None
    assert _NUMBERS in copy.body


def test_a_send_and_a_trigger_to_endpoints() -> None:
    """The payload is the caller's own bytes."""
    payload, endpoint_id = b'{ "white":  "space" }', new_id()
    named = event_pb2.EndpointSet(endpoint_ids=[endpoint_id], is_named=True)
    copy = dialects.copy_of(event_pb2.Event(event_type="x", variables=payload, endpoints=named))
    assert copy is not None
    assert copy.path == f"/api/ingest/{ids.public(ids.ENDPOINT, endpoint_id)}"
    assert bytes(events.send_body(copy.body).payload) == payload
    subscribers = event_pb2.EndpointSet(endpoint_ids=[endpoint_id])
    event = event_pb2.Event(event_type="a.b", variables=payload, endpoints=subscribers, metadata={"order": "7"})
    copy = dialects.copy_of(event)
    assert copy is not None
    assert copy.path == "/api/ingest/event/a.b"
    read = events.trigger_body(copy.body)
    assert (bytes(read.payload), read.metadata) == (payload, {"order": "7"})


def test_an_event_that_no_api_has() -> None:
    """For groups, or a test of a template: the admin API sends it."""
    for event in (
        event_pb2.Event(event_type="x", audience=[event_pb2.Target(group="g")]),
        event_pb2.Event(event_type="x", recipient=event_pb2.Recipient(email="a@b.example")),
        event_pb2.Event(
            event_type="x",
            recipient=event_pb2.Recipient(user_id="u"),
            pinned=event_pb2.PinnedTemplate(template_version_id=new_id()),
        ),
    ):
        assert dialects.copy_of(event) is None
