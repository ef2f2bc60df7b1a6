"""The senders process itself: an endpoint over HTTP that fails and recovers, and the tenant that is notified of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from nats.aio.client import Client

from clarion.ingest.v1 import claims_pb2, claims_pb2_grpc, ingest_pb2, ingest_pb2_grpc
from clarion.router.v1 import endpoints_pb2 as router_pb2
from clarion.router.v1 import endpoints_pb2_grpc as router_pb2_grpc
from clarion.senders.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime import bucket_keys, grpc
from runtime.encryption import Vault
from services.domain import topology
from tests.conftest import free_port
from tests.integration.senders.parking.world import delivery
from tests.integration.senders.processes import TOKEN, Senders, variables_for
from tests.unit.senders.builders import TENANT
from tests.unit.senders.webhooks import builders
from tests.waiting import eventually


@dataclass
class Neighbours(
    claims_pb2_grpc.ClaimServiceServicer, ingest_pb2_grpc.IngestServiceServicer, router_pb2_grpc.EndpointServiceServicer
):
    """The ledger, ingest and the router."""

    accepted: list[ingest_pb2.AcceptItem] = field(default_factory=list)
    disabled: list[router_pb2.DisableEndpointRequest] = field(default_factory=list)

    async def ClaimDeliveries(  # noqa: N802
        self, request: claims_pb2.ClaimDeliveriesRequest, _: Any
    ) -> claims_pb2.ClaimDeliveriesResponse:
        """Nothing was ever heard of."""
        return claims_pb2.ClaimDeliveriesResponse(states=[claims_pb2.ClaimState()] * len(request.claims))

    async def AcceptEvents(  # noqa: N802
        self, request: ingest_pb2.AcceptEventsRequest, _: Any
    ) -> ingest_pb2.AcceptEventsResponse:
        """Accept everything."""
        self.accepted += request.items
        result = ingest_pb2.AcceptResult(accepted=ingest_pb2.Accepted())
        return ingest_pb2.AcceptEventsResponse(results=[result] * len(request.items))

    async def DisableEndpoint(  # noqa: N802
        self, request: router_pb2.DisableEndpointRequest, _: Any
    ) -> router_pb2.DisableEndpointResponse:
        """Disable it."""
        self.disabled.append(request)
        return router_pb2.DisableEndpointResponse(disabled=True)


@dataclass
class Receiver:
    """An endpoint over HTTP."""

    status: int = 200
    ids: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Note the message."""
        self.ids.append(request.headers["webhook-id"])
        if self.status < 300:
            self.received.append(request.headers["webhook-id"])
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    """The endpoint, and its URL."""
    made, app = Receiver(), web.Application()
    app.router.add_post("/in", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made, f"http://127.0.0.1:{port}/in"
    await runner.cleanup()


@pytest.fixture
async def neighbours() -> AsyncIterator[tuple[Neighbours, str]]:
    """The other services, and their address."""
    servicer = Neighbours()  # type: ignore[abstract]  # the other methods are never called
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token=TOKEN)
    server.add(claims_pb2_grpc.add_ClaimServiceServicer_to_server, servicer, "clarion.ingest.v1.ClaimService")
    server.add(ingest_pb2_grpc.add_IngestServiceServicer_to_server, servicer, "clarion.ingest.v1.IngestService")
    server.add(router_pb2_grpc.add_EndpointServiceServicer_to_server, servicer, "clarion.router.v1.EndpointService")
    await server.start()
    yield servicer, address
    await server.stop(0)


