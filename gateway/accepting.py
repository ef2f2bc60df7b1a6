"""Batches triggers for ingest: what arrives while one batch is under way goes into the next one."""

from clarion.ingest.v1 import ingest_pb2
from gateway.clients import Clients
from runtime import telemetry
from runtime.batching import Batcher
from runtime.errors import ClarionError, Code

# Ingest answers after the broker has stored the batch. Clients usually wait about this long, in seconds.
DEADLINE_S = 8.0
MAX_ITEMS = 256
# The bytes of one call, well below gRPC's limit.
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_WAITING = 8192
# This many events are sent at once; fewer wait for the call under way, because larger batches are cheaper.
_BESIDE_FROM = 32
# They wait at most this long, in seconds: a call that hangs must not delay all others.
_PATIENCE_S = 0.1


class TriggerBatcher:
    """Sends events to ingest in batches. Safe for concurrent use. Refuses events past its limits."""

    def __init__(self, clients: Clients, *, max_waiting_bytes: int) -> None:
        self._clients = clients
        self._max_waiting_bytes = max_waiting_bytes
        self._bytes = 0
        self._batcher: Batcher[ingest_pb2.AcceptItem, ingest_pb2.Accepted] = Batcher(
            self._flush,
            max_items=MAX_ITEMS,
            max_waiting=MAX_WAITING,
            max_bytes=MAX_BATCH_BYTES,
            size=ingest_pb2.AcceptItem.ByteSize,
            concurrency=4,
            beside_from=_BESIDE_FROM,
            patience_s=_PATIENCE_S,
            rest_s=0.015,
        )

    async def accept(self, tenant_id: str, event: ingest_pb2.NewEvent) -> ingest_pb2.Accepted:
        """Return once the event is stored. Raises ClarionError: those of ingest, OVERLOADED or UNAVAILABLE."""
        item = ingest_pb2.AcceptItem(tenant_id=tenant_id, event=event)
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
