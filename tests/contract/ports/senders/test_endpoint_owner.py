"""webhooks.ports.EndpointOwner: whether a tenant has an endpoint."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime import grpc
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.senders.webhooks.ports import EndpointOwner
from services.senders.webhooks.router import RouterEndpoints
from tests.conftest import free_port
from tests.contract.ports.implementations import either
from tests.fakes.webhooks import MemoryEndpointOwner

_TOKEN = "token-of-this-test"


@dataclass
class Subject:
    """An implementation, and the world around it. create: gives a tenant an endpoint."""

    owner: EndpointOwner
    create: Callable[[str, str], None]
    go_away: Callable[[], Awaitable[None]]


def _fake() -> Subject:
    owner = MemoryEndpointOwner()

    async def go_away() -> None:
        owner.away = True

    return Subject(owner, lambda tenant_id, endpoint_id: owner.endpoints.add((tenant_id, endpoint_id)), go_away)


class _Router(endpoints_pb2_grpc.EndpointServiceServicer):
    """The router's answers over gRPC."""

    def __init__(self) -> None:
        self.endpoints: set[tuple[str, str]] = set()

    async def GetEndpoint(  # noqa: N802
        self, request: endpoints_pb2.GetEndpointRequest, context: object
    ) -> endpoints_pb2.GetEndpointResponse:
        """Return the endpoint."""
        if (request.tenant_id, request.endpoint_id) not in self.endpoints:
            raise ClarionError(Code.NOT_FOUND, "The tenant has no such endpoint.")
        return endpoints_pb2.GetEndpointResponse(endpoint=endpoints_pb2.Endpoint(id=request.endpoint_id))


@pytest.fixture
async def real() -> AsyncIterator[Subject]:
    """The client over gRPC."""
    servicer = _Router()  # type: ignore[abstract]  # the others are never called
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token=_TOKEN)
    server.add(endpoints_pb2_grpc.add_EndpointServiceServicer_to_server, servicer, "clarion.router.v1.EndpointService")
    await server.start()

    async def go_away() -> None:
        await server.stop(0)

    async with grpc.channel(address) as channel:
        yield Subject(
            RouterEndpoints(channel, grpc.Caller(_TOKEN)),
            lambda tenant_id, endpoint_id: servicer.endpoints.add((tenant_id, endpoint_id)),
            go_away,
        )
    await server.stop(0)


endpoint_owner = either(_fake)


async def test_an_endpoint_of_a_tenant(endpoint_owner: Subject) -> None:
    """Of this one, and of no other."""
    tenant, other, endpoint = new_id(), new_id(), new_id()
    assert not await endpoint_owner.owner.exists(tenant, endpoint)
    endpoint_owner.create(tenant, endpoint)
    assert await endpoint_owner.owner.exists(tenant, endpoint)
    assert not await endpoint_owner.owner.exists(other, endpoint)


async def test_the_owner_is_away(endpoint_owner: Subject) -> None:
    """This is not "there is none"."""
    await endpoint_owner.go_away()
    with pytest.raises(ClarionError) as caught:
        await endpoint_owner.owner.exists(new_id(), new_id())
    assert caught.value.code is Code.UNAVAILABLE
