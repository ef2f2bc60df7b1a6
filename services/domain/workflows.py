"""What the router publishes of stored workflows: the form that ingest reads. Pure.

Workflows and their versions are stored by the router (services/router/workflows).
"""

from collections.abc import Sequence

import msgspec

# The most workflows of a tenant, whatever their types.
MAX_WORKFLOWS = 1_000


class PublishedWorkflow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A workflow that an event type starts.

    version: the current one, from 1. scope: events of this scope start it; empty: of every scope. active: events start
    it; otherwise it starts only where it is named.
    """

    id: str
    version: int
    scope: str = ""
    active: bool = True

    def is_in(self, scope: str) -> bool:
        """Return whether an event of this scope may start it."""
        return self.scope in ("", scope)


class EventType(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value of topology.workflows_key: of a type that was declared, or that a workflow names, active or not.

    declared: it has a row of its own (router.event_types). workflows: those that name it, of all scopes, in the order
    of their creation.
    """

    declared: bool = False
    workflows: tuple[PublishedWorkflow, ...] = ()

    def active_in(self, scope: str) -> Sequence[PublishedWorkflow]:
        """Return those that an event of this scope starts; scope: an environment's id; empty: those of every scope."""
        return [one for one in self.workflows if one.active and one.is_in(scope)]

    def is_known_in(self, scope: str) -> bool:
        """Return whether the type exists for events of this scope: it was declared, or a workflow there names it."""
        return self.declared or any(one.is_in(scope) for one in self.workflows)

    def named(self, workflow_id: str, scope: str) -> PublishedWorkflow | None:
        """Return a workflow, active or not; None: none of this scope has this id and type."""
        return next((one for one in self.workflows if one.id == workflow_id and one.is_in(scope)), None)


encode_event_type = msgspec.json.Encoder().encode
decode_event_type = msgspec.json.Decoder(EventType).decode
