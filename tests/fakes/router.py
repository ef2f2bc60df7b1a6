"""The owners of what the router knows, and the runs that it keeps, in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import tenants_pb2, tenants_pb2_grpc
from clarion.render.v1 import templates_pb2, templates_pb2_grpc
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime.errors import ClarionError, Code
from services.router.ports import NewRun


@dataclass
class Owners(
    tenants_pb2_grpc.TenantServiceServicer,
    templates_pb2_grpc.TemplateServiceServicer,
    senders_pb2_grpc.ProviderServiceServicer,
):
    """What ingest, render and senders would answer, and what they were asked.

    policies: a tenant's channels. locales: a tenant's default. gate: they answer once it is set.
    """

    tenants: set[str] = field(default_factory=set)
    templates: dict[tuple[str, str], list[templates_pb2.ActiveTemplate]] = field(default_factory=dict)
    providers: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    policies: dict[str, list[event_pb2.Channel.ValueType]] = field(default_factory=dict)
    locales: dict[str, str] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Answer at once, until told otherwise."""
        self.gate.set()

    async def GetTenant(self, request: tenants_pb2.GetTenantRequest, context: Any) -> tenants_pb2.GetTenantResponse:  # noqa: N802
        """The tenant."""
        await self._note("GetTenant")
        if request.tenant_id not in self.tenants:
            raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")
        channels = self.policies.get(request.tenant_id, [])
        tenant = tenants_pb2.Tenant(id=request.tenant_id, delivery_channels=channels)
        return tenants_pb2.GetTenantResponse(tenant=tenant)

    async def ResolveTemplates(  # noqa: N802
        self, request: templates_pb2.ResolveTemplatesRequest, context: Any
    ) -> templates_pb2.ResolveTemplatesResponse:
        """The active ones."""
        await self._note("ResolveTemplates")
        found = self.templates.get((request.tenant_id, request.event_type), [])
        if request.version:
            named = f"v{request.version}"
            found = [one for one in found if (one.channel, one.template_version_id) == (request.channel, named)]
        locale = self.locales.get(request.tenant_id, "")
        return templates_pb2.ResolveTemplatesResponse(templates=found, default_locale=locale)

    async def ResolveProviders(  # noqa: N802
        self, request: senders_pb2.ResolveProvidersRequest, context: Any
    ) -> senders_pb2.ResolveProvidersResponse:
        """The providers of a channel."""
        await self._note("ResolveProviders")
        found = self.providers.get((request.tenant_id, request.channel), [])
        return senders_pb2.ResolveProvidersResponse(provider_ids=found)

    async def _note(self, method: str) -> None:
        self.asked.append(method)
        await self.gate.wait()
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "away")


@dataclass
class MemoryRuns:
    """services.router.ports.Runs. begun: the first run of each event, by its id."""

    begun: dict[str, NewRun] = field(default_factory=dict)
    away: bool = False
    asked: int = 0

    async def begin(self, new: Sequence[NewRun]) -> None:
        """See Runs."""
        self.asked += 1
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The database does not answer.", retry_after=1)
        for one in new:
            self.begun.setdefault(one.event.id, one)
