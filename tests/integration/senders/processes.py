"""The senders process, its neighbours, and the ways to it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import claims_pb2, claims_pb2_grpc
from clarion.render.v1 import render_pb2, render_pb2_grpc
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime import bucket_keys, grpc, nats
from services.domain import topology
from tests.conftest import free_port
from tests.keyed import KEY
from tests.streams import messages_of
from tests.unit.senders import builders
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually

TOKEN = "token-of-this-test"
_ADDRESSES = (
    "CLARION_GRPC_ADDRESS",
    "CLARION_RENDER_ADDRESS",
    "CLARION_INGEST_ADDRESS",
    "CLARION_ROUTER_ADDRESS",
)


class _Neighbours(render_pb2_grpc.RenderServiceServicer, claims_pb2_grpc.ClaimServiceServicer):
    """Render and the ledger over real gRPC; every template renders the same content."""

    async def RenderBatch(  # noqa: N802
        self, request: render_pb2.RenderBatchRequest, _: Any
    ) -> render_pb2.RenderBatchResponse:
        """One content for all."""
        content = render_pb2.Content(subject="Hello", text="text", html="<p>html</p>")
        return render_pb2.RenderBatchResponse(results=[render_pb2.RenderResult(content=content)] * len(request.items))

    async def ClaimDeliveries(  # noqa: N802
        self, request: claims_pb2.ClaimDeliveriesRequest, _: Any
    ) -> claims_pb2.ClaimDeliveriesResponse:
        """Nothing was ever heard of."""
        return claims_pb2.ClaimDeliveriesResponse(states=[claims_pb2.ClaimState()] * len(request.claims))


@dataclass
class Senders:
    """The senders process and its clients."""

    variables: dict[str, str]
    log: Path
    address: str
    connection: Client
    stack: AsyncExitStack
    process: "subprocess.Popen[bytes]" = field(init=False)

    async def start(self) -> None:
        """Start it and wait until it serves."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                [sys.executable, "-m", "services.senders"], env=self.variables, stdout=output, stderr=output
            )
        await eventually(lambda: grpc.is_serving(self.address), deadline=60)

    async def stop(self, number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, 30)

    async def call(self, method: str, request: Any, *, token: str = TOKEN) -> Any:
        """Call "ProviderService.CreateProvider" or its like."""
        service, _, name = method.partition(".")
        async with grpc.channel(self.address) as channel:
            stub = getattr(senders_pb2_grpc, f"{service}Stub")(channel)
            return await grpc.Caller(token)(getattr(stub, name), request, deadline=30)

    async def tenant(self, tenant_id: str = TENANT) -> str:
        """Publish a tenant's configuration, as ingest does; return its id."""
        bucket = await self.connection.jetstream(timeout=60).key_value(bucket_keys.BUCKET)
        await bucket.put(topology.tenant_key(tenant_id), json.dumps({"id": tenant_id, "sender_name": "Acorn"}).encode())
        return tenant_id

    async def provider(
        self,
        channel: event_pb2.Channel.ValueType,
        kind: str,
        *,
        tenant_id: str = TENANT,
        priority: int = 0,
        **settings: Any,
    ) -> str:
        """Create a provider and return its id."""
        request = senders_pb2.CreateProviderRequest(
            tenant_id=tenant_id, channel=channel, kind=kind, priority=priority, settings_json=json.dumps(settings)
        )
        answer = await self.call("ProviderService.CreateProvider", request)
        created: str = answer.provider.id
        return created

    async def deliver(self, *deliveries: event_pb2.Delivery) -> None:
        """Publish deliveries as the router does."""
        await nats.StreamPublisher(self.connection).publish_all(
            [
                nats.Outgoing(topology.delivery_subject(one.channel, one.tenant_id), one.SerializeToString(), one.id)
                for one in deliveries
            ]
        )

    async def attempts(self) -> list[trace_pb2.Attempted]:
        """Read all that stands in TRACE so far."""
        jetstream = self.connection.jetstream(timeout=60)
        messages = await messages_of(jetstream, topology.TRACE)
        batches = [trace_pb2.TraceBatch.FromString(message.data or b"") for message in messages]
        return [record.attempted for batch in batches for record in batch.records]


@asynccontextmanager
async def neighbours() -> AsyncIterator[str]:
    """Run render and the ledger; return their address."""
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token=TOKEN)
    servicer = _Neighbours()  # type: ignore[abstract]  # the other methods are never called
    server.add(render_pb2_grpc.add_RenderServiceServicer_to_server, servicer, "clarion.render.v1.RenderService")
    server.add(claims_pb2_grpc.add_ClaimServiceServicer_to_server, servicer, "clarion.ingest.v1.ClaimService")
    await server.start()
    try:
        yield address
    finally:
        await server.stop(0)


def variables_for(**given: str) -> dict[str, str]:
    """Return an environment for the process; without more, one that leads nowhere."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("CLARION_")}
    return {
        **others,
        "CLARION_SERVICE_TOKEN": TOKEN,
        "CLARION_ENCRYPTION_KEYS": builders.encryption_key(),
        "CLARION_PSEUDONYM_KEY": KEY,
        **dict.fromkeys(_ADDRESSES, "127.0.0.1:1"),
        **dict.fromkeys(("CLARION_POSTGRES_URL", "CLARION_NATS_URL"), "nowhere://127.0.0.1:1"),
        **given,
    }
