"""Looks up tenants, templates and providers: in the configuration's copy, else at the service that owns them."""

from collections.abc import Mapping, Sequence

import grpc.aio
import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import tenants_pb2, tenants_pb2_grpc
from clarion.render.v1 import templates_pb2, templates_pb2_grpc
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime.configuration import ConfigurationWatch
from runtime.grpc import Caller
from runtime.parts import INGEST, RENDER, SENDERS, OwnParts
from services.domain import channels, pseudonyms, topology
from services.domain.pseudonyms import Pseudonyms
from services.domain.suppression_list import SuppressionList
from services.router.route import Circumstances, Template
from services.router.single_flight import SingleFlight

# The owners whose keys (default locales, suppressions) are read from the copy only.
OWNERS = ("render", "router")
PREFIXES = ("tenants", "templates", "providers", "locales", topology.SUPPRESSIONS, pseudonyms.PREFIX)
GLOBAL_TYPES = frozenset({"global.info", "global.success", "global.warning", "global.alert", "global.error"})

_DEADLINE_S = 5.0
_MAX_MEMOS = 10_000


class _Tenant(msgspec.Struct):
    delivery_channels: list[str] = []


class _ActiveTemplate(msgspec.Struct):
    channel: str
    template_version_id: str
    push_namespace: str = ""
    subscribed: bool = False
    locale: str = ""


class _Provider(msgspec.Struct):
    id: str
    channel: str


_decode_tenant = msgspec.json.Decoder(_Tenant).decode
_decode_templates = msgspec.json.Decoder(list[_ActiveTemplate]).decode
_decode_providers = msgspec.json.Decoder(list[_Provider]).decode


