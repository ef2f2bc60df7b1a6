"""Events for endpoints at a steady rate, whatever becomes of them."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc.aio
import msgspec

from checks.hostile_endpoints.receivers import Payload
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller

_DEADLINE_S = 15.0
_AT_A_TIME = 8
EVENT_TYPE = "check.hostile"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint of a tenant."""

    tenant_id: str
    id: str


@dataclass
class Doors:
    """The services' gRPC APIs."""

    ingest: grpc.aio.Channel
    router: grpc.aio.Channel
    caller: Caller

    async def create_endpoints(self, tenant_id: str, ports: Sequence[int]) -> list[Endpoint]:
        """Create an endpoint for each port of this machine. Raises ClarionError."""
        stub, slots = endpoints_pb2_grpc.EndpointServiceStub(self.router), asyncio.Semaphore(_AT_A_TIME)

        async def create(port: int) -> Endpoint:
            wanted = endpoints_pb2.Endpoint(url=f"http://127.0.0.1:{port}/in")
            request = endpoints_pb2.CreateEndpointRequest(tenant_id=tenant_id, endpoint=wanted)
            async with slots:
                answer = await self.caller(stub.CreateEndpoint, request, deadline=_DEADLINE_S)
            return Endpoint(tenant_id, answer.endpoint.id)

        return list(await asyncio.gather(*(create(port) for port in ports)))


@dataclass
class Load:
    """A load on some endpoints in turn. refused: by the error's code. rate: events a second. prefix: of their ids."""

    doors: Doors
    endpoints: Sequence[Endpoint]
    rate: float
    prefix: str
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    async def run(self, seconds: float) -> None:
        """Send each event when it is due; those that are due together in one call."""
        turn, began, number = itertools.cycle(self.endpoints), time.time(), 0
        async with asyncio.TaskGroup() as group:
            while number < seconds * self.rate:
                items = []
                while number < seconds * self.rate and (due := began + number / self.rate) <= time.time():
                    items.append(self._item(next(turn), number, due))
                    number += 1
                if items:
                    group.create_task(self._accept(items))
                await asyncio.sleep(max(0.0, began + number / self.rate - time.time()))

    def _item(self, endpoint: Endpoint, number: int, due: float) -> ingest_pb2.AcceptItem:
        event = ingest_pb2.NewEvent(
            event_type=EVENT_TYPE,
            variables=msgspec.json.encode(Payload(f"{self.prefix}{number}", due)),
            dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE),
            to_endpoints=ingest_pb2.ToEndpoints(endpoint_id=endpoint.id),
        )
        return ingest_pb2.AcceptItem(tenant_id=endpoint.tenant_id, event=event)

    async def _accept(self, items: list[ingest_pb2.AcceptItem]) -> None:
        stub = ingest_pb2_grpc.IngestServiceStub(self.doors.ingest)
        request = ingest_pb2.AcceptEventsRequest(items=items)
        try:
            answer = await self.doors.caller(stub.AcceptEvents, request, deadline=_DEADLINE_S)
        except ClarionError as error:
            self.refused[error.code.name] += len(items)
            return
        for result in answer.results:
            if result.HasField("accepted"):
                self.accepted += 1
            else:
                self.refused[Code(result.error.code).name] += 1
