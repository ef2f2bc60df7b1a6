"""The providers of each tenant. Their credentials are never returned."""

from typing import Annotated, Any

import msgspec
from aiohttp import web

from clarion.senders.v1 import senders_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply

Priority = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class NewProviderBody(forms.Body):
    """The body of POST /providers. settings: those of the kind, including secrets."""

    tenant_id: forms.Id
    channel: forms.PeopleChannel
    kind: str
    name: str = ""
    priority: Priority = 0
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


class ChangedProviderBody(forms.Body):
    """The body of PATCH /providers/{id}. settings: those to change; null resets one to its default."""

    name: str | None = None
    priority: Priority | None = None
    settings: dict[str, Any] = msgspec.field(default_factory=dict)


class ProviderRoutes:
    """Handlers that ask senders' ProviderService."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, request: web.Request) -> web.Response:
        """Create a provider for a tenant's channel."""
        body = await forms.read(request, NewProviderBody)
        channel = forms.people_channel(body.channel)
        await forms.check_tenant(request, self._clients, body.tenant_id)
        wire = senders_pb2.CreateProviderRequest(
            tenant_id=body.tenant_id,
            channel=channel,
            kind=body.kind,
            name=body.name,
            priority=body.priority,
            settings_json=msgspec.json.encode(body.settings).decode(),
        )
        answer = await self._clients.call(self._clients.providers.CreateProvider, wire)
        return json_reply(shown(answer.provider), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List a tenant's providers; there are at most 100."""
        tenant_id = forms.text(request, "tenant_id")
        if not tenant_id:
            raise forms.invalid("tenant_id", "is required")
        wire = senders_pb2.ListProvidersRequest(tenant_id=tenant_id)
        answer = await self._clients.call(self._clients.providers.ListProviders, wire)
        return json_reply(forms.page(request, [shown(provider) for provider in answer.providers], ""))

    async def get(self, request: web.Request) -> web.Response:
        """Return a provider."""
        wire = senders_pb2.GetProviderRequest(provider_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.providers.GetProvider, wire)
        return json_reply(shown(answer.provider))

    async def change(self, request: web.Request) -> web.Response:
        """Update a provider's name, priority, settings or credentials."""
        body = await forms.read(request, ChangedProviderBody)
        wire = senders_pb2.UpdateProviderRequest(
            provider_id=forms.path_id(request),
            name=body.name,
            priority=body.priority,
            settings_json=msgspec.json.encode(body.settings).decode(),
        )
        answer = await self._clients.call(self._clients.providers.UpdateProvider, wire)
        return json_reply(shown(answer.provider))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a provider."""
        wire = senders_pb2.DeleteProviderRequest(provider_id=forms.path_id(request))
        await self._clients.call(self._clients.providers.DeleteProvider, wire)
        return web.Response(status=204)


def shown(provider: senders_pb2.Provider) -> dict[str, Any]:
    """Return a provider as the API shows it."""
    return {
        "id": provider.id,
        "tenant_id": provider.tenant_id,
        "channel": forms.channel_name(provider.channel),
        "kind": provider.kind,
        "name": provider.name,
        "priority": provider.priority,
        "settings": msgspec.json.decode(provider.settings_json or "{}"),
        "created_at": forms.iso(provider.created_at_us),
        "updated_at": forms.iso(provider.updated_at_us),
    }
