"""Batches triggers for ingest: what arrives while one batch is under way goes into the next one."""

from clarion.ingest.v1 import ingest_pb2
from gateway.clients import Clients
from runtime import telemetry, tracing
from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.errors import ClarionError, Code

# Ingest answers after the broker has stored the batch. Clients usually wait about this long, in seconds.
DEADLINE_S = 8.0
MAX_ITEMS = 256
# The bytes of one call, well below gRPC's limit.
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_WAITING = 8192
# An additional call starts for 32 waiting events, or after 0.1 s: fewer wait for the call in progress, which makes all
# that follows cheaper, but a call that hangs must not block everybody.
_TIMING = BatchTiming(rest_s=0.015, concurrency=4, extra_from=32, extra_after_s=0.1)


class TriggerBatcher:
    """Sends events to ingest in batches. Safe for concurrent use. Refuses events past its limits."""

    def __init__(self, clients: Clients, *, max_waiting_bytes: int) -> None:
        self._clients = clients
        self._max_waiting_bytes = max_waiting_bytes
        self._bytes = 0
        self._batcher: Batcher[ingest_pb2.AcceptItem, ingest_pb2.Accepted] = Batcher(
            self._flush,
            BatchLimits(items=MAX_ITEMS, waiting=MAX_WAITING, bytes=MAX_BATCH_BYTES),
            _TIMING,
            size=ingest_pb2.AcceptItem.ByteSize,
        )

    async def accept(self, tenant_id: str, event: ingest_pb2.NewEvent) -> ingest_pb2.Accepted:
        """Return once the event is stored. Raises ClarionError: those of ingest, OVERLOADED or UNAVAILABLE."""
        item = ingest_pb2.AcceptItem(tenant_id=tenant_id, event=event, traceparent=tracing.traceparent())
        size = item.ByteSize()
        if self._bytes + size > self._max_waiting_bytes:
            raise ClarionError(
                Code.OVERLOADED, "Too many events are waiting to be stored. Try again shortly.", retry_after=1
            )
        self._bytes += size
        try:
            return await self._batcher.submit(item)
        finally:
            self._bytes -= size

    async def _flush(self, items: list[ingest_pb2.AcceptItem]) -> list[ingest_pb2.Accepted | BaseException]:
        # A batch has no trace of its own; each event carries its trace id.
        telemetry.bind_trace("")
        request = ingest_pb2.AcceptEventsRequest(items=items)
        answer = await self._clients.call(self._clients.ingest.AcceptEvents, request, deadline=DEADLINE_S)
        return [
            result.accepted if result.HasField("accepted") else ClarionError.from_proto(result.error)
            for result in answer.results
        ]
