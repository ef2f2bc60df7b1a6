"""Appends records to TRACE. Records that wait at the same time share a message; writing returns when it is stored."""

from collections.abc import Sequence

from clarion.common.v1 import trace_pb2
from runtime import nats, tracing
from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.ids import new_id
from services.domain import topology

# Seconds between two messages: no caller's answer depends on a record, so that many can share one.
_PACE_S = 0.03


class TraceWriter:
    """Writes the records of one process, up to max_records in a message."""

    def __init__(self, publisher: nats.StreamPublisher, *, max_records: int = 500) -> None:
        self._publisher = publisher
        self._batcher: Batcher[trace_pb2.TraceRecord, None] = Batcher(
            self._flush,
            BatchLimits(items=max_records, waiting=50_000, bytes=512 * 1024),
            BatchTiming(interval_s=_PACE_S),
            size=lambda record: record.ByteSize(),
        )

    async def write(self, record: trace_pb2.TraceRecord) -> None:
        """Return when the record is stored; gives it an id if it has none. Raises UNAVAILABLE."""
        record.id = record.id or new_id()
        await self._batcher.enqueue(record)

    async def write_all(self, records: Sequence[trace_pb2.TraceRecord]) -> None:
        """Return when all are stored; see write()."""
        for record in records:
            record.id = record.id or new_id()
        await self._batcher.submit_all(records)

    async def drain(self) -> None:
        """Wait until all writes have ended."""
        await self._batcher.drain()

    async def _flush(self, records: list[trace_pb2.TraceRecord]) -> list[None]:
        payload = trace_pb2.TraceBatch(records=records).SerializeToString()
        # Without a message id: if it is published twice, the ledger recognises its records by their ids.
        with tracing.detached():  # the records belong to many events, so this is no step of any of them
            await self._publisher.publish(nats.Outgoing(topology.TRACE_SUBJECT, payload))
        return [None] * len(records)
