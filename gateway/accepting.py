"""Batches triggers for ingest: what arrives while one batch is under way goes into the next one."""

from clarion.ingest.v1 import ingest_pb2
from gateway.clients import Clients
from gateway.revisions import Revisions
from runtime import clock, telemetry, tracing
from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.errors import ClarionError, Code

# Ingest answers after the broker has stored the batch. Clients usually wait about this long, in seconds.
DEADLINE_S = 8.0
# How long ingest may take after an event's answer_by_us until it knows what became of the event, in seconds: the
# broker's deadline, the question which event was first, and the correction of its key.
STORING_S = 10.0
# The longest that a call takes, however late an event may be answered, in seconds.
LONGEST_S = 60.0
MAX_ITEMS = 256
# The bytes of one call, well below gRPC's limit.
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_WAITING = 8192
# An additional call starts for 32 waiting events, or after 0.1 s: fewer wait for the call in progress, which makes all
# that follows cheaper, but a call that hangs must not block everybody.
_TIMING = BatchTiming(rest_s=0.015, concurrency=4, extra_from=32, extra_after_s=0.1)
_SECOND_US = 1_000_000

_Batcher = Batcher[ingest_pb2.AcceptItem, ingest_pb2.Accepted]


class TriggerBatcher:
    """Sends events to ingest in batches. Safe for concurrent use. Refuses events past its limits.

    Events for endpoints alone, and those that start stored workflows, have batches of their own: ingest may wait for a
    copy that has what was just changed, and an answer comes when all events of its batch have theirs. revisions: what
    changes of endpoints and workflows answered.
    """

    def __init__(
        self,
        clients: Clients,
        *,
        max_waiting_bytes: int,
        revisions: Revisions | None = None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._clients = clients
        self._max_waiting_bytes = max_waiting_bytes
        self._revisions = revisions or Revisions()
        self._now = now
        self._bytes = 0
        self._batcher = self._make_batcher()
        self._defined = self._make_batcher()

    async def accept(self, tenant_id: str, event: ingest_pb2.NewEvent) -> ingest_pb2.Accepted:
        """Return once the event is stored.

        Raises ClarionError: those of ingest, OVERLOADED or UNAVAILABLE. Of an event with answer_by_us: TIMEOUT if that
        time came before the event could be stored; after UNAVAILABLE it is not known whether it is.
        """
        item = ingest_pb2.AcceptItem(tenant_id=tenant_id, event=event, traceparent=tracing.traceparent())
        batcher = self._batcher
        if event.HasField("to_endpoints") or event.HasField("workflows"):
            item.revision = self._revisions.of(tenant_id)
            batcher = self._defined
        size = item.ByteSize()
        if self._bytes + size > self._max_waiting_bytes:
            raise ClarionError(
                Code.OVERLOADED, "Too many events are waiting to be stored. Try again shortly.", retry_after=1
            )
        within = max(0.0, (event.answer_by_us - self._now()) / _SECOND_US) if event.answer_by_us else None
        self._bytes += size
        try:
            return await batcher.submit(item, within=within)
        finally:
            self._bytes -= size

    def _make_batcher(self) -> _Batcher:
        return Batcher(
            self._flush,
            BatchLimits(items=MAX_ITEMS, waiting=MAX_WAITING, bytes=MAX_BATCH_BYTES),
            _TIMING,
            size=ingest_pb2.AcceptItem.ByteSize,
        )

    async def _flush(self, items: list[ingest_pb2.AcceptItem]) -> list[ingest_pb2.Accepted | BaseException]:
        # A batch has no trace of its own; each event carries its trace id.
        telemetry.bind_trace("")
        request = ingest_pb2.AcceptEventsRequest(items=items)
        answer = await self._clients.call(self._clients.ingest.AcceptEvents, request, deadline=self._deadline_s(items))
        return [
            result.accepted if result.HasField("accepted") else ClarionError.from_proto(result.error)
            for result in answer.results
        ]

    def _deadline_s(self, items: list[ingest_pb2.AcceptItem]) -> float:
        """Return how long to wait for ingest: until it knows of every event whether it is stored."""
        latest = max(item.event.answer_by_us for item in items)
        if not latest:
            return DEADLINE_S
        return min(LONGEST_S, max(DEADLINE_S, (latest - self._now()) / _SECOND_US + STORING_S))
