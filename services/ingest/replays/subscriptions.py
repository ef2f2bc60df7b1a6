"""Asks the router what an endpoint subscribes to."""

import grpc.aio

from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime.grpc import Caller
from services.ingest.replays.pages import Subscribed

_DEADLINE_S = 2.0


class RouterSubscriptions:
    """Reads endpoints and their subscriptions from the router, which owns them."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = endpoints_pb2_grpc.EndpointServiceStub(connection)
        self._caller = caller

    async def of(self, tenant_id: str, endpoint_id: str) -> Subscribed:
        """Return the types that an endpoint subscribes to, perhaps none. Raises NOT_FOUND, UNAVAILABLE."""
        wanted = endpoints_pb2.GetEndpointRequest(tenant_id=tenant_id, endpoint_id=endpoint_id)
        found = await self._caller(self._stub.GetEndpoint, wanted, deadline=_DEADLINE_S)
        listed = endpoints_pb2.ListSubscriptionsRequest(tenant_id=tenant_id, endpoint_id=endpoint_id)
        answer = await self._caller(self._stub.ListSubscriptions, listed, deadline=_DEADLINE_S)
        return Subscribed(found.endpoint.environment_id, [one.event_type for one in answer.subscriptions])
