"""Which deliveries to endpoints can be sent again, and with which message."""

import datetime as dt
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import new_id
from services.ingest.retries.delivery import MAX_INLINE_BODY, obstacle, repeated

FAILED, DEAD, SKIPPED, SENT, QUEUED, RETRYING = (
    getattr(trace_pb2, f"DELIVERY_STATUS_{name}")
    for name in ("FAILED", "DEAD", "SKIPPED", "SENT", "QUEUED", "RETRYING")
)


def _row(**fields: Any) -> dict[str, Any]:
    event = event_pb2.Event(variables=fields.pop("variables", b'{"n":1}'))
    raw = event.SerializeToString()
    return {
        "id": new_id(),
        "event_id": new_id(),
        "tenant_id": new_id(),
        "channel": event_pb2.CHANNEL_WEBHOOK,
        "status": DEAD,
        "reason": "",
        "replay": 2,
        "endpoint_id": new_id(),
        "step": None,
        "event_type": "order.paid",
        "trace_id": "trace",
        "accepted_at": dt.datetime.fromtimestamp(5, dt.UTC),
        "size": len(raw),
        "event": raw,
        **fields,
    }


@pytest.mark.parametrize(
    ("status", "reason", "is_retryable"),
    [
        (FAILED, "endpoint_answered_gone", True),
        (DEAD, "endpoint_timeout", True),
        (SKIPPED, "skipped_by_hand", True),
        (SKIPPED, "endpoint_gone", True),
        (SKIPPED, "not_matched", False),
        (SKIPPED, "canceled", False),
        (SENT, "", False),
        (QUEUED, "", False),
        (RETRYING, "endpoint_error", False),
    ],
)
def test_what_can_be_sent_again(status: int, reason: str, is_retryable: bool) -> None:  # noqa: FBT001
    """What ended badly, and what was skipped by hand or because its endpoint was gone."""
    assert bool(obstacle(_row(status=status, reason=reason))) != is_retryable


def test_what_is_not_known_any_more_or_not_yet() -> None:
    """The content was deleted, or the plan was not read."""
    assert "content" in obstacle(_row(size=None, event=None))
    assert "plan" in obstacle(_row(endpoint_id=None))


def test_the_message_is_a_first_attempt_of_the_next_replay() -> None:
    """With the event's body as it was accepted."""
    row = _row(variables=b'{ "a" : 1 }')
    delivery = repeated(row)
    assert (delivery.id, delivery.attempt, delivery.replay) == (row["id"], 1, 3)
    assert (delivery.webhook.endpoint_id, delivery.variables) == (row["endpoint_id"], b'{ "a" : 1 }')
    assert (delivery.event_type, delivery.trace_id, delivery.accepted_at_us) == ("order.paid", "trace", 5_000_000)
    assert not delivery.HasField("body_reference")


@pytest.mark.parametrize("size", [MAX_INLINE_BODY, MAX_INLINE_BODY + 1])
def test_a_large_body_is_referred_to(size: int) -> None:
    """As the router does; the ledger has it."""
    delivery = repeated(_row(variables=b"x" * size))
    assert delivery.HasField("body_reference") == (size > MAX_INLINE_BODY)
    assert (delivery.body_reference.size or len(delivery.variables)) == size


def test_a_body_that_was_not_read_is_referred_to() -> None:
    """It is so large that it was left in the table."""
    delivery = repeated(_row(event=None, size=500_000))
    assert (delivery.body_reference.size, delivery.body_reference.sequence) == (500_000, 0)
