"""What a contact wants: by channel and category. Pure.

A stored recipient has muted channels, and categories that they do not want. Here each channel has all categories, and a
channel is muted when none of them is wanted: see PreferenceChanges in proto/clarion/router/v1/recipients.proto.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2
from gateway.dialects.sendmator.errors import bad_request, unknown_channel

CHANNELS: dict[str, event_pb2.Channel.ValueType] = {
    "email": event_pb2.CHANNEL_EMAIL,
    "sms": event_pb2.CHANNEL_SMS,
    "push": event_pb2.CHANNEL_PUSH,
}
CATEGORIES = ("transactional", "promotional", "utility", "conversational", "marketing", "service", "system")

Wanted = dict[str, dict[str, bool]]


def of(person: recipients_pb2.StoredRecipient) -> Wanted:
    """Return what a stored recipient wants, by channel and category."""
    refused = {(one.channel, one.category) for one in person.category_preferences if not one.wanted}
    return {
        name: {
            category: channel not in person.muted_channels and (channel, category) not in refused
            for category in CATEGORIES
        }
        for name, channel in CHANNELS.items()
    }


def check(channel: str, category: str = "") -> None:
    """Raise ApiError for a channel or category that does not exist."""
    if channel not in CHANNELS:
        raise unknown_channel("channel", channel, CHANNELS)
    if category and category not in CATEGORIES:
        raise bad_request(f"category must be one of {', '.join(CATEGORIES)}")


def everything(*, value: bool, channels: Iterable[str] = tuple(CHANNELS)) -> list[tuple[str, str, bool]]:
    """Return the changes that want, or do not want, all of these channels."""
    return [(channel, category, value) for channel in channels for category in CATEGORIES]


def write(changes: Iterable[tuple[str, str, bool]], change: recipients_pb2.RecipientChange) -> None:
    """Let a change of a recipient make changes: channel, category and whether it is wanted. Raises ApiError.

    The router makes them to what is stored then, so that of two requests at the same time none is lost.
    """
    made = change.preference_changes
    made.ClearField("categories")
    made.categories.extend(CATEGORIES)
    for channel, category, value in changes:
        check(channel, category)
        made.changes.add(channel=CHANNELS[channel], category=category, wanted=value)


def summary(wanted: Mapping[str, Mapping[str, bool]]) -> dict[str, Any]:
    """Return what is wanted with its counts. subscriptionRate: percent."""
    values = [value for categories in wanted.values() for value in categories.values()]
    count = sum(values)
    return {
        "preferences": wanted,
        "totalPreferences": len(values),
        "subscribedCount": count,
        "unsubscribedCount": len(values) - count,
        "subscriptionRate": round(100 * count / len(values), 2),
    }