@pytest.fixture
async def senders(
    postgres_url: str, nats_url: str, connection: Client, tmp_path: Path, neighbours: tuple[Neighbours, str]
) -> AsyncIterator[Senders]:
    """A running senders process, with short times."""
    async with AsyncExitStack() as stack:
        address, others = f"127.0.0.1:{free_port()}", neighbours[1]
        variables = variables_for(
            CLARION_GRPC_ADDRESS=address,
            CLARION_POSTGRES_URL=postgres_url,
            CLARION_NATS_URL=nats_url,
            CLARION_RENDER_ADDRESS=others,
            CLARION_INGEST_ADDRESS=others,
            CLARION_ROUTER_ADDRESS=others,
            CLARION_WEBHOOK_TIME_SCALE="0.0001",
            CLARION_WEBHOOK_PROBE_S="2000",
            CLARION_WEBHOOK_LONGEST_PROBE_S="2000",
            CLARION_WEBHOOK_DISABLE_AFTER_S="30000",
            CLARION_WEBHOOK_BREAKER_FAILURES="3",
            CLARION_EGRESS_WEBHOOK_ALLOW="127.0.0.1:*",
            CLARION_EGRESS_WEBHOOK_PORTS=",".join(map(str, range(10_000, 20_000))),
        )
        running = Senders(variables, tmp_path / "senders.log", address, connection, stack)
        await running.tenant()
        await running.start()
        try:
            yield running
        finally:
            running.process.kill()
            running.process.wait()


async def test_down_recovered_disabled(
    senders: Senders, receiver: tuple[Receiver, str], neighbours: tuple[Neighbours, str], connection: Client
) -> None:
    """An endpoint fails: what comes waits, the tenant is notified; it recovers: all arrives, each message once.

    It fails again, for longer than is allowed, and is disabled.
    """
    far_side, url = receiver
    known = neighbours[0]
    endpoint = builders.endpoint(Vault(senders.variables["CLARION_ENCRYPTION_KEYS"]), url, revision=5)
    bucket = await connection.jetstream(timeout=60).key_value(bucket_keys.BUCKET)
    for event_type in ("endpoint.down", "endpoint.recovered", "endpoint.disabled"):
        await bucket.put(topology.subscribers_key(TENANT, event_type), b"[]")
    await bucket.put(topology.endpoint_key(TENANT, endpoint.id), msgspec.json.encode(endpoint))
    far_side.status = 503
    made = [delivery(endpoint.id) for _ in range(12)]
    await senders.deliver(*made)
    await eventually(lambda: _types(known) == ["endpoint.down"])
    state = await _state(senders, endpoint.id)
    assert state.state == endpoints_pb2.BREAKER_STATE_OPEN
    await eventually(lambda: _parked(senders, endpoint.id, 1))
    far_side.status = 200
    ids = {f"msg_{one.id.replace('-', '')}" for one in made}
    await eventually(lambda: set(far_side.received) == ids)
    await eventually(lambda: _types(known) == ["endpoint.down", "endpoint.recovered"])
    assert len(far_side.received) == len(ids)
    await eventually(lambda: _parked(senders, endpoint.id, 0))
    far_side.status = 500
    await senders.deliver(*[delivery(endpoint.id) for _ in range(4)])
    await eventually(lambda: known.disabled)
    [request] = known.disabled
    assert (request.endpoint_id, request.reason, request.revision) == (endpoint.id, "failing", 5)
    await eventually(lambda: "endpoint.disabled" in _types(known))
    item = known.accepted[-1]
    assert item.event.to_endpoints.HasField("subscribers")
    assert item.event.scope == endpoint.environment_id
    assert await senders.stop(15) == 0
    assert "Traceback" not in await asyncio.to_thread(senders.log.read_text)


def _types(known: Neighbours) -> list[str]:
    return [item.event.event_type for item in known.accepted]


async def _state(senders: Senders, endpoint_id: str) -> endpoints_pb2.GetEndpointStateResponse:
    async with grpc.channel(senders.address) as channel:
        stub = endpoints_pb2_grpc.ParkingServiceStub(channel)
        request = endpoints_pb2.GetEndpointStateRequest(tenant_id=TENANT, endpoint_id=endpoint_id)
        answer: endpoints_pb2.GetEndpointStateResponse = await grpc.Caller(TOKEN)(
            stub.GetEndpointState, request, deadline=30
        )
        return answer


async def _parked(senders: Senders, endpoint_id: str, least: int) -> bool:
    state = await _state(senders, endpoint_id)
    return state.parked >= least if least else state.parked == 0
