"""Erasure: what waits of an erased person's events ends, and nothing of it is kept."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from clarion.common.v1 import trace_pb2
from runtime import clock, logs
from services.delivery import records
from services.domain.reasons import Reason
from services.senders.webhooks.parking.ports import Ended, Kept, Row, Trace

log = logs.get(__name__)


class ErasableRows(Protocol):
    """See services.senders.webhooks.parking.rows. Each method raises UNAVAILABLE."""

    async def of_events(self, tenant_id: str, event_ids: Sequence[str], delivery_ids: Sequence[str]) -> list[Row]:
        """Return the rows of events, or only of some deliveries of them; empty delivery_ids: of all."""

    async def settle(self, outcome: Ended | Kept) -> None:
        """Store what became of a row."""


class ParkedEraser:
    """Ends rows as skipped, because the recipient was erased."""

    def __init__(self, rows: ErasableRows, trace: Trace, *, now: clock.Clock) -> None:
        self._rows = rows
        self._trace = trace
        self._now = now

    async def erase(self, tenant_id: str, event_ids: Sequence[str], delivery_ids: Sequence[str]) -> int:
        """End the rows; return how many. Raises UNAVAILABLE."""
        rows = await self._rows.of_events(tenant_id, event_ids, delivery_ids)
        now, skipped = self._now(), trace_pb2.DELIVERY_STATUS_SKIPPED
        await self._trace.write_all(
            [records.ended_unsent(row.delivery, skipped, Reason.RECIPIENT_ERASED, now) for row in rows]
        )
        await asyncio.gather(*[self._rows.settle(Ended(row)) for row in rows])
        if rows:
            log.info("parked_erased", tenant_id=tenant_id, rows=len(rows))
        return len(rows)
