"""To which endpoints an event goes: pure."""

from collections.abc import Mapping, Sequence

from clarion.common.v1 import event_pb2
from services.domain import endpoints
from services.router.definitions import Definition
from services.router.filters import Filter


def is_for_endpoints_alone(event: event_pb2.Event) -> bool:
    """Return whether an event names its endpoints and no people: then templates say nothing about it."""
    return event.HasField("endpoints") and not event.HasField("recipient") and not event.audience


def endpoint_ids(event: event_pb2.Event, definition: Definition) -> Sequence[str]:
    """Return the endpoints that an event goes to, each once.

    Those that were decided when it was accepted; of an event without such a decision, those that subscribe to its type
    in its scope.
    """
    if event.HasField("endpoints"):
        return list(dict.fromkeys(event.endpoints.endpoint_ids))
    if not definition.subscribers:  # nearly always
        return ()
    return [one.endpoint_id for one in endpoints.in_scope(definition.subscribers, event.scope)]


def filters_of(endpoint_ids: Sequence[str], definition: Definition) -> Mapping[str, Filter]:
    """Return the filters that these endpoints' subscriptions have, by endpoint."""
    if not definition.filters:
        return {}
    return {id_: found for id_ in endpoint_ids if (found := definition.filters.get(id_)) is not None}
