"""The gateway's gRPC connections to the services, with their stubs and the method that all calls use."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, TypeVar

import aiohttp
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clarion.ingest.v1 import (
    activity_pb2,
    activity_pb2_grpc,
    audit_pb2_grpc,
    console_users_pb2_grpc,
    ingest_pb2_grpc,
    keys_pb2_grpc,
    ledger_pb2_grpc,
    privacy_pb2_grpc,
    refusals_pb2_grpc,
    replays_pb2_grpc,
    tenants_pb2_grpc,
    usage_pb2_grpc,
)
from clarion.realtime.v1 import privacy_pb2_grpc as realtime_privacy_pb2_grpc
from clarion.realtime.v1 import realtime_pb2_grpc
from clarion.render.v1 import (
    locales_pb2_grpc,
    parts_pb2_grpc,
    render_pb2_grpc,
    samples_pb2_grpc,
    templates_pb2_grpc,
)
from clarion.router.v1 import (
    catalogs_pb2_grpc,
    codes_pb2_grpc,
    endpoints_pb2_grpc,
    imports_pb2_grpc,
    portal_pb2_grpc,
    recipients_pb2_grpc,
    router_pb2_grpc,
    runs_pb2_grpc,
    schedules_pb2_grpc,
    segments_pb2_grpc,
    suppressions_pb2_grpc,
    workflows_pb2_grpc,
)
from clarion.router.v1 import privacy_pb2_grpc as router_privacy_pb2_grpc
from clarion.router.v1 import usage_pb2_grpc as router_usage_pb2_grpc
from clarion.senders.v1 import alerts_pb2_grpc, contents_pb2_grpc, reports_pb2_grpc, senders_pb2_grpc
from clarion.senders.v1 import endpoints_pb2_grpc as parking_pb2_grpc
from clarion.senders.v1 import health_pb2_grpc as provider_health_pb2_grpc
from clarion.senders.v1 import privacy_pb2_grpc as senders_privacy_pb2_grpc
from clarion.senders.v1 import usage_pb2_grpc as senders_usage_pb2_grpc
from gateway.settings import Settings
from runtime import grpc as rpc
from services.domain.endpoints import MAX_ANSWER_BYTES

# Seconds for a call that reads or configures; a service that was killed is back well within it.
DEADLINE_S = 4.0

Res = TypeVar("Res")


class Clients:
    """Stubs of the five services, and an HTTP session for the hub."""

    def __init__(self, settings: Settings) -> None:
        self._caller = rpc.Caller(settings.service_token.reveal())
        self.hub_url = settings.centrifugo_url.rstrip("/")
        self.connections: dict[str, grpc.aio.Channel] = {
            "ingest": rpc.channel(settings.ingest_address, max_answer_bytes=MAX_ANSWER_BYTES),
            "router": rpc.channel(settings.router_address),
            "render": rpc.channel(settings.render_address),
            "senders": rpc.channel(settings.senders_address),
            "realtime": rpc.channel(settings.realtime_address),
        }
        self.ingest = ingest_pb2_grpc.IngestServiceStub(self.connections["ingest"])
        self.ledger = ledger_pb2_grpc.LedgerServiceStub(self.connections["ingest"])
        self.activity = activity_pb2_grpc.ActivityServiceStub(self.connections["ingest"])
        self.tenants = tenants_pb2_grpc.TenantServiceStub(self.connections["ingest"])
        self.keys = keys_pb2_grpc.KeyServiceStub(self.connections["ingest"])
        self.audit = audit_pb2_grpc.AuditServiceStub(self.connections["ingest"])
        self.console_users = console_users_pb2_grpc.ConsoleUserServiceStub(self.connections["ingest"])
        self.router = router_pb2_grpc.RouterServiceStub(self.connections["router"])
        self.render = render_pb2_grpc.RenderServiceStub(self.connections["render"])
        self.templates = templates_pb2_grpc.TemplateServiceStub(self.connections["render"])
        self.parts = parts_pb2_grpc.PartServiceStub(self.connections["render"])
        self.samples = samples_pb2_grpc.SampleServiceStub(self.connections["render"])
        self.locales = locales_pb2_grpc.LocaleServiceStub(self.connections["render"])
        self.providers = senders_pb2_grpc.ProviderServiceStub(self.connections["senders"])
        self.provider_health = provider_health_pb2_grpc.ProviderHealthServiceStub(self.connections["senders"])
        self.reports = reports_pb2_grpc.ReportServiceStub(self.connections["senders"])
        self.suppressions = suppressions_pb2_grpc.SuppressionServiceStub(self.connections["router"])
        self.recipients = recipients_pb2_grpc.RecipientServiceStub(self.connections["router"])
        self.schedules = schedules_pb2_grpc.ScheduleServiceStub(self.connections["router"])
        self.segments = segments_pb2_grpc.SegmentServiceStub(self.connections["router"])
        self.imports = imports_pb2_grpc.ImportServiceStub(self.connections["router"])
        self.workflows = workflows_pb2_grpc.WorkflowServiceStub(self.connections["router"])
        self.runs = runs_pb2_grpc.RunServiceStub(self.connections["router"])
        self.codes = codes_pb2_grpc.CodeServiceStub(self.connections["router"])
        self.endpoints = endpoints_pb2_grpc.EndpointServiceStub(self.connections["router"])
        self.catalogs = catalogs_pb2_grpc.CatalogServiceStub(self.connections["router"])
        self.portal = portal_pb2_grpc.PortalServiceStub(self.connections["router"])
        self.parking = parking_pb2_grpc.ParkingServiceStub(self.connections["senders"])
        self.contents = contents_pb2_grpc.ContentServiceStub(self.connections["senders"])
        self.outbox = senders_pb2_grpc.OutboxServiceStub(self.connections["senders"])
        self.realtime = realtime_pb2_grpc.RealtimeServiceStub(self.connections["realtime"])
        self.privacy = privacy_pb2_grpc.PrivacyServiceStub(self.connections["ingest"])
        self.replays = replays_pb2_grpc.ReplayServiceStub(self.connections["ingest"])
        self.refusals = refusals_pb2_grpc.RefusalServiceStub(self.connections["ingest"])
        self.usage = usage_pb2_grpc.UsageServiceStub(self.connections["ingest"])
        self.router_usage = router_usage_pb2_grpc.RouterUsageServiceStub(self.connections["router"])
        self.senders_usage = senders_usage_pb2_grpc.SendersUsageServiceStub(self.connections["senders"])
        self.alerts = alerts_pb2_grpc.AlertServiceStub(self.connections["senders"])
        self.router_privacy = router_privacy_pb2_grpc.RouterPrivacyServiceStub(self.connections["router"])
        self.senders_privacy = senders_privacy_pb2_grpc.SendersPrivacyServiceStub(self.connections["senders"])
        self.realtime_privacy = realtime_privacy_pb2_grpc.RealtimePrivacyServiceStub(self.connections["realtime"])
        # One connection per browser: the usual limit of 100 is too low.
        self.hub = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)

    async def call(self, method: Callable[..., Awaitable[Res]], request: Any, *, deadline: float = DEADLINE_S) -> Res:
        """Return a service's answer, waiting within the deadline for one that is starting. Raises ClarionError."""
        return await self._caller(method, request, deadline=deadline, wait_for_ready=True)

    def tail(self, tenant_ids: Collection[str]) -> AsyncIterator[activity_pb2.TailResponse]:
        """Return events as they change, of these tenants; none: of all. It raises ClarionError when it breaks off."""
        return self._caller.stream(self.activity.Tail, activity_pb2.TailRequest(tenant_ids=tenant_ids))

    async def report(self, name: str, of: str, *, deadline: float = 1.0) -> bool | None:
        """Return the health of a service ("") or, as it reports, of a dependency ("postgres"). None: no answer.

        A service of an earlier version reports less; what it does not report counts as serving.
        """
        stub: Any = health_pb2_grpc.HealthStub(self.connections[name])
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=of), timeout=deadline)
        except grpc.aio.AioRpcError as error:
            return True if error.code() is grpc.StatusCode.NOT_FOUND else None
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def is_hub_serving(self, *, deadline: float = 1.0) -> bool:
        """Return whether the hub is healthy."""
        try:
            timeout = aiohttp.ClientTimeout(total=deadline)
            async with self.hub.get(f"{self.hub_url}/health", timeout=timeout) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close every connection."""
        await self.hub.close()
        await asyncio.gather(*(connection.close() for connection in self.connections.values()))
