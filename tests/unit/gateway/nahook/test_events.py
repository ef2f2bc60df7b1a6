"""Bodies of the ingest API as events."""

import uuid

import pytest

from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.nahook.errors import ApiError
from gateway.dialects.nahook.ingest import events

ENDPOINT_ID = "01a1fe7a-0000-7000-8000-000000000000"
PAYLOAD = b'{ "b": 1.50,\n "a": [] }'


def test_a_payload_stays_as_it_is_written() -> None:
    """Byte for byte."""
    raw = b'{"metadata": {"a": ""}, "payload": ' + PAYLOAD + b"}"
    event = events.to_subscribers("order.paid", events.trigger_body(raw))
    assert event.variables == PAYLOAD
    assert dict(event.metadata) == {"a": ""}


def test_a_trigger_is_for_subscribers_and_never_a_duplicate() -> None:
    """Whatever else its body has."""
    event = events.to_subscribers("order.paid", events.trigger_body(b'{"payload": {}, "idempotencyKey": "k"}'))
    assert event.event_type == "order.paid"
    assert event.to_endpoints.HasField("subscribers")
    assert event.dedupe == ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE)
    assert not event.idempotency_key


def test_a_send_is_for_its_endpoint_and_remembered_for_a_week() -> None:
    """The key is one of this endpoint."""
    event, key = events.to_endpoint(ENDPOINT_ID, events.send_body(b'{"payload": {}, "idempotencyKey": "k"}'))
    assert (key, event.caller_event_id) == ("k", "k")
    assert event.to_endpoints.endpoint_id == ENDPOINT_ID
    assert (event.dedupe.kind, event.dedupe.key) == (ingest_pb2.DEDUPE_KIND_KEY, "k")
    assert (event.dedupe.scope, event.dedupe.ttl_s) == (ENDPOINT_ID, 604_800)


def test_a_send_without_a_key_gets_a_new_one() -> None:
    """Null counts as absent."""
    keys = {events.to_endpoint(ENDPOINT_ID, events.send_body(raw))[1] for raw in (b'{"payload": {}}',) * 2}
    keys.add(events.to_endpoint(ENDPOINT_ID, events.send_body(b'{"payload": {}, "idempotencyKey": null}'))[1])
    assert len(keys) == 3
    assert all(uuid.UUID(key) for key in keys)


@pytest.mark.parametrize("name", ["order.paid", "a", "a-b_c.0", "x" * 128, "batch.done"])
def test_names_of_types(name: str) -> None:
    """Words with dots between them."""
    events.check_type(name)


@pytest.mark.parametrize(
    "name", ["", "Order", "a b", ".a", "a.", "a..b", "é", "x" * 129, "a\n", "batch", "INVALID NAME!!"]
)
def test_what_is_no_name_of_a_type(name: str) -> None:
    """One of them stands for something else in the path."""
    with pytest.raises(ApiError) as caught:
        events.check_type(name)
    assert caught.value.message.startswith("eventType must")


def test_a_batch_has_1_to_20_items() -> None:
    """Their own faults are found later."""

    def batch(number: int) -> bytes:
        return b'{"items": [' + b",".join([b"7"] * number) + b"]}"

    for number in (1, 20):
        assert events.batch_items(batch(number)) == [b"7"] * number
    for number in (0, 21):
        with pytest.raises(ApiError, match="items must be a list of 1 to 20"):
            events.batch_items(batch(number))


def test_metadata_is_labels() -> None:
    """At most five, each with a name."""
    for metadata in (
        '{"": "a"}',
        '{"a": "' + "x" * 256 + '"}',
        '{"a": "\\u0000"}',
        str({str(n): "" for n in range(6)}),
    ):
        raw = b'{"payload": {}, "metadata": ' + metadata.replace("'", '"').encode() + b"}"
        with pytest.raises(ApiError, match="metadata must"):
            events.to_subscribers("a", events.trigger_body(raw))
