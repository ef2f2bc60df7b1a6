"""The worker on real NATS, with a far side that does as it is told and neighbours that answer over real gRPC."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2, ledger_pb2_grpc
from clarion.render.v1 import render_pb2, render_pb2_grpc
from runtime import grpc, nats
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id, new_id
from runtime.parts import OwnParts
from services.delivery.bodies import Bodies
from services.delivery.ports import SendResult, Verdict
from services.delivery.render_client import RenderClient
from services.delivery.states import LedgerStates
from services.delivery.worker import DeliveryWorker
from services.domain import topology
from tests.conftest import free_port
from tests.integration.ingest.conftest import Streams
from tests.integration.ingest.processes import TOKEN

SMS = event_pb2.CHANNEL_SMS
CreateWorker = Callable[..., Any]


@dataclass
class Neighbours(render_pb2_grpc.RenderServiceServicer, ledger_pb2_grpc.LedgerServiceServicer):
    """Render and the ledger. rendered: the result of each item; states: of the deliveries that the ledger knows."""

    rendered: render_pb2.RenderResult = field(
        default_factory=lambda: render_pb2.RenderResult(content=render_pb2.Content(text="Hello"))
    )
    states: dict[str, trace_pb2.DeliveryStatus.ValueType] = field(default_factory=dict)
    render_away: bool = False
    ledger_away: bool = False
    # What the ledger has of events, by id; and what was rendered.
    bodies: dict[str, ledger_pb2.GetEventBodyResponse] = field(default_factory=dict)
    items: list[render_pb2.RenderItem] = field(default_factory=list)

    async def RenderBatch(  # noqa: N802
        self, request: render_pb2.RenderBatchRequest, _: Any
    ) -> render_pb2.RenderBatchResponse:
        """The same for all."""
        if self.render_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        self.items += request.items
        return render_pb2.RenderBatchResponse(results=[self.rendered] * len(request.items))

    async def GetDeliveryStates(  # noqa: N802
        self, request: ledger_pb2.GetDeliveryStatesRequest, _: Any
    ) -> ledger_pb2.GetDeliveryStatesResponse:
        """As told."""
        if self.ledger_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        unknown = trace_pb2.DELIVERY_STATUS_UNSPECIFIED
        return ledger_pb2.GetDeliveryStatesResponse(
            states=[self.states.get(id_, unknown) for id_ in request.delivery_ids]
        )

    async def GetEventBody(  # noqa: N802
        self, request: ledger_pb2.GetEventBodyRequest, _: Any
    ) -> ledger_pb2.GetEventBodyResponse:
        """As told."""
        if self.ledger_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        if request.event_id not in self.bodies:
            raise ClarionError(Code.NOT_FOUND, "not kept")
        return self.bodies[request.event_id]


@dataclass
class FarSide:
    """An Attempter. answers: the results of its attempts in turn, the last one for ever; hung: slots that hang."""

    answers: Sequence[SendResult | Exception] = field(default_factory=lambda: [SendResult(Verdict.SENT, "test")])
    hung: set[str] = field(default_factory=set)
    # Delivery and attempt, in order, and when (time.time).
    calls: list[tuple[str, int, float]] = field(default_factory=list)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """One for each tenant."""
        return delivery.tenant_id

    async def attempt(self, delivery: event_pb2.Delivery, content: render_pb2.Content) -> SendResult:
        """Note the call and answer it."""
        self.calls.append((delivery.id, delivery.attempt, time.time()))
        answer = self.answers[min(sum(id_ == delivery.id for id_, *_ in self.calls), len(self.answers)) - 1]
        if delivery.tenant_id in self.hung:
            await self.free.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def attempted(self) -> list[str]:
        """The ids of the deliveries, in the order of their attempts."""
        return [id_ for id_, *_ in self.calls]


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

    async def all_acked(self) -> bool:
        """Whether nothing is left to deliver."""
        infos = [await self._jetstream.consumer_info(one.stream, one.name) for one in topology.delivery_consumers(SMS)]
        return not any(info.num_pending or info.num_ack_pending for info in infos)


def delivery(tenant_id: str = "", **fields: Any) -> event_pb2.Delivery:
    """A text message as the router makes it, just now."""
    event_id, now_us = new_id(), time.time_ns() // 1000
    defaults = {
        "id": derived_id(event_id),
        "event_id": event_id,
        "tenant_id": tenant_id or new_id(),
        "channel": SMS,
        "accepted_at_us": now_us,
        "planned_at_us": now_us,
        "attempt": 1,
    }
    return event_pb2.Delivery(**{**defaults, **fields})


def queued(one: event_pb2.Delivery) -> nats.Outgoing:
    """Its message."""
    return nats.Outgoing(topology.delivery_subject(SMS, one.tenant_id), one.SerializeToString(), one.id)


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
            renderer, states = RenderClient(channel, caller), LedgerStates(channel, caller)
            bodies = Bodies(connection, channel, caller, options.setdefault("own", OwnParts()))
            worker = DeliveryWorker(connection, [SMS], far_side, renderer, states, bodies, **options)
            task = asyncio.create_task(worker.run())

            async def end() -> None:
                far_side.free.set()
                await asyncio.wait_for(worker.drain(), 60)
                await asyncio.wait_for(task, 60)

            stack.push_async_callback(end)
            return worker

        yield create
