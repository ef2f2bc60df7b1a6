"""Client of the router, which owns the suppressions."""

from collections.abc import Sequence

import grpc.aio

from clarion.router.v1 import suppressions_pb2, suppressions_pb2_grpc
from runtime.grpc import Caller

_DEADLINE_S = 4.0


class RouterSuppressor:
    """See ports.Suppressor."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = suppressions_pb2_grpc.SuppressionServiceStub(connection)
        self._caller = caller

    async def suppress(self, wanted: Sequence[suppressions_pb2.NewSuppression]) -> None:
        """See ports.Suppressor."""
        request = suppressions_pb2.SuppressRequest(suppressions=wanted)
        await self._caller(self._stub.Suppress, request, deadline=_DEADLINE_S)
