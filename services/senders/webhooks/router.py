"""Client of the router, which stores the endpoints."""

import grpc.aio

from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller
from runtime.single_flight import SingleFlight

_DEADLINE_S = 5.0


class RouterEndpoints:
    """See ports.EndpointOwner. Callers who ask for one endpoint at a time share a call."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = endpoints_pb2_grpc.EndpointServiceStub(connection)
        self._caller = caller
        self._flight: SingleFlight[bool] = SingleFlight()

    async def exists(self, tenant_id: str, endpoint_id: str) -> bool:
        """See ports.EndpointOwner."""

        async def request_owner() -> bool:
            request = endpoints_pb2.GetEndpointRequest(tenant_id=tenant_id, endpoint_id=endpoint_id)
            try:
                await self._caller(self._stub.GetEndpoint, request, deadline=_DEADLINE_S)
            except ClarionError as error:
                if error.code is Code.NOT_FOUND:
                    return False
                raise
            return True

        return await self._flight.run(f"{tenant_id}/{endpoint_id}", request_owner)
