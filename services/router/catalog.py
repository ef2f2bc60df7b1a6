"""What the router knows of tenants, templates and providers: a copy in memory, and the owners behind it."""

import time
from collections.abc import Awaitable, Callable, Sequence

import grpc.aio
import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import tenants_pb2, tenants_pb2_grpc
from clarion.render.v1 import templates_pb2, templates_pb2_grpc
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime.configuration import Watch
from runtime.grpc import Caller
from services import topology
from services.router.route import Circumstances, Template

PREFIXES = ("tenants", "templates", "providers")
GLOBAL_TYPES = frozenset({"global.info", "global.success", "global.warning", "global.alert", "global.error"})

_DEADLINE_S = 5.0
# How long an owner's "there is none" is believed, unless the copy learns better.
_ABSENCE_S = 0.2
_MAX_ABSENCES = 10_000


class _Tenant(msgspec.Struct):
    delivery_channels: list[str] = []


class _ActiveTemplate(msgspec.Struct):
    channel: str
    template_version_id: str
    push_namespace: str = ""


class _Provider(msgspec.Struct):
    id: str
    channel: str


_decode_tenant = msgspec.json.Decoder(_Tenant).decode
_decode_templates = msgspec.json.Decoder(list[_ActiveTemplate]).decode
_decode_providers = msgspec.json.Decoder(list[_Provider]).decode


class Catalog:
    """Answers from memory; what memory does not have is asked once at its owner before it counts as absent."""

    def __init__(
        self,
        watch: Watch,
        *,
        ingest: grpc.aio.Channel,
        render: grpc.aio.Channel,
        senders: grpc.aio.Channel,
        caller: Caller,
    ) -> None:
        self._watch = watch
        self._tenants = tenants_pb2_grpc.TenantServiceStub(ingest)
        self._templates = templates_pb2_grpc.TemplateServiceStub(render)
        self._providers = senders_pb2_grpc.ProviderServiceStub(senders)
        self._caller = caller
        self._absent_until: dict[str, float] = {}

    async def circumstances(self, tenant_id: str, event_type: str) -> Circumstances:
        """Return what routing an event of this tenant and type needs. Raises UNAVAILABLE when an owner is away."""
        templates = await self._active_templates(tenant_id, event_type)
        if not templates:
            return Circumstances()
        policy = await self._policy(tenant_id)
        providers: dict[event_pb2.Channel.ValueType, Sequence[str]] = {}
        for template in templates:
            if template.channel != event_pb2.CHANNEL_PUSH and template.channel not in providers:
                providers[template.channel] = await self._provider_ids(tenant_id, template.channel)
        return Circumstances(policy, templates, providers)

    async def _policy(self, tenant_id: str) -> frozenset[event_pb2.Channel.ValueType]:
        known = self._watch.get(topology.tenant_key(tenant_id))
        if known is not None:
            return frozenset(_channel(name) for name in _decode_tenant(known).delivery_channels)
        answer = await self._caller(
            self._tenants.GetTenant, tenants_pb2.GetTenantRequest(tenant_id=tenant_id), deadline=_DEADLINE_S
        )
        return frozenset(answer.tenant.delivery_channels)

    async def _active_templates(self, tenant_id: str, event_type: str) -> list[Template]:
        own = self._known_templates(tenant_id, event_type)
        if event_type in GLOBAL_TYPES:
            taken = {template.channel for template in own}
            own += [found for found in self._known_templates("", event_type) if found.channel not in taken]
        if own:
            return own
        found: list[Template] = []

        async def ask() -> bool:
            request = templates_pb2.ResolveTemplatesRequest(tenant_id=tenant_id, event_type=event_type)
            answer = await self._caller(self._templates.ResolveTemplates, request, deadline=_DEADLINE_S)
            found.extend(Template(t.channel, t.template_version_id, t.push_namespace) for t in answer.templates)
            return bool(found)

        await self._ask_once(topology.templates_key(tenant_id, event_type), ask)
        return found

    def _known_templates(self, tenant_id: str, event_type: str) -> list[Template]:
        known = self._watch.get(topology.templates_key(tenant_id, event_type))
        if known is None:
            return []
        return [
            Template(_channel(t.channel), t.template_version_id, t.push_namespace) for t in _decode_templates(known)
        ]

    async def _provider_ids(self, tenant_id: str, channel: event_pb2.Channel.ValueType) -> list[str]:
        known = self._watch.get(topology.providers_key(tenant_id))
        if known is not None:
            ids = [provider.id for provider in _decode_providers(known) if _channel(provider.channel) == channel]
            if ids:
                return ids
        found: list[str] = []

        async def ask() -> bool:
            request = senders_pb2.ResolveProvidersRequest(tenant_id=tenant_id, channel=channel)
            answer = await self._caller(self._providers.ResolveProviders, request, deadline=_DEADLINE_S)
            found.extend(answer.provider_ids)
            return bool(found)

        await self._ask_once(f"{topology.providers_key(tenant_id)}/{channel}", ask)
        return found

    async def _ask_once(self, key: str, ask: Callable[[], Awaitable[bool]]) -> None:
        """Ask, unless the answer was "none" a moment ago."""
        if time.monotonic() < self._absent_until.get(key, 0.0):
            return
        if not await ask():
            if len(self._absent_until) >= _MAX_ABSENCES:
                self._absent_until.clear()
            self._absent_until[key] = time.monotonic() + _ABSENCE_S


def _channel(name: str) -> event_pb2.Channel.ValueType:
    return event_pb2.Channel.Value(f"CHANNEL_{name}")
