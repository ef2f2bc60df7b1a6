"""ports.EndpointOwner: an endpoint is as its owner says; an owner that is away is told apart from one without it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime import grpc
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.endpoints import router_endpoints
from services.ingest.endpoints.ports import EndpointOwner, OwnedEndpoint
from services.ingest.endpoints.router_endpoints import RouterEndpoints
from tests.conftest import free_port
from tests.contract.ports.implementations import either
from tests.fakes.ingest import MemoryEndpointOwner

_TOKEN = "a-token-of-tests"


@dataclass
class Subject:
    """An implementation, and the world around it. asked: for which endpoints its owner was."""

    owner: EndpointOwner
    store: Callable[[str, str, OwnedEndpoint], None]
    go_away: Callable[[], None]
    asked: list[tuple[str, str]]


@dataclass
class _Router(endpoints_pb2_grpc.EndpointServiceServicer):
    """The router, which knows what a test wants."""

    known: dict[tuple[str, str], OwnedEndpoint] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False

    async def GetEndpoint(  # noqa: N802
        self, request: endpoints_pb2.GetEndpointRequest, _: Any
    ) -> endpoints_pb2.GetEndpointResponse:
        """Return the endpoint."""
        key = (request.tenant_id, request.endpoint_id)
        self.asked.append(key)
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "PostgreSQL does not answer.")
        if key not in self.known:
            raise ClarionError(Code.NOT_FOUND, "There is no such endpoint.")
        found = self.known[key]
        endpoint = endpoints_pb2.Endpoint(id=key[1], environment_id=found.environment_id, active=found.active)
        return endpoints_pb2.GetEndpointResponse(endpoint=endpoint)


@pytest.fixture
async def real() -> AsyncIterator[Subject]:
    """The client of a router over gRPC."""
    router, address = _Router(), f"127.0.0.1:{free_port()}"  # type: ignore[abstract]
    server = grpc.GrpcServer(address, token=_TOKEN)
    server.add(endpoints_pb2_grpc.add_EndpointServiceServicer_to_server, router, "clarion.router.v1.EndpointService")
    await server.start()
    connection = grpc.channel(address)
    try:
        owner = RouterEndpoints(connection, grpc.Caller(_TOKEN))

        def store(tenant_id: str, endpoint_id: str, owned: OwnedEndpoint) -> None:
            router.known[tenant_id, endpoint_id] = owned

        def go_away() -> None:
            router.away = True

        yield Subject(owner, store, go_away, router.asked)
    finally:
        await connection.close()
        await server.stop(0)


def _fake() -> Subject:
    owner = MemoryEndpointOwner()

    def store(tenant_id: str, endpoint_id: str, owned: OwnedEndpoint) -> None:
        owner.known[tenant_id, endpoint_id] = owned

    def go_away() -> None:
        owner.away = True

    return Subject(owner, store, go_away, owner.asked)


subject = either(_fake)


async def test_an_endpoint_is_its_tenants(subject: Subject) -> None:
    """Another tenant has no such endpoint."""
    tenant_id, endpoint_id = new_id(), new_id()
    owned = OwnedEndpoint(new_id(), active=False)
    subject.store(tenant_id, endpoint_id, owned)
    assert await subject.owner.endpoint(tenant_id, endpoint_id) == owned
    assert await subject.owner.endpoint(new_id(), endpoint_id) is None


async def test_an_owner_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE: nobody knows."""
    subject.go_away()
    with pytest.raises(ClarionError) as refused:
        await subject.owner.endpoint(new_id(), new_id())
    assert refused.value.code is Code.UNAVAILABLE


async def test_equal_questions_share_a_call(real: Subject) -> None:
    """Also those that follow within a moment, and whatever the answer is."""
    tenant_id, known, unknown = new_id(), new_id(), new_id()
    owned = OwnedEndpoint(new_id(), active=True)
    real.store(tenant_id, known, owned)
    found = await asyncio.gather(*[real.owner.endpoint(tenant_id, known) for _ in range(20)])
    missed = await asyncio.gather(*[real.owner.endpoint(tenant_id, unknown) for _ in range(20)])
    assert (found, missed) == ([owned] * 20, [None] * 20)
    assert await real.owner.endpoint(tenant_id, unknown) is None
    assert sorted(real.asked) == sorted([(tenant_id, known), (tenant_id, unknown)])


async def test_many_questions_are_bounded(real: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound OVERLOADED, so that guessed ids do not pile up; the others are answered, however slowly."""
    monkeypatch.setattr(router_endpoints, "_DEADLINE_S", 60.0)
    tenant_id = new_id()
    answers = await asyncio.gather(
        *[real.owner.endpoint(tenant_id, new_id()) for _ in range(300)], return_exceptions=True
    )
    refused = [answer for answer in answers if answer is not None]
    assert {error.code for error in refused if isinstance(error, ClarionError)} == {Code.OVERLOADED}
    assert len(real.asked) == 300 - len(refused) == 128


async def test_nobody_to_ask() -> None:
    """A process without the router's address cannot know."""
    with pytest.raises(ClarionError) as refused:
        await RouterEndpoints(None, grpc.Caller(_TOKEN)).endpoint(new_id(), new_id())
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_router_of_the_version_before() -> None:
    """It does not know of endpoints: UNAVAILABLE, as long as it runs."""
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token=_TOKEN)
    await server.start()
    connection = grpc.channel(address)
    try:
        with pytest.raises(ClarionError) as refused:
            await RouterEndpoints(connection, grpc.Caller(_TOKEN)).endpoint(new_id(), new_id())
        assert refused.value.code is Code.UNAVAILABLE
    finally:
        await connection.close()
        await server.stop(0)
