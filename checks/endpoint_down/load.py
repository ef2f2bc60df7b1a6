"""A steady load of events for one endpoint. What is not accepted is tried again with the same key."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import grpc.aio
import msgspec

from checks.endpoint_down.receiver import Payload
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller

EVENT_TYPE = "check.down"
_DEADLINE_S = 15.0
# Between the calls of a load, and before one that was not answered is repeated, seconds.
_TICK_S, _PAUSE_S = 0.1, 0.5


@dataclass(frozen=True)
class Doors:
    """The services' gRPC APIs."""

    ingest: grpc.aio.Channel
    router: grpc.aio.Channel
    caller: Caller

    async def create_endpoint(self, tenant_id: str, port: int) -> str:
        """Create an endpoint at a port of this machine; return its id. Raises ClarionError."""
        wanted = endpoints_pb2.Endpoint(url=f"http://127.0.0.1:{port}/in")
        request = endpoints_pb2.CreateEndpointRequest(tenant_id=tenant_id, endpoint=wanted)
        stub = endpoints_pb2_grpc.EndpointServiceStub(self.router)
        return str((await self.caller(stub.CreateEndpoint, request, deadline=_DEADLINE_S)).endpoint.id)


@dataclass
class Load:
    """Events for one endpoint. accepted: the ids of events by those of their payloads. refused: by the error's code."""

    doors: Doors
    tenant_id: str
    endpoint_id: str
    prefix: str
    accepted: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    _sent: int = 0

    async def run(self, rate: float, seconds: float) -> None:
        """Send rate events a second for so long, and wait until all are accepted."""
        began, first = time.time(), self._sent
        async with asyncio.TaskGroup() as group:
            while (at := time.time() - began) < seconds:
                wanted = first + int(at * rate)
                if wanted > self._sent:
                    group.create_task(self._accept(range(self._sent, wanted)))
                    self._sent = wanted
                await asyncio.sleep(_TICK_S)

    async def send(self, count: int, *, are_cursed: bool = False) -> None:
        """Send so many at once."""
        numbers = range(self._sent, self._sent + count)
        self._sent += count
        await self._accept(numbers, are_cursed=are_cursed)

    async def _accept(self, numbers: range, *, are_cursed: bool = False) -> None:
        stub = ingest_pb2_grpc.IngestServiceStub(self.doors.ingest)
        left = [Payload(f"{self.prefix}{number}", time.time(), are_cursed) for number in numbers]
        while left:
            items = list(map(self._item, left))
            try:
                request = ingest_pb2.AcceptEventsRequest(items=items)
                answer = await self.doors.caller(stub.AcceptEvents, request, deadline=_DEADLINE_S)
                results = list(answer.results)
            except ClarionError as error:
                self.refused[error.code.name] += len(left)
                await asyncio.sleep(_PAUSE_S)
                continue
            again = []
            for payload, result in zip(left, results, strict=True):
                if result.HasField("accepted"):
                    self.accepted[payload.id] = result.accepted.event_id
                else:
                    self.refused[Code(result.error.code).name] += 1
                    again.append(payload)
            left = again
            if left:
                await asyncio.sleep(_PAUSE_S)

    def _item(self, payload: Payload) -> ingest_pb2.AcceptItem:
        event = ingest_pb2.NewEvent(
            event_type=EVENT_TYPE,
            variables=msgspec.json.encode(payload),
            dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key=payload.id),
            to_endpoints=ingest_pb2.ToEndpoints(endpoint_id=self.endpoint_id),
        )
        return ingest_pb2.AcceptItem(tenant_id=self.tenant_id, event=event)
