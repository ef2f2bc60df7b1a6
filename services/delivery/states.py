"""Client of the ledger: looks up the status of deliveries together."""

import grpc.aio

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ledger_pb2, ledger_pb2_grpc
from runtime.batching import Batcher
from runtime.grpc import Caller


class LedgerStates:
    """Collects waiting questions into GetDeliveryStates calls."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = ledger_pb2_grpc.LedgerServiceStub(connection)
        self._caller = caller
        self._batcher: Batcher[str, trace_pb2.DeliveryStatus.ValueType] = Batcher(self._flush)

    async def state(self, delivery_id: str) -> trace_pb2.DeliveryStatus.ValueType:
        """Return the delivery's status; UNSPECIFIED: the ledger has none. Raises ClarionError if it does not answer."""
        return await self._batcher.enqueue(delivery_id)

    async def _flush(self, delivery_ids: list[str]) -> list[trace_pb2.DeliveryStatus.ValueType]:
        request = ledger_pb2.GetDeliveryStatesRequest(delivery_ids=delivery_ids)
        answer = await self._caller(self._stub.GetDeliveryStates, request, deadline=5.0)
        return list(answer.states)
