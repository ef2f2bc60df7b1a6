"""Answers to accepted events."""

import pytest

from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.nahook.errors import ApiError
from gateway.dialects.nahook.ingest import receipts
from services.domain.endpoints import event_type_id

UUID, DIGITS = "01a1fe7a-0000-7000-8000-000000000000", "01a1fe7a000070008000000000000000"
ACCEPTED = ingest_pb2.Accepted(deliveries=[ingest_pb2.EndpointDelivery(endpoint_id=UUID, delivery_id=UUID)])


def test_a_send() -> None:
    """The delivery and the key."""
    assert receipts.sent(ACCEPTED, "k") == {
        "deliveryId": f"del_{DIGITS}",
        "idempotencyKey": "k",
        "status": "accepted",
    }


def test_a_send_of_which_nothing_is_sent() -> None:
    """There is no delivery to name, so it is an error."""
    failure = ingest_pb2.EndpointFailure(endpoint_id=UUID, reason="internal_error", detail="It failed.")
    for accepted, says in (
        (ingest_pb2.Accepted(failures=[failure]), "It failed."),
        (ingest_pb2.Accepted(), "Nothing could be sent"),
    ):
        with pytest.raises(ApiError, match=says):
            receipts.sent(accepted, "k")


def test_a_trigger() -> None:
    """A delivery for each endpoint; the type's id is known before the type is stored."""
    told = receipts.triggered(ACCEPTED, "t", "order.paid")
    type_id = "evt_" + event_type_id("t", "order.paid").replace("-", "")
    assert told == {"eventTypeId": type_id, "deliveryIds": [f"del_{DIGITS}"], "status": "accepted"}


def test_failures() -> None:
    """Whatever the reason, the code is the published one."""
    failure = ingest_pb2.EndpointFailure(endpoint_id=UUID, reason="endpoint_backlog_full", detail="Too much waits.")
    assert receipts.failures(ingest_pb2.Accepted(failures=[failure])) == [
        {"endpointId": f"ep_{DIGITS}", "code": "internal_error", "message": "Too much waits."}
    ]
