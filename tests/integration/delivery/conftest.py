"""The worker on real NATS, with a far side that does as it is told and neighbours that answer over real gRPC."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from nats.aio.client import Client

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import claims_pb2_grpc, ledger_pb2_grpc
from clarion.render.v1 import render_pb2_grpc
from runtime import grpc
from runtime.parts import RENDER, OwnParts
from services.delivery.bodies import Bodies
from services.delivery.claims import LedgerClaims
from services.delivery.render_client import RenderClient
from services.delivery.rendered import RenderingAttempter
from services.delivery.worker import DeliveryWorker
from services.domain import topology
from tests.conftest import free_port
from tests.fakes.delivery import SMS, FarSide, Neighbours
from tests.integration.ingest.processes import TOKEN
from tests.streams import Streams

CreateWorker = Callable[..., Any]


class Trace:
    """The records on TRACE and the waiting messages on TIMERS."""

    def __init__(self, streams: Streams, connection: Client) -> None:
        self._streams = streams
        self._jetstream = connection.jetstream(timeout=60)

    async def steps(self, delivery_id: str = "") -> list[trace_pb2.Attempted]:
        """The attempts so far, of one delivery or of all."""
        batches = [trace_pb2.TraceBatch.FromString(data) for data in await self._streams.messages(topology.TRACE)]
        steps = [record.attempted for batch in batches for record in batch.records]
        return [step for step in steps if delivery_id in {"", step.delivery_id}]

    async def is_over(self, delivery_id: str, status: trace_pb2.DeliveryStatus.ValueType) -> bool:
        """Whether its last attempt ended so."""
        steps = await self.steps(delivery_id)
        return bool(steps) and steps[-1].status == status

    async def waiting(self) -> int:
        """How many timers wait."""
        info = await self._jetstream.stream_info(topology.TIMERS, subjects_filter="timers.wait.>")
        return len(info.state.subjects or {})

    async def left(self) -> int:
        """How many messages are not delivered or not acknowledged."""
        infos = [await self._jetstream.consumer_info(one.stream, one.name) for one in topology.delivery_consumers(SMS)]
        return sum((info.num_pending or 0) + (info.num_ack_pending or 0) for info in infos)

    async def all_acked(self) -> bool:
        """Whether nothing is left to deliver."""
        return not await self.left()


@pytest.fixture
def trace(streams: Streams, connection: Client) -> Trace:
    """What the worker leaves behind."""
    return Trace(streams, connection)


@pytest.fixture
async def neighbours() -> AsyncIterator[tuple[Neighbours, str]]:
    """Render and the ledger, and their address."""
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token=TOKEN)
    servicer = Neighbours()  # type: ignore[abstract]  # the other methods are never called
    server.add(render_pb2_grpc.add_RenderServiceServicer_to_server, servicer, "clarion.render.v1.RenderService")
    server.add(ledger_pb2_grpc.add_LedgerServiceServicer_to_server, servicer, "clarion.ingest.v1.LedgerService")
    server.add(claims_pb2_grpc.add_ClaimServiceServicer_to_server, servicer, "clarion.ingest.v1.ClaimService")
    await server.start()
    yield servicer, address
    await server.stop(0)


@pytest.fixture
async def create_worker(connection: Client, neighbours: tuple[Neighbours, str]) -> AsyncIterator[CreateWorker]:
    """Return what starts a worker for text messages at a far side."""
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(grpc.channel(neighbours[1]))
        caller = grpc.Caller(TOKEN)

        def create(far_side: FarSide, **options: Any) -> DeliveryWorker:
            own = options.setdefault("own", OwnParts())
            bodies, renderer = Bodies(connection, channel, caller, own), RenderClient(channel, caller)
            attempter = options.pop("attempter", None) or RenderingAttempter(far_side, bodies, renderer, own)
            claims = options.pop("claims", None) or LedgerClaims(channel, caller)
            worker = DeliveryWorker(connection, [SMS], attempter, claims, needs=[RENDER], **options)
            task = asyncio.create_task(worker.run())

            async def end() -> None:
                far_side.free.set()
                await asyncio.wait_for(worker.drain(), 60)
                await asyncio.wait_for(task, 60)

            stack.push_async_callback(end)
            return worker

        yield create