class Catalog:
    """Answers from memory; asks the owner for what memory does not have, before it counts as absent."""

    def __init__(
        self,
        watch: ConfigurationWatch,
        keyed: Pseudonyms,
        *,
        ingest: grpc.aio.Channel,
        render: grpc.aio.Channel,
        senders: grpc.aio.Channel,
        caller: Caller,
        own: OwnParts | None = None,
    ) -> None:
        self._own = own or OwnParts()
        self._watch = watch
        self._tenants = tenants_pb2_grpc.TenantServiceStub(ingest)
        self._templates = templates_pb2_grpc.TemplateServiceStub(render)
        self._providers = senders_pb2_grpc.ProviderServiceStub(senders)
        self._caller = caller
        self._suppressed = SuppressionList(watch.get, keyed)
        self._templates_flight: SingleFlight[tuple[list[Template], str]] = SingleFlight()
        self._providers_flight: SingleFlight[list[str]] = SingleFlight()
        # What was decoded from the copy's values; valid while these are the same.
        self._memo: dict[tuple[str, str], tuple[tuple[bytes | None, ...], Circumstances]] = {}

    def from_memory(self, tenant_id: str, event_type: str) -> Circumstances | None:
        """Return circumstances() from memory alone; None: an owner must be asked."""
        get = self._watch.get
        sources = (
            get(topology.tenant_key(tenant_id)),
            get(topology.templates_key(tenant_id, event_type)),
            get(topology.templates_key("", event_type)) if event_type in GLOBAL_TYPES else None,
            get(topology.providers_key(tenant_id)),
            get(topology.locale_key(tenant_id)),
        )
        tenant, own, platform, providers, locale = sources
        if tenant is None or (own is None and platform is None):
            return None
        memo = self._memo.get((tenant_id, event_type))
        if memo is not None and memo[0] == sources:
            return memo[1]
        templates = _merged(own, platform)
        wanted = {template.channel for template in templates if channels.BY_NUMBER[template.channel].needs_provider}
        by_channel = {channel: _ids(providers, channel) for channel in wanted}
        if not templates or not all(by_channel.values()):
            return None
        circumstances = _circumstances(_policy(tenant), templates, by_channel, _text(locale))
        if len(self._memo) >= _MAX_MEMOS:
            self._memo.clear()
        self._memo[tenant_id, event_type] = sources, circumstances
        return circumstances

    async def circumstances(self, tenant_id: str, event_type: str) -> Circumstances:
        """Return what routing an event of this tenant and type needs. Raises PartAway while an owner is away."""
        known = self.from_memory(tenant_id, event_type)
        if known is not None:
            return known
        templates, locale = await self._active_templates(tenant_id, event_type)
        return await self._of_templates(tenant_id, templates, locale) if templates else Circumstances()

    async def pinned(self, event: event_pb2.Event) -> Circumstances:
        """Return what routing a test needs: its pinned template only. Raises PartAway."""
        pin = event.pinned
        template = Template(pin.channel, pin.template_version_id, pin.push_namespace, pin.subscribed, pin.locale)
        return await self._of_templates(event.tenant_id, [template], pin.locale)

    async def _of_templates(self, tenant_id: str, templates: Sequence[Template], locale: str) -> Circumstances:
        policy = await self._tenant_policy(tenant_id)
        providers: dict[event_pb2.Channel.ValueType, Sequence[str]] = {}
        for template in templates:
            if channels.BY_NUMBER[template.channel].needs_provider and template.channel not in providers:
                providers[template.channel] = await self._provider_ids(tenant_id, template.channel)
        return _circumstances(policy, templates, providers, locale)

    def suppression(self, event: event_pb2.Event, template: Template) -> str:
        """Implements route.Suppression, from memory alone."""
        return self._suppressed.reason(
            event.tenant_id, template.channel, event.recipient, subscribed=template.subscribed
        )

    async def _tenant_policy(self, tenant_id: str) -> frozenset[event_pb2.Channel.ValueType]:
        known = self._watch.get(topology.tenant_key(tenant_id))
        if known is not None:
            return _policy(known)
        request = tenants_pb2.GetTenantRequest(tenant_id=tenant_id)
        answer = await self._own.ask(
            INGEST, lambda: self._caller(self._tenants.GetTenant, request, deadline=_DEADLINE_S)
        )
        return frozenset(answer.tenant.delivery_channels)

    async def _active_templates(self, tenant_id: str, event_type: str) -> tuple[list[Template], str]:
        """Return the active templates and the tenant's default locale."""
        own = self._watch.get(topology.templates_key(tenant_id, event_type))
        platform = self._watch.get(topology.templates_key("", event_type)) if event_type in GLOBAL_TYPES else None
        found = _merged(own, platform)
        if found:
            return found, _text(self._watch.get(topology.locale_key(tenant_id)))

        async def request_owner() -> tuple[list[Template], str]:
            request = templates_pb2.ResolveTemplatesRequest(tenant_id=tenant_id, event_type=event_type)
            answer = await self._caller(self._templates.ResolveTemplates, request, deadline=_DEADLINE_S)
            return [
                Template(t.channel, t.template_version_id, t.push_namespace, t.subscribed, t.locale)
                for t in answer.templates
            ], answer.default_locale

        key = topology.templates_key(tenant_id, event_type)
        return await self._own.ask(RENDER, lambda: self._templates_flight.run(key, request_owner))

    async def _provider_ids(self, tenant_id: str, channel: event_pb2.Channel.ValueType) -> list[str]:
        found = _ids(self._watch.get(topology.providers_key(tenant_id)), channel)
        if found:
            return found

        async def request_owner() -> list[str]:
            request = senders_pb2.ResolveProvidersRequest(tenant_id=tenant_id, channel=channel)
            answer = await self._caller(self._providers.ResolveProviders, request, deadline=_DEADLINE_S)
            return list(answer.provider_ids)

        key = f"{topology.providers_key(tenant_id)}/{channel}"
        return await self._own.ask(SENDERS, lambda: self._providers_flight.run(key, request_owner))


def _merged(own: bytes | None, platform: bytes | None) -> list[Template]:
    """Return a tenant's active templates, and the platform's for channels and locales where it has none."""
    templates = _templates(own)
    taken = {(template.channel, template.locale) for template in templates}
    return templates + [
        template for template in _templates(platform) if (template.channel, template.locale) not in taken
    ]


def _templates(value: bytes | None) -> list[Template]:
    decoded = _decode_templates(value) if value is not None else ()
    return [
        Template(_channel(t.channel), t.template_version_id, t.push_namespace, t.subscribed, t.locale) for t in decoded
    ]


def _circumstances(
    policy: frozenset[event_pb2.Channel.ValueType],
    templates: Sequence[Template],
    providers: Mapping[event_pb2.Channel.ValueType, Sequence[str]],
    locale: str,
) -> Circumstances:
    is_localised = any(template.locale for template in templates)
    return Circumstances(policy, templates, providers, locale, is_localised)


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode()


def _policy(tenant: bytes) -> frozenset[event_pb2.Channel.ValueType]:
    return frozenset(_channel(name) for name in _decode_tenant(tenant).delivery_channels)


def _ids(providers: bytes | None, channel: event_pb2.Channel.ValueType) -> list[str]:
    decoded = _decode_providers(providers) if providers is not None else ()
    return [provider.id for provider in decoded if _channel(provider.channel) == channel]


def _channel(name: str) -> event_pb2.Channel.ValueType:
    return channels.BY_PUBLIC_NAME[name]
