"""ActivityService: wire to stores."""

import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from clarion.ingest.v1 import activity_pb2, activity_pb2_grpc
from runtime import clock, logs, postgres
from services.domain.checks import check_tenant_ids, invalid
from services.domain.searching import check_search
from services.ingest.activity import found, shown
from services.ingest.activity.counts import fold, span_of
from services.ingest.activity.search import SearchReader
from services.ingest.activity.store import ActivityStore
from services.ingest.activity.tail import Batch, Tail
from services.ingest.database import database_errors
from services.ingest.ledger.reader import LedgerReader
from services.ingest.ledger.servicer import LISTED
from services.ingest.ledger.summaries import event_summary
from services.ingest.time_range import check_time_range

NAME = "clarion.ingest.v1.ActivityService"

log = logs.get(__name__)


class ActivityServicer(activity_pb2_grpc.ActivityServiceServicer):
    """See proto/clarion/ingest/v1/activity.proto."""

    def __init__(
        self,
        store: ActivityStore,
        search: SearchReader,
        reader: LedgerReader,
        tail: Tail,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._search = search
        self._reader = reader
        self._tail = tail
        self._now = now

    async def Tail(self, request: activity_pb2.TailRequest, context: Any) -> AsyncIterator[activity_pb2.TailResponse]:
        """Stream events as they change."""
        async for batch in self._tail.batches(check_tenant_ids(request.tenant_ids) or ()):
            yield await self._read(batch)

    async def _read(self, batch: Batch) -> activity_pb2.TailResponse:
        answer = activity_pb2.TailResponse(skipped=batch.skipped, interrupted=batch.interrupted)
        if batch.events:
            try:
                events = await self._reader.events(batch.events, LISTED)
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("tail_cannot_read", error=repr(error))
                answer.interrupted = True
                return answer
            answer.events.extend(
                event_summary(event.row, event.deliveries, event.counts)
                for event in events
                if event.row["accepted_at"] is not None
            )
        return answer

    @database_errors
    async def GetOverview(
        self, request: activity_pb2.GetOverviewRequest, context: Any
    ) -> activity_pb2.GetOverviewResponse:
        """Return counts by time."""
        tenants = check_tenant_ids(request.tenant_ids) or ()
        check_time_range(request.since_us, request.until_us)
        now_us = self._now()
        if request.until_us <= request.since_us or request.since_us < 0:
            raise invalid("since", "must be earlier than until, and not before 1970")
        if request.until_us > now_us + shown.MAX_AHEAD_US:
            raise invalid("until", "must not be more than a day ahead")
        span = span_of(request.since_us, request.until_us, now_us, max(1, len(tenants)))
        started = time.perf_counter()
        overview = fold(await self._store.counts(tenants, span))
        oldest = await self._store.oldest(tenants)
        waiting = None if oldest is None else await self._store.waiting_delivery(oldest["id"])
        log.debug("overview_read", ms=round((time.perf_counter() - started) * 1000, 1))
        return shown.overview_response(overview, span, oldest, waiting)

    @database_errors
    async def Search(self, request: activity_pb2.SearchRequest, context: Any) -> activity_pb2.SearchResponse:
        """Return what has this id."""
        query, tenants, limit = check_search(request)
        return activity_pb2.SearchResponse(hits=found.hits(await self._search.find(query, tenants, limit), limit))
