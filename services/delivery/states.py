"""The ledger, asked where deliveries stand."""

import grpc.aio

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ledger_pb2, ledger_pb2_grpc
from runtime.batching import Batcher
from runtime.grpc import Caller


class LedgerStates:
    """Collects what waits into GetDeliveryStates calls."""

    def __init__(self, channel: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        self._caller = caller
        self._batcher: Batcher[str, trace_pb2.DeliveryStatus.ValueType] = Batcher(self._flush)

    async def state(self, delivery_id: str) -> trace_pb2.DeliveryStatus.ValueType:
        """Return the delivery's status; UNSPECIFIED: never heard of. Raises ClarionError when the ledger is away."""
        return await self._batcher.enqueue(delivery_id)

    async def _flush(self, delivery_ids: list[str]) -> list[trace_pb2.DeliveryStatus.ValueType]:
        request = ledger_pb2.GetDeliveryStatesRequest(delivery_ids=delivery_ids)
        answer = await self._caller(self._stub.GetDeliveryStates, request, deadline=5.0)
        return list(answer.states)
