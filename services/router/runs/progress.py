"""Holds a run's next page back while too many of its deliveries are open, or a stream is crowded."""

import grpc.aio
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from clarion.ingest.v1 import ledger_pb2, ledger_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller
from runtime.parts import INGEST, OwnParts
from services.domain import topology

# Of one event. The ledger is about half a second behind, and a page of 500 people has up to 1,500 deliveries.
MAX_OPEN = 3_000
# The share of its bound from which a stream is crowded. Budgets of events shrink at twice that (ingest/pressure.py).
CROWDED = 0.25
_DEADLINE_S = 5.0


class LedgerProgress:
    """Implements runs.ports.Progress. max_open: the most open deliveries of an event before its next page."""

    def __init__(
        self, connection: Client, ingest: grpc.aio.Channel, caller: Caller, own: OwnParts, *, max_open: int = MAX_OPEN
    ) -> None:
        self._jetstream = connection.jetstream(timeout=2)
        self._stub = ledger_pb2_grpc.LedgerServiceStub(ingest)
        self._caller = caller
        self._own = own
        self._max_open = max_open

    async def obstacle(self, event_id: str, published: int) -> str:
        """Return "backlog" while too many deliveries are open, "streams" while DELIVERIES or TIMERS is crowded.

        Raises UNAVAILABLE.
        """
        request = ledger_pb2.GetEventProgressRequest(event_id=event_id)
        try:
            answer = await self._own.ask(
                INGEST, lambda: self._caller(self._stub.GetEventProgress, request, deadline=_DEADLINE_S)
            )
        except ClarionError as error:
            # Whatever it is, such as an ingest of an earlier version, the run is not to blame, and must not end.
            message = f"The progress of the deliveries is not known: {error.detail}"
            raise ClarionError(Code.UNAVAILABLE, message, retry_after=1) from error
        if published - answer.settled >= self._max_open:
            return "backlog"
        return "streams" if await self._is_crowded() else ""

    async def _is_crowded(self) -> bool:
        try:
            deliveries = await self._jetstream.stream_info(topology.DELIVERIES)
            timers = await self._jetstream.stream_info(topology.TIMERS)
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise ClarionError(Code.UNAVAILABLE, "The message broker does not answer.", retry_after=1) from error
        # TIMERS has no bound of its own: admission keeps it below that of the others.
        bound = deliveries.config.max_bytes or 0
        return bound > 0 and max(deliveries.state.bytes, timers.state.bytes) >= bound * CROWDED
