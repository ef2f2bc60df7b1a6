"""Asks the filters of an event's endpoints, without holding up the event loop.

A few filters and a small body take less than a millisecond, whatever they are. Others are asked by a thread, some at a
time, so that one tenant's events do not hold up those of another.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

from clarion.common.v1 import event_pb2
from runtime import logs
from runtime.errors import ClarionError, Code
from services.router import filters
from services.router.filters import Filter, Outcome

# So many filters, and bytes of what they see, are asked at once; a thread asks so many at a time.
_FEW, _SMALL = 10, 4096
_TOGETHER = 50
# Endpoints that a log line names.
_SHOWN = 5

log = logs.get(__name__)


class Bodies(Protocol):
    """Implemented by services.delivery.bodies.Bodies."""

    async def complete(self, delivery: event_pb2.Delivery) -> event_pb2.Delivery:
        """Return the delivery with the body that it refers to. Raises NOT_FOUND if it was deleted, and PartAway."""


class Filtering:
    """Returns the endpoints whose filter does not match an event. bodies: of events that are kept without theirs."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="filters")

    def at_once(self, event: event_pb2.Event, asked: Mapping[str, Filter]) -> frozenset[str] | None:
        """Return unmatched() of an event that has its body; None: it takes too long to be asked here."""
        if not asked:  # nearly always
            return frozenset()
        if len(asked) > _FEW or len(event.variables) > _SMALL:
            return None
        return _reported(event, filters.outcome(asked, filters.document_of(event)))

    async def unmatched(
        self, event: event_pb2.Event, asked: Mapping[str, Filter], *, sequence: int = 0
    ) -> frozenset[str]:
        """Return the endpoints whose filter does not match.

        sequence: of the event in EVENTS, if it is kept without its body. A filter that fails does not match; the log
        says why. Raises PartAway while the body cannot be read.
        """
        if not asked:
            return frozenset()
        variables = await self._body(event, sequence) if sequence else event.variables
        if variables is None:
            return frozenset()  # the delivery says that its content is deleted
        seen = filters.document(event.event_type, variables, event.metadata)
        loop = asyncio.get_running_loop()
        unmatched: set[str] = set()
        errors: dict[str, str] = {}
        left = iter(asked.items())
        while some := dict(islice(left, _TOGETHER)):
            found = await loop.run_in_executor(self._pool, filters.outcome, some, seen)
            unmatched |= found.unmatched
            errors.update(found.errors)
        return _reported(event, Outcome(frozenset(unmatched), errors))

    async def close(self) -> None:
        """End the thread, when it has asked what it was given."""
        self._pool.shutdown(wait=False)

    async def _body(self, event: event_pb2.Event, sequence: int) -> bytes | None:
        """Return the body that is sent; None: it was deleted."""
        referring = event_pb2.Delivery(
            event_id=event.id,
            tenant_id=event.tenant_id,
            body_reference=event_pb2.BodyReference(sequence=sequence),
        )
        try:
            return (await self._bodies.complete(referring)).variables
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return None


def _reported(event: event_pb2.Event, found: Outcome) -> frozenset[str]:
    if found.errors:
        endpoint_ids = list(found.errors)
        log.warning(
            "filters_failed",
            event_id=event.id,
            tenant_id=event.tenant_id,
            endpoint_ids=endpoint_ids[:_SHOWN],
            failed=len(endpoint_ids),
            error=found.errors[endpoint_ids[0]],
        )
    return found.unmatched
