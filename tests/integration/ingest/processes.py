"""Services as processes of their own, for the tests of ingest, router and delivery."""

import asyncio
import base64
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio

from clarion.ingest.v1 import (
    audit_pb2_grpc,
    claims_pb2_grpc,
    ingest_pb2_grpc,
    keys_pb2_grpc,
    ledger_pb2_grpc,
    tenants_pb2_grpc,
)
from clarion.router.v1 import (
    catalogs_pb2_grpc,
    endpoints_pb2_grpc,
    portal_pb2_grpc,
    recipients_pb2_grpc,
    router_pb2_grpc,
    suppressions_pb2_grpc,
)
from runtime.grpc import Caller, channel, is_serving
from services.domain.endpoints import MAX_ANSWER_BYTES
from tests.conftest import free_port
from tests.integration.realtime.conftest import end
from tests.keyed import KEY
from tests.spawning import Process, spawn
from tests.waiting import eventually

TOKEN = "a-service-token"
NOBODY = "127.0.0.1:1"
ENCRYPTION_KEY = base64.b64encode(bytes(range(32))).decode()

_STUBS: dict[str, Callable[[grpc.aio.Channel], Any]] = {
    "AuditService": audit_pb2_grpc.AuditServiceStub,
    "CatalogService": catalogs_pb2_grpc.CatalogServiceStub,
    "ClaimService": claims_pb2_grpc.ClaimServiceStub,
    "EndpointService": endpoints_pb2_grpc.EndpointServiceStub,
    "IngestService": ingest_pb2_grpc.IngestServiceStub,
    "KeyService": keys_pb2_grpc.KeyServiceStub,
    "LedgerService": ledger_pb2_grpc.LedgerServiceStub,
    "PortalService": portal_pb2_grpc.PortalServiceStub,
    "RecipientService": recipients_pb2_grpc.RecipientServiceStub,
    "RouterService": router_pb2_grpc.RouterServiceStub,
    "SuppressionService": suppressions_pb2_grpc.SuppressionServiceStub,
    "TenantService": tenants_pb2_grpc.TenantServiceStub,
}


@dataclass
class Service:
    """A process of one of the services."""

    module: str
    variables: dict[str, str]
    log: Path
    address: str
    channel: grpc.aio.Channel
    process: Process = field(init=False)

    async def start(self) -> None:
        """Start it and wait until it serves."""
        self.process = spawn(self.module, self.variables, self.log)
        await eventually(lambda: is_serving(self.address), 60, every=0.05)  # each look makes a channel
        async with asyncio.timeout(60):
            await self.channel.channel_ready()  # it may have tried while the process started, and now waits

    async def call(self, method: str, request: Any, *, token: str = TOKEN, deadline: float = 40) -> Any:
        """Call "TenantService.CreateTenant" or its like."""
        service, _, name = method.partition(".")
        return await Caller(token)(getattr(_STUBS[service](self.channel), name), request, deadline=deadline)

    def stop(self) -> int:
        """End it as an operator would; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """End it as a crash would."""
        end(self.process)


StartService = Callable[..., Any]


@asynccontextmanager
async def starter(folder: Path, **common: str) -> AsyncIterator[StartService]:
    """Give what starts services: start("services.ingest", CLARION_X="y"). All are killed in the end."""
    async with AsyncExitStack() as stack:

        async def start(module: str, **variables: str) -> Service:
            address = f"127.0.0.1:{free_port()}"
            log = folder / f"{module}-{address.rpartition(':')[2]}.log"
            values = {
                "CLARION_GRPC_ADDRESS": address,
                "CLARION_SERVICE_TOKEN": TOKEN,
                "CLARION_ENCRYPTION_KEYS": ENCRYPTION_KEY,
                "CLARION_PSEUDONYM_KEY": KEY,
                **common,
                **variables,
            }
            connection = await stack.enter_async_context(channel(address, max_answer_bytes=MAX_ANSWER_BYTES))
            service = Service(module, values, log, address, connection)
            stack.callback(service.kill)
            await service.start()
            return service

        yield start
