"""The list of channels: where a message goes."""

import pytest

from clarion.common.v1 import event_pb2
from services.domain import channels

_ADA = event_pb2.Recipient(user_id="u1", email="ada@example.org", phone="+254712345678")


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        (event_pb2.CHANNEL_EMAIL, "ada@example.org"),
        (event_pb2.CHANNEL_SMS, "+254712345678"),
        (event_pb2.CHANNEL_PUSH, ""),
    ],
)
def test_a_channel_has_its_address(channel: event_pb2.Channel.ValueType, address: str) -> None:
    """Empty where it reaches a user by their id."""
    assert channels.address_of(_ADA, channel) == address
