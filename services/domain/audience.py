"""Whom an event is for: pure. Most events have one recipient, whom the caller describes."""

from collections.abc import Sequence

from clarion.common.v1 import event_pb2

# The most targets, and the most exclusions, of an event.
MAX_TARGETS = 100
# Targets that name many.
_MANY = frozenset({"group", "everybody", "tags", "segment_id"})


def targets(event: event_pb2.Event) -> Sequence[event_pb2.Target]:
    """Return the event's targets; its only recipient is one."""
    if event.audience or not event.HasField("recipient"):
        return event.audience
    return [event_pb2.Target(recipient=event.recipient)]


def needs_expansion(event: event_pb2.Event) -> bool:
    """Return whether its recipients must be read page by page, because its targets or exclusions name many."""
    return any(target.WhichOneof("target") in _MANY for target in (*event.audience, *event.exclusions))


def names_contacts(event: event_pb2.Event) -> bool:
    """Return whether some of its recipients must be looked up, and perhaps stored."""
    return any(target.HasField("contact") for target in event.audience)


def destination(recipient: event_pb2.Recipient, position: int = 0) -> str:
    """Return what identifies a recipient within an event: their id, else their place among its targets, as "#0"."""
    return of_user(recipient.user_id) if recipient.user_id else f"#{position}"


def described(event: event_pb2.Event) -> frozenset[str]:
    """Return the destinations of the recipients whom the event itself describes."""
    return frozenset(
        destination(target.recipient, position)
        for position, target in enumerate(targets(event))
        if target.HasField("recipient")
    )


def user_id_named(target: event_pb2.Target) -> str:
    """Return the id of the person whom a target names or describes; empty: it names many, or somebody without one."""
    return target.recipient_id or target.recipient.user_id or target.contact.recipient.user_id


def of_user(user_id: str) -> str:
    """Return the destination of a recipient with this id. One that begins with # gets another #: it is no place."""
    return f"#{user_id}" if user_id.startswith("#") else user_id


def user_id_of(destination: str) -> str:
    """Return the id of a recipient who has one."""
    return destination[1:] if destination.startswith("##") else destination


def id_of(destination: str) -> str:
    """Return the recipient's id; empty: they have none, and are known by their place among the targets."""
    return "" if destination.startswith("#") and not destination.startswith("##") else user_id_of(destination)


def of_contact(position: int) -> str:
    """Return what stands for a contact until it is known who is meant. No recipient has this destination."""
    return f"#?{position}"


def of_excluded(user_id: str) -> str:
    """Return what stands for somebody who is excluded by id. No recipient has this destination."""
    return f"#-{user_id}"


def is_of_many(target: event_pb2.Target) -> bool:
    """Return whether a target names any number of stored recipients, who are read page by page."""
    return target.WhichOneof("target") in _MANY
