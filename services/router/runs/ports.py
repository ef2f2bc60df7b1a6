"""The interfaces that runs need."""

from collections.abc import Sequence
from typing import Protocol

from clarion.common.v1 import event_pb2
from services.router.messages import Plan
from services.router.ports import Person


class Planner(Protocol):
    """Plans an event for some people, and for its endpoints."""

    async def plan(
        self, event: event_pb2.Event, people: Sequence[Person], *, sequence: int, with_endpoints: bool
    ) -> Plan:
        """Return the plan. sequence: of the event in EVENTS, if the event lacks its body; else 0.

        with_endpoints: also for the endpoints that the event goes to.
        Deliveries need neither the body nor a reference to it: both are added when they are published.
        Raises UNAVAILABLE or OVERLOADED if what the planner must know cannot be asked for at the moment; other errors
        count as a fault of ours, and end the run after many tries.
        """


class InactiveTenants(Protocol):
    """The tenants that may not send. Implemented by services.router.catalog.Catalog.is_inactive."""

    def __call__(self, tenant_id: str, /) -> bool:
        """Return whether a tenant is inactive."""


class Progress(Protocol):
    """What became of the deliveries that were published."""

    async def obstacle(self, event_id: str, published: int) -> str:
        """Return why the next page of an event's recipients must wait; empty: it need not.

        published: the deliveries of the event so far. Raises ClarionError if that cannot be told.
        """
