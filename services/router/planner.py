"""Plans events with what the catalog and the filters know."""

import asyncio
from collections.abc import Sequence

from clarion.common.v1 import event_pb2
from runtime import clock
from services.router import fan_out, messages
from services.router.catalog import Catalog
from services.router.definitions import Definition
from services.router.filtering import Filtering
from services.router.messages import Plan
from services.router.pace import Pace
from services.router.plan import joined, of_endpoints, of_people, plan
from services.router.policies import Policies
from services.router.ports import Person

# An event to more endpoints is planned a part at a time.
FEW_ENDPOINTS = 10
_PART = 250


class EventPlanner:
    """Plans events whose definition is known."""

    def __init__(self, policies: Policies, filtering: Filtering, *, now: clock.Clock = clock.now_us) -> None:
        self._policies = policies
        self._filtering = filtering
        self._now = now

    def at_once(
        self, event: event_pb2.Event, definition: Definition, people: Sequence[Person], *, sequence: int
    ) -> Plan | None:
        """Return the whole plan of an event that has its body; None: it takes too long to be made here.

        sequence: of the event in EVENTS.
        """
        if not (definition.subscribers or event.HasField("endpoints")):  # most events
            sequence = messages.body_sequence(event, sequence)
            return of_people(event, definition, people, self._policies, now_us=self._now(), sequence=sequence)
        endpoint_ids = fan_out.endpoint_ids(event, definition)
        if len(endpoint_ids) > FEW_ENDPOINTS:
            return None
        unmatched = self._filtering.at_once(event, fan_out.filters_of(endpoint_ids, definition))
        if unmatched is None:
            return None
        sequence = messages.body_sequence(event, sequence, len(endpoint_ids))
        return self._plan(event, definition, people, sequence, unmatched)

    async def whole(
        self,
        event: event_pb2.Event,
        definition: Definition,
        people: Sequence[Person],
        *,
        sequence: int,
        is_kept: bool = False,
        with_filters: bool = True,
    ) -> Plan:
        """Return the plan for these people and for the event's endpoints, leaving others room to work meanwhile.

        sequence: of the event in EVENTS; 0: each delivery carries the body. is_kept: it is kept without its body.
        with_filters: else no filter is asked. Raises PartAway while the body cannot be read.
        """
        endpoint_ids = fan_out.endpoint_ids(event, definition)
        unmatched: frozenset[str] = frozenset()
        if with_filters and (asked := fan_out.filters_of(endpoint_ids, definition)):
            unmatched = await self._filtering.unmatched(event, asked, sequence=sequence if is_kept else 0)
        if not is_kept:
            sequence = messages.body_sequence(event, sequence, len(endpoint_ids))
        if len(endpoint_ids) <= _PART:
            return self._plan(event, definition, people, sequence, unmatched)
        now_us = self._now()
        parts = [of_people(event, definition, people, self._policies, now_us=now_us, sequence=sequence)]
        for start in range(0, len(endpoint_ids), _PART):
            await asyncio.sleep(0)
            some = endpoint_ids[start : start + _PART]
            parts.append(
                of_endpoints(
                    event, definition, some, self._policies, now_us=now_us, sequence=sequence, unmatched=unmatched
                )
            )
        return joined(event, *parts)

    def of_people(
        self, event: event_pb2.Event, definition: Definition, people: Sequence[Person], *, sequence: int
    ) -> Plan:
        """Return the part of the plan for these people alone; sequence: see services.router.plan."""
        return of_people(event, definition, people, self._policies, now_us=self._now(), sequence=sequence)

    def _plan(
        self,
        event: event_pb2.Event,
        definition: Definition,
        people: Sequence[Person],
        sequence: int,
        unmatched: frozenset[str] = frozenset(),
    ) -> Plan:
        return plan(
            event,
            definition,
            people,
            self._policies,
            now_us=self._now(),
            sequence=sequence,
            unmatched=unmatched,
        )


class CatalogPlanner:
    """Plans an event for some people, such as a page of a group's members, and for its endpoints."""

    def __init__(self, catalog: Catalog, planner: EventPlanner, pace: Pace | None = None) -> None:
        self._catalog = catalog
        self._pace = pace or Pace()
        self._planner = planner

    async def plan(
        self, event: event_pb2.Event, people: Sequence[Person], *, sequence: int, with_endpoints: bool = True
    ) -> Plan:
        """Return the plan of an event that is kept. Raises PartAway.

        sequence: of the event in EVENTS, if it is kept without its body; else 0. with_endpoints: the plan of an event
        has them once.
        """
        definition = await self._catalog.of_event(event)
        if with_endpoints:
            return await self._planner.whole(event, definition, people, sequence=sequence, is_kept=bool(sequence))
        parts: list[Plan] = []

        def add(some: Sequence[Person]) -> None:
            parts.append(self._planner.of_people(event, definition, some, sequence=sequence))

        await self._pace.plan(people, add)
        if not parts:
            return self._planner.of_people(event, definition, people, sequence=sequence)
        deliveries = [delivery for part in parts for delivery in part.deliveries]
        return Plan(deliveries, [decision for part in parts for decision in part.planned], parts[0].reason)

    async def explain(self, event: event_pb2.Event, people: Sequence[Person]) -> Plan:
        """Return the plan of an event that has no body yet: no filter is asked. Raises PartAway."""
        definition = await self._catalog.of_event(event)
        return await self._planner.whole(event, definition, people, sequence=0, with_filters=False)
