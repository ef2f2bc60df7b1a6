"""The people whom an event names itself: pure."""

from collections.abc import Mapping

from clarion.common.v1 import event_pb2
from services.domain import audience
from services.router.ports import Person, RecipientKey


def stored_ids(event: event_pb2.Event) -> list[str]:
    """Return the ids of the stored recipients that the event names."""
    return [target.recipient_id for target in event.audience if target.WhichOneof("target") == "recipient_id"]


def people(event: event_pb2.Event, stored: Mapping[RecipientKey, Person], *, inline_only: bool = False) -> list[Person]:
    """Return each person once whom the event names: inline ones as described, others as stored.

    Excluded ones are left out.
    """
    found: dict[str, Person] = {}
    excluded = {target.recipient_id for target in event.exclusions if target.WhichOneof("target") == "recipient_id"}
    for position, target in enumerate(audience.targets(event)):
        if target.WhichOneof("target") == "recipient":
            destination = audience.destination(target.recipient, position)
            if target.recipient.user_id not in excluded:
                found[destination] = Person(target.recipient, destination)
    if not inline_only:
        for id_ in stored_ids(event):
            if id_ not in excluded and id_ not in found and (person := stored.get((event.tenant_id, id_))) is not None:
                found[id_] = person
    return list(found.values())
