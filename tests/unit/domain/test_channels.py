"""The list of channels: where a message goes."""

import pytest

from clarion.common.v1 import event_pb2
from services.domain import channels, suppression_list
from services.render import frames, platform_templates

_ADA = event_pb2.Recipient(user_id="u1", email="ada@example.org", phone="+254712345678")


@pytest.mark.parametrize(
    ("channel", "address"),
    [
        (event_pb2.CHANNEL_EMAIL, "ada@example.org"),
        (event_pb2.CHANNEL_SMS, "+254712345678"),
        (event_pb2.CHANNEL_PUSH, ""),
        (event_pb2.CHANNEL_WEBHOOK, ""),
    ],
)
def test_a_channel_has_its_address(channel: event_pb2.Channel.ValueType, address: str) -> None:
    """Empty where it reaches a user by their id, or no person."""
    assert channels.address_of(_ADA, channel) == address


def test_all_parts_know_the_channels() -> None:
    """A new one without content, a first template, or a form of its addresses would fail late and silently."""
    numbers = set(channels.FOR_PEOPLE)
    assert {frames.EMAIL, frames.SMS, frames.PUSH} == numbers
    assert {template.channel for template in platform_templates.templates()} == numbers
    samples = {"email": "a@example.com", "phone": "+254712345678"}
    for number in channels.WITH_ADDRESS:
        assert suppression_list.normalised(number, samples[channels.BY_NUMBER[number].address_field])
    assert {*channels.of_service("senders"), *channels.of_service("realtime")} == set(channels.BY_NUMBER)


def test_a_channel_for_no_people_has_nothing_of_theirs() -> None:
    """Templates, providers, addresses and suppressions are for those that reach people."""
    others = [channel for channel in channels.BY_NUMBER.values() if not channel.is_for_people]
    assert [channel.public_name for channel in others] == ["WEBHOOK"]
    assert not any(channel.address_field or channel.needs_provider for channel in others)
    assert "WEBHOOK" not in channels.PUBLIC_NAMES_FOR_PEOPLE


def test_webhooks_are_retried_for_days() -> None:
    """An endpoint that is down over a long weekend misses nothing."""
    policy = channels.BY_NUMBER[event_pb2.CHANNEL_WEBHOOK].retry
    assert sum(policy.delays_s) >= 3 * 86_400
    assert list(policy.delays_s) == sorted(policy.delays_s)
