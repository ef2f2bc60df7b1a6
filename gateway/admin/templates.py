"""Templates and their versions, and a tenant's default language."""

from typing import Any

from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import tenants_pb2
from clarion.render.v1 import locales_pb2, templates_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply

# Longer than render's own limits for trying a template.
TRY_DEADLINE_S = 10.0

PART_KINDS = {
    "LAYOUT": templates_pb2.PART_KIND_LAYOUT,
    "PARTIAL": templates_pb2.PART_KIND_PARTIAL,
}
_PART_NAMES = {number: name for name, number in PART_KINDS.items()}


class NewTemplateBody(forms.Body):
    """The body of POST /templates. Without tenant_id: a platform template, shared by all tenants."""

    event_type: str
    channel: forms.PeopleChannel
    body: str
    tenant_id: forms.OptionalId = ""
    subject: str = ""
    preheader: str = ""
    layout: str = ""
    locale: str = ""
    push_namespace: str = ""
    subscribed: bool = False
    activate: bool = False


class NewLocaleBody(forms.Body):
    """The body of PUT /tenants/{id}/locale. Empty: no default language."""

    locale: str


class TemplateRoutes:
    """Handlers that ask render."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, request: web.Request) -> web.Response:
        """Create a version. It is inactive unless the body asks to activate it."""
        body = await forms.read(request, NewTemplateBody)
        channel = forms.people_channel(body.channel)
        if body.tenant_id:
            await forms.check_tenant(request, self._clients, body.tenant_id)
        wire = templates_pb2.CreateTemplateRequest(
            tenant_id=body.tenant_id,
            event_type=body.event_type,
            channel=channel,
            subject=body.subject,
            body=body.body,
            push_namespace=body.push_namespace,
            locale=body.locale,
            preheader=body.preheader,
            layout=body.layout,
            subscribed=body.subscribed,
        )
        answer = await self._clients.call(self._clients.templates.CreateTemplate, wire, deadline=TRY_DEADLINE_S)
        template = answer.template
        if body.activate:
            template = await self._activate(template.id)
        return json_reply(shown(template), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List versions, newest first."""
        channel = forms.text(request, "channel")
        wire = templates_pb2.ListTemplatesRequest(
            **forms.scope(request),
            event_type=forms.text(request, "event_type"),
            channel=forms.people_channel(channel) if channel else event_pb2.CHANNEL_UNSPECIFIED,
            locale=forms.text(request, "locale") if "locale" in request.query else None,
            active_only=forms.flag(request, "active"),
            limit=forms.limit(request),
            cursor=forms.text(request, "cursor"),
        )
        answer = await self._clients.call(self._clients.templates.ListTemplates, wire)
        return json_reply(forms.page([shown(template) for template in answer.templates], answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one version."""
        wire = templates_pb2.GetTemplateRequest(template_version_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.templates.GetTemplate, wire)
        return json_reply(shown(answer.template))

    async def activate(self, request: web.Request) -> web.Response:
        """Activate this version. Activating an earlier version rolls back."""
        return json_reply(shown(await self._activate(forms.path_id(request))))

    async def deactivate(self, request: web.Request) -> web.Response:
        """Deactivate this version."""
        wire = templates_pb2.DeactivateTemplateRequest(template_version_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.templates.DeactivateTemplate, wire)
        return json_reply(shown(answer.template))

    async def diff(self, request: web.Request) -> web.Response:
        """Compare this version with ?against=, the older one."""
        against = forms.text(request, "against")
        if not against:
            raise forms.invalid("against", "is required: the id of another version")
        wire = templates_pb2.DiffTemplatesRequest(from_version_id=against, to_version_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.templates.DiffTemplates, wire, deadline=TRY_DEADLINE_S)
        before = getattr(answer, "from")  # a keyword in Python
        return json_reply(
            {
                "from": {"id": before.id, "version": before.version},
                "to": {"id": answer.to.id, "version": answer.to.version},
                "changed": list(answer.changed),
                "unified": answer.unified,
            }
        )

    async def refresh(self, request: web.Request) -> web.Response:
        """Create a version with the same content and the current layout and partials."""
        wire = templates_pb2.RefreshTemplateRequest(template_version_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.templates.RefreshTemplate, wire, deadline=TRY_DEADLINE_S)
        return json_reply(shown(answer.template), status=201)

    async def locale(self, request: web.Request) -> web.Response:
        """Return the default language of a tenant's templates."""
        tenant_id = await self._tenant(request)
        wire = locales_pb2.GetDefaultLocaleRequest(tenant_id=tenant_id)
        answer = await self._clients.call(self._clients.locales.GetDefaultLocale, wire)
        return json_reply({"locale": answer.locale or None})

    async def set_locale(self, request: web.Request) -> web.Response:
        """Set the default language of a tenant's templates."""
        body = await forms.read(request, NewLocaleBody)
        tenant_id = await self._tenant(request)
        wire = locales_pb2.SetDefaultLocaleRequest(tenant_id=tenant_id, locale=body.locale)
        answer = await self._clients.call(self._clients.locales.SetDefaultLocale, wire)
        return json_reply({"locale": answer.locale or None})

    async def _tenant(self, request: web.Request) -> str:
        """Return the id of the tenant in the path. Raises NOT_FOUND."""
        wire = tenants_pb2.GetTenantRequest(tenant_id=forms.path_id(request))
        tenant_id: str = (await self._clients.call(self._clients.tenants.GetTenant, wire)).tenant.id
        request[TENANT_ID] = tenant_id
        return tenant_id

    async def _activate(self, template_id: str) -> templates_pb2.TemplateVersion:
        wire = templates_pb2.ActivateTemplateRequest(template_version_id=template_id)
        return (await self._clients.call(self._clients.templates.ActivateTemplate, wire)).template


def shown(template: templates_pb2.TemplateVersion) -> dict[str, Any]:
    """Return a version as the API shows it."""
    return {
        "id": template.id,
        "version": template.version,
        "tenant_id": template.tenant_id or None,
        "event_type": template.event_type,
        "channel": forms.channel_name(template.channel),
        "locale": template.locale or None,
        "subject": template.subject,
        "preheader": template.preheader,
        "body": template.body,
        "layout": template.layout or None,
        "parts": [
            {
                "id": part.part_version_id,
                "kind": part_kind_name(part.kind),
                "name": part.name,
                "version": part.version,
            }
            for part in template.parts
        ],
        "push_namespace": template.push_namespace,
        "subscribed": template.subscribed,
        "active": template.active,
        "created_at": forms.iso(template.created_at_us),
        "activated_at": forms.iso(template.activated_at_us),
    }


def part_kind_name(number: "templates_pb2.PartKind.ValueType") -> str | None:
    """Return the name of a kind of part, None if it is unspecified."""
    return _PART_NAMES.get(number)
