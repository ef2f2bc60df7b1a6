"""A gateway before services that a test plays in memory, over real gRPC and HTTP."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from clarion.ingest.v1 import (
    audit_pb2_grpc,
    ingest_pb2,
    ingest_pb2_grpc,
    keys_pb2_grpc,
    ledger_pb2_grpc,
    replays_pb2_grpc,
    tenants_pb2_grpc,
)
from clarion.router.v1 import catalogs_pb2_grpc, endpoints_pb2_grpc, portal_pb2_grpc
from clarion.senders.v1 import endpoints_pb2_grpc as parking_pb2_grpc
from clarion.senders.v1 import senders_pb2_grpc
from gateway.app import create_app
from gateway.clients import Clients
from gateway.settings import Settings
from runtime import grpc
from runtime.ids import new_id
from runtime.settings import Secret
from tests.conftest import free_port
from tests.exchanges import described
from tests.fakes.servicer_endpoints import Router
from tests.fakes.servicer_webhooks import Senders, WebhookIngest

TOKEN = "an-admin-token-of-tests"
_SERVICE_TOKEN = "a-service-token-of-tests"
BASE = "/api/v1/admin"


@dataclass
class World:
    """The services, two tenants, and a client of the gateway without a cookie jar of its own."""

    router: Router
    senders: Senders
    ingest: WebhookIngest
    tenant: str
    other: str
    url: str = ""
    http: aiohttp.ClientSession = field(repr=False, default=None)  # type: ignore[assignment]

    async def admin(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the admin API; return status and body."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self.http.request(method, BASE + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json() if answer.content_type.endswith("json") else None


@contextlib.asynccontextmanager
async def webhook_world(public_url: str = "", **settings_of_test: Any) -> AsyncIterator[World]:
    """Run a gateway until the block ends."""
    tenant, other = new_id(), new_id()
    accepted = ingest_pb2.Accepted(event_id=new_id())
    ingest = WebhookIngest(  # type: ignore[abstract]  # the other methods are never called
        tenants={tenant, other}, result=ingest_pb2.AcceptResult(accepted=accepted)
    )
    world = World(Router(), Senders(), ingest, tenant, other)  # type: ignore[abstract]
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token=_SERVICE_TOKEN)
    for add, servicer, service in (
        (ingest_pb2_grpc.add_IngestServiceServicer_to_server, ingest, "clarion.ingest.v1.IngestService"),
        (ledger_pb2_grpc.add_LedgerServiceServicer_to_server, ingest, "clarion.ingest.v1.LedgerService"),
        (tenants_pb2_grpc.add_TenantServiceServicer_to_server, ingest, "clarion.ingest.v1.TenantService"),
        (audit_pb2_grpc.add_AuditServiceServicer_to_server, ingest, "clarion.ingest.v1.AuditService"),
        (keys_pb2_grpc.add_KeyServiceServicer_to_server, ingest, "clarion.ingest.v1.KeyService"),
        (replays_pb2_grpc.add_ReplayServiceServicer_to_server, ingest, "clarion.ingest.v1.ReplayService"),
        (endpoints_pb2_grpc.add_EndpointServiceServicer_to_server, world.router, "clarion.router.v1.EndpointService"),
        (catalogs_pb2_grpc.add_CatalogServiceServicer_to_server, world.router, "clarion.router.v1.CatalogService"),
        (portal_pb2_grpc.add_PortalServiceServicer_to_server, world.router, "clarion.router.v1.PortalService"),
        (parking_pb2_grpc.add_ParkingServiceServicer_to_server, world.senders, "clarion.senders.v1.ParkingService"),
        (senders_pb2_grpc.add_ProviderServiceServicer_to_server, world.senders, "clarion.senders.v1.ProviderService"),
    ):
        server.add(add, servicer, service)
    await server.start()
    settings = Settings(
        service_token=Secret(_SERVICE_TOKEN),
        http_address="",
        admin_token=Secret(TOKEN),
        ingest_address=address,
        router_address=address,
        render_address=address,
        senders_address=address,
        realtime_address=address,
        centrifugo_url="http://127.0.0.1:1",
        public_url=public_url,
        **settings_of_test,
    )
    clients = Clients(settings)
    try:
        async with TestServer(create_app(settings, clients)) as gateway:
            world.url = str(gateway.make_url("")).rstrip("/")
            async with aiohttp.ClientSession(
                world.url, middlewares=(described,), cookie_jar=aiohttp.DummyCookieJar()
            ) as world.http:
                yield world
    finally:
        await clients.close()
        await server.stop(0)
