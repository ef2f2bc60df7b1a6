"""Plans events with what the catalog knows."""

from collections.abc import Sequence

from clarion.common.v1 import event_pb2
from runtime import clock
from services.router.catalog import Catalog
from services.router.messages import Plan
from services.router.plan import plan
from services.router.policies import Policy
from services.router.ports import Person


class CatalogPlanner:
    """Plans an event for some people, such as a page of a group's members."""

    def __init__(self, catalog: Catalog, policies: Sequence[Policy], *, now: clock.Clock = clock.now_us) -> None:
        self._catalog = catalog
        self._policies = policies
        self._now = now

    async def plan(self, event: event_pb2.Event, people: Sequence[Person], *, sequence: int) -> Plan:
        """Return what is sent to these people; sequence: see services.router.plan. Raises PartAway."""
        definition = await self._catalog.of_event(event)
        return plan(event, definition, people, self._policies, now_us=self._now(), sequence=sequence)
