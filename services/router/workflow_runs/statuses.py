"""Asks the ledger what became of deliveries, for the rules of workflows."""

from collections.abc import Sequence

import grpc.aio

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ledger_pb2, ledger_pb2_grpc
from runtime.batching import Batcher, BatchLimits
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller
from runtime.parts import INGEST, OwnParts

_DEADLINE_S = 5.0
# Of one call.
_MAX_ASKED = 500


class LedgerStatuses:
    """Implements ports.Statuses: runs that ask at the same time share calls."""

    def __init__(self, ingest: grpc.aio.Channel, caller: Caller, own: OwnParts) -> None:
        self._stub = ledger_pb2_grpc.LedgerServiceStub(ingest)
        self._caller = caller
        self._own = own
        # What counts as the bytes of an item is the number of its ids.
        limits = BatchLimits(bytes=_MAX_ASKED)
        self._batcher: Batcher[Sequence[str], Sequence[trace_pb2.DeliveryStatus.ValueType]] = Batcher(
            self._ask, limits, size=len
        )

    async def of(self, delivery_ids: Sequence[str]) -> Sequence[trace_pb2.DeliveryStatus.ValueType]:
        """See ports.Statuses. The ledger answers when it has read all that was recorded before the question."""
        return await self._batcher.submit(delivery_ids)

    async def _ask(self, asked: Sequence[Sequence[str]]) -> Sequence[Sequence[trace_pb2.DeliveryStatus.ValueType]]:
        request = ledger_pb2.GetDeliveryStatesRequest(delivery_ids=[id_ for ids in asked for id_ in ids])
        try:
            answer = await self._own.ask(
                INGEST, lambda: self._caller(self._stub.GetDeliveryStates, request, deadline=_DEADLINE_S)
            )
        except ClarionError as error:
            # Whatever it is, the run is not to blame, and must not end.
            message = f"The statuses of the deliveries are not known: {error.detail}"
            raise ClarionError(Code.UNAVAILABLE, message, retry_after=1) from error
        states = iter(answer.states)
        return [[next(states) for _ in ids] for ids in asked]
