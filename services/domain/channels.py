"""The channels: the ways to reach a person, or another system. The one list of them.

A new channel is a line here and in event.proto.
"""

from dataclasses import dataclass

from clarion.common.v1 import event_pb2
from services.domain.retry_policy import MESSAGES, WEBHOOKS, RetryPolicy


@dataclass(frozen=True, slots=True)
class Channel:
    """What all services need to know of a channel."""

    number: event_pb2.Channel.ValueType
    # In subjects, metrics and log lines.
    name: str
    # In the public APIs.
    public_name: str
    # The recipient's field with the address; empty: the channel reaches a user by their id, or no person.
    address_field: str
    # Whether a tenant needs a provider of its own to send.
    needs_provider: bool
    # The service that sends.
    service: str
    text: str
    retry: RetryPolicy = MESSAGES
    # Whether it reaches a person, with a template's content; if not, it reaches an endpoint with the event's body.
    is_for_people: bool = True


BY_NUMBER = {
    channel.number: channel
    for channel in (
        Channel(event_pb2.CHANNEL_EMAIL, "email", "EMAIL", "email", True, "senders", "An e-mail."),
        Channel(event_pb2.CHANNEL_SMS, "sms", "SMS", "phone", True, "senders", "A text message."),
        Channel(
            event_pb2.CHANNEL_PUSH,
            "push",
            "PUSH",
            "",
            False,
            "realtime",
            "A notification in the user's inbox, shown at once in open pages.",
        ),
        Channel(
            event_pb2.CHANNEL_WEBHOOK,
            "webhook",
            "WEBHOOK",
            "",
            False,
            "senders",
            "A signed HTTP request to an endpoint that subscribes to the event's type.",
            WEBHOOKS,
            is_for_people=False,
        ),
    )
}

NAMES = {number: channel.name for number, channel in BY_NUMBER.items()}
PUBLIC_NAMES = {number: channel.public_name for number, channel in BY_NUMBER.items()}
BY_PUBLIC_NAME = {channel.public_name: number for number, channel in BY_NUMBER.items()}
# The channels that reach people: they have templates, and recipients can mute them.
FOR_PEOPLE = tuple(number for number, channel in BY_NUMBER.items() if channel.is_for_people)
PUBLIC_NAMES_FOR_PEOPLE = tuple(PUBLIC_NAMES[number] for number in FOR_PEOPLE)
# The channels with an address, which can be suppressed.
WITH_ADDRESS = tuple(number for number, channel in BY_NUMBER.items() if channel.address_field)


def address_of(recipient: event_pb2.Recipient, channel: event_pb2.Channel.ValueType) -> str:
    """Return a recipient's address on a channel; empty: none is known, or the channel needs none."""
    field = BY_NUMBER[channel].address_field
    address: str = getattr(recipient, field) if field else ""
    return address


def of_service(service: str) -> list[event_pb2.Channel.ValueType]:
    """Return the channels that a service sends on."""
    return [number for number, channel in BY_NUMBER.items() if channel.service == service]
