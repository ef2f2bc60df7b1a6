"""The interfaces that runs need."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

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


class NewWorkflowRun(NamedTuple):
    """One workflow for one person, that does not do everything at once.

    recipient: clarion.common.v1.Recipient of somebody whom the event describes; None: they are stored.
    """

    id: str
    workflow_id: str
    version: int
    destination: str
    recipient_id: str
    recipient: bytes | None


class Started(NamedTuple):
    """What an event's workflows do for some people. plan: what is sent at once, and why not. new: what goes on."""

    plan: Plan
    new: Sequence[NewWorkflowRun]


class Workflows(Protocol):
    """Starts the stored workflows of events."""

    async def weight(self, event: event_pb2.Event) -> int:
        """Return how many deliveries and runs one person has at once of the event's workflows, at most.

        Errors: see Planner.
        """

    async def start(self, event: event_pb2.Event, people: Sequence[Person]) -> Started:
        """Return what the event's workflows do for these people; asked again it is the same. Errors: see Planner.

        Nobody: the event is for nobody. Deliveries: see Planner.
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
