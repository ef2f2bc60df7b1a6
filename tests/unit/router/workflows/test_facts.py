"""What rules and times see of an event and a person."""

import pytest

from clarion.common.v1 import event_pb2
from services.router.workflows import facts


def test_what_they_see() -> None:
    """Everything that is known; what is unknown is empty."""
    recipient = event_pb2.Recipient(user_id="ada", email="ada@example.com", timezone="Africa/Nairobi", data=b'{"a":1}')
    event = event_pb2.Event(
        event_type="order.paid",
        variables=b'{"v":2}',
        payload_extra=b'{"event_data":{"d":3},"source":{"type":"api"},"other":4}',
    )
    seen = facts.of(event, recipient, tags=("vip",), statuses={"a": "sent"})
    assert seen.contact == {
        "id": "ada",
        "email": "ada@example.com",
        "phone": "",
        "name": "",
        "locale": "",
        "timezone": "Africa/Nairobi",
        "tags": ["vip"],
        "data": {"a": 1},
    }
    assert seen.event == {"name": "order.paid", "data": {"d": 3}, "source": {"type": "api"}}
    assert (seen.variables, seen.statuses, seen.timezone) == ({"v": 2}, {"a": "sent"}, "Africa/Nairobi")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 5000])
def test_what_is_no_object_is_empty(raw: bytes) -> None:
    """No run fails for what its event should not have."""
    event = event_pb2.Event(event_type="order.paid", variables=raw, payload_extra=raw)
    seen = facts.of(event, event_pb2.Recipient(data=raw))
    assert (seen.variables, seen.contact["data"]) == ({}, {})
    assert seen.event == {"name": "order.paid", "data": {}, "source": {}}
    assert seen.timezone == ""
