"""Asks the services that own the configuration for what the router's copy does not have."""

import grpc.aio

from clarion.ingest.v1 import tenants_pb2, tenants_pb2_grpc
from clarion.render.v1 import templates_pb2, templates_pb2_grpc
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime.grpc import Caller
from runtime.parts import INGEST, RENDER, SENDERS, OwnParts
from runtime.single_flight import SingleFlight
from services.router.compiler import ActiveTemplate
from services.router.definitions import ChannelNumber, Template

_DEADLINE_S = 5.0
_MAX_VERSIONS = 10_000


class ConfigurationOwners:
    """Each method raises PartAway while the owner is away."""

    def __init__(
        self,
        *,
        ingest: grpc.aio.Channel,
        render: grpc.aio.Channel,
        senders: grpc.aio.Channel,
        caller: Caller,
        own: OwnParts,
    ) -> None:
        self._tenants = tenants_pb2_grpc.TenantServiceStub(ingest)
        self._templates = templates_pb2_grpc.TemplateServiceStub(render)
        self._providers = senders_pb2_grpc.ProviderServiceStub(senders)
        self._caller = caller
        self._own = own
        self._templates_flight: SingleFlight[tuple[list[ActiveTemplate], str]] = SingleFlight()
        self._providers_flight: SingleFlight[list[str]] = SingleFlight()
        # A version never changes.
        self._versions: dict[tuple[str, str, int, int], Template] = {}

    async def allowed_channels(self, tenant_id: str) -> frozenset[ChannelNumber]:
        """Return the channels that a tenant may use; none: all. Raises NOT_FOUND."""
        request = tenants_pb2.GetTenantRequest(tenant_id=tenant_id)
        answer = await self._own.ask(
            INGEST, lambda: self._caller(self._tenants.GetTenant, request, deadline=_DEADLINE_S)
        )
        return frozenset(answer.tenant.delivery_channels)

    async def active_templates(self, tenant_id: str, event_type: str) -> tuple[list[ActiveTemplate], str]:
        """Return the active templates, the platform's included, and the tenant's default locale."""

        async def request_owner() -> tuple[list[ActiveTemplate], str]:
            request = templates_pb2.ResolveTemplatesRequest(tenant_id=tenant_id, event_type=event_type)
            answer = await self._caller(self._templates.ResolveTemplates, request, deadline=_DEADLINE_S)
            return [
                (t.channel, Template(t.template_version_id, t.locale, t.push_namespace, t.subscribed))
                for t in answer.templates
            ], answer.default_locale

        key = f"{tenant_id}/{event_type}"
        return await self._own.ask(RENDER, lambda: self._templates_flight.run(key, request_owner))

    async def template_version(self, tenant_id: str, key: str, channel: ChannelNumber, number: int) -> Template | None:
        """Return a version of a tenant's template, active or not; None: there is none."""
        asked = tenant_id, key, channel, number
        if (known := self._versions.get(asked)) is not None:
            return known
        request = templates_pb2.ResolveTemplatesRequest(
            tenant_id=tenant_id, event_type=key, version=number, channel=channel
        )
        answer = await self._own.ask(
            RENDER, lambda: self._caller(self._templates.ResolveTemplates, request, deadline=_DEADLINE_S)
        )
        if not answer.templates:
            return None
        (found,) = answer.templates
        if len(self._versions) >= _MAX_VERSIONS:
            self._versions.clear()
        template = Template(found.template_version_id, found.locale, found.push_namespace, found.subscribed)
        return self._versions.setdefault(asked, template)

    async def provider_ids(self, tenant_id: str, channel: ChannelNumber) -> list[str]:
        """Return a tenant's providers of a channel, best first."""

        async def request_owner() -> list[str]:
            request = senders_pb2.ResolveProvidersRequest(tenant_id=tenant_id, channel=channel)
            answer = await self._caller(self._providers.ResolveProviders, request, deadline=_DEADLINE_S)
            return list(answer.provider_ids)

        key = f"{tenant_id}/{channel}"
        return await self._own.ask(SENDERS, lambda: self._providers_flight.run(key, request_owner))
