"""What recipients want of single categories on each channel: its check, and changes of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2
from services.domain import channels
from services.router.recipients.check import (
    MAX_CATEGORY,
    MAX_PREFERENCES,
    CheckedRecipient,
    Fault,
    Preference,
    text,
)

MAX_CATEGORIES = 50

_FIELD = "preference_changes"


@dataclass(frozen=True, slots=True)
class Wishes:
    """Changes of what somebody wants, one for each category of a channel. categories: all that the caller knows."""

    changes: Sequence[Preference]
    categories: frozenset[str]


def checked(
    field: str, some: Sequence[recipients_pb2.CategoryPreference], faults: list[Fault]
) -> tuple[Preference, ...]:
    """Return preferences in the form that is stored, the last of each category; appends to faults what is wrong."""
    if len(some) > MAX_PREFERENCES:
        faults.append((field, f"must be at most {MAX_PREFERENCES}"))
    found: dict[tuple[event_pb2.Channel.ValueType, str], Preference] = {}
    for position, one in enumerate(some[:MAX_PREFERENCES]):
        at = f"{field}[{position}]"
        faults += text(f"{at}.category", one.category, limit=MAX_CATEGORY, required=True)
        if one.channel not in channels.FOR_PEOPLE:
            faults.append((f"{at}.channel", f"must be one of {', '.join(channels.PUBLIC_NAMES_FOR_PEOPLE)}"))
        found[one.channel, one.category] = Preference(one.channel, one.category, one.wanted)
    return tuple(found.values())


def wishes(change: recipients_pb2.PreferenceChanges, faults: list[Fault]) -> Wishes:
    """Return the changes that a caller sent; appends to faults what is wrong with them."""
    if not 1 <= len(change.categories) <= MAX_CATEGORIES:
        faults.append((f"{_FIELD}.categories", f"must be from 1 to {MAX_CATEGORIES}"))
    for position, category in enumerate(change.categories[:MAX_CATEGORIES]):
        faults += text(f"{_FIELD}.categories[{position}]", category, limit=MAX_CATEGORY, required=True)
    categories = frozenset(change.categories)
    for position, one in enumerate(change.changes[:MAX_PREFERENCES]):
        if one.category not in categories:
            faults.append((f"{_FIELD}.changes[{position}].category", "must be one of categories"))
    return Wishes(checked(f"{_FIELD}.changes", change.changes, faults), categories)


def changed(person: CheckedRecipient, wanted: Wishes, faults: list[Fault]) -> CheckedRecipient:
    """Return somebody with what they want changed; appends to faults if more would be stored than may be.

    What is refused is stored as refused even where the channel is muted, so that it stays so when that ends.
    """
    named = {(one.channel, one.category) for one in wanted.changes}
    kept = [one for one in person.category_preferences if (one.channel, one.category) not in named]
    refused = [one for one in wanted.changes if not one.wanted]
    muted = set(person.muted_channels)
    ended = {one.channel for one in wanted.changes if one.wanted} & muted
    for channel in ended:
        muted.discard(event_pb2.Channel.ValueType(channel))
        others = wanted.categories - {one.category for one in wanted.changes if one.channel == channel}
        kept = [one for one in kept if one.channel != channel or one.category not in others]
        refused += [Preference(channel, category, wanted=False) for category in sorted(others)]
    left = (*kept, *refused)
    for number in channels.FOR_PEOPLE:
        if wanted.categories <= {one.category for one in left if one.channel == number and not one.wanted}:
            muted.add(number)
    if len(left) > MAX_PREFERENCES:
        faults.append((_FIELD, f"would leave more than {MAX_PREFERENCES} preferences"))
    return replace(person, category_preferences=left, muted_channels=tuple(sorted(muted)))
