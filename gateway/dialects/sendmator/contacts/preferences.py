"""What a contact wants: by channel and category. Pure.

A stored recipient has muted channels, and categories that they do not want. Here each channel has all categories, and a
channel is muted when none of them is wanted.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2
from gateway.dialects.sendmator.errors import bad_request

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


def changed(wanted: Wanted, changes: Iterable[tuple[str, str, bool]]) -> Wanted:
    """Return what is wanted after changes: channel, category and whether it is wanted. Raises ApiError."""
    found = {channel: dict(categories) for channel, categories in wanted.items()}
    for channel, category, value in changes:
        check(channel, category)
        found[channel][category] = value
    return found


def check(channel: str, category: str = "") -> None:
    """Raise ApiError for a channel or category that does not exist."""
    if channel not in CHANNELS:
        raise bad_request(f"channel must be one of {', '.join(CHANNELS)}")
    if category and category not in CATEGORIES:
        raise bad_request(f"category must be one of {', '.join(CATEGORIES)}")


def everything(*, value: bool, channels: Iterable[str] = tuple(CHANNELS)) -> list[tuple[str, str, bool]]:
    """Return the changes that want, or do not want, all of these channels."""
    return [(channel, category, value) for channel in channels for category in CATEGORIES]


def write(
    wanted: Wanted, change: recipients_pb2.RecipientChange, person: recipients_pb2.StoredRecipient | None = None
) -> None:
    """Store what is wanted. person: as they were; categories that this API does not know stay as they are."""
    change.muted_channels.SetInParent()
    change.category_preferences.SetInParent()
    others = [one for one in person.category_preferences if one.category not in CATEGORIES] if person else []
    change.category_preferences.preferences.extend(others)
    for name, categories in wanted.items():
        if not any(categories.values()):
            change.muted_channels.channels.append(CHANNELS[name])
            continue
        change.category_preferences.preferences.extend(
            recipients_pb2.CategoryPreference(channel=CHANNELS[name], category=category, wanted=False)
            for category, value in categories.items()
            if not value
        )


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
