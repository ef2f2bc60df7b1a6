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


class EndingRows(Protocol):
    """See services.senders.webhooks.parking.rows. Each method raises UNAVAILABLE."""

    async def settle(self, outcome: Ended | Kept) -> bool:
        """Store what became of a row; see ports.Rows."""


class ErasableRows(EndingRows, Protocol):
    """See services.senders.webhooks.parking.rows. Each method raises UNAVAILABLE."""

    async def of_events(self, tenant_id: str, event_ids: Sequence[str], delivery_ids: Sequence[str]) -> list[Row]:
        """Return the rows of events, or only of some deliveries of them; empty delivery_ids: of all."""


async def end_rows(found: Sequence[Row], rows: EndingRows, trace: Trace, reason: Reason, now_us: int) -> None:
    """End rows as skipped, for this reason: first the records, so that none of them gets lost. Raises UNAVAILABLE."""
    skipped = trace_pb2.DELIVERY_STATUS_SKIPPED
    await trace.write_all([records.ended_unsent(row.delivery, skipped, reason, now_us) for row in found])
    await asyncio.gather(*[rows.settle(Ended(row, frees=True)) for row in found])


class ParkedEraser:
    """Ends rows as skipped, because the recipient was erased."""

    def __init__(self, rows: ErasableRows, trace: Trace, *, now: clock.Clock) -> None:
        self._rows = rows
        self._trace = trace
        self._now = now

    async def erase(self, tenant_id: str, event_ids: Sequence[str], delivery_ids: Sequence[str]) -> int:
        """End the rows; return how many. Raises UNAVAILABLE."""
        rows = await self._rows.of_events(tenant_id, event_ids, delivery_ids)
        await end_rows(rows, self._rows, self._trace, Reason.RECIPIENT_ERASED, self._now())
        if rows:
            log.info("parked_erased", tenant_id=tenant_id, rows=len(rows))
        return len(rows)
