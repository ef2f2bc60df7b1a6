"""Templates and their versions, and a tenant's default language."""

from typing import Any

from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import tenants_pb2
from clarion.render.v1 import locales_pb2, templates_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.problems import problem
from gateway.replies import json_reply

# Longer than render's own limits for trying a template.
TRY_DEADLINE_S = 10.0

PART_KINDS = {
    "LAYOUT": templates_pb2.PART_KIND_LAYOUT,
    "PARTIAL": templates_pb2.PART_KIND_PARTIAL,
}
_PART_NAMES = {number: name for name, number in PART_KINDS.items()}


class NewTemplateBody(forms.Body):
    """The body of POST /templates. Without tenant_id: a platform template, shared by all tenants.

    based_on: the version that the author started from. If there is a newer one in this language, the call is refused,
    except with force.
    """

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
    based_on: forms.OptionalId = ""
    force: bool = False


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
            based_on="" if body.force else body.based_on,
        )
        answer = await self._clients.call(self._clients.templates.CreateTemplate, wire, deadline=TRY_DEADLINE_S)
        if answer.HasField("newer"):
            return newer_version(answer.newer.id, answer.newer.version, answer.newer.created_at_us)
        template = answer.template
        if body.activate:
            template = await self._activate(template.id)
        return json_reply(shown(template), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List versions, newest first."""
        channel = forms.text(request, "channel")
        wire = templates_pb2.ListTemplatesRequest(
            tenant_ids=owners(request),
            event_type=forms.text(request, "event_type"),
            channel=forms.people_channel(channel) if channel else event_pb2.CHANNEL_UNSPECIFIED,
            locale=forms.text(request, "locale") if "locale" in request.query else None,
            active_only=forms.flag(request, "active"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.templates.ListTemplates, wire)
        return json_reply(forms.page(request, [shown(template) for template in answer.templates], answer.next_cursor))

    async def languages(self, request: web.Request) -> web.Response:
        """List languages of templates, each with its newest and its active version."""
        channel = forms.text(request, "channel")
        wire = templates_pb2.ListTemplateLanguagesRequest(
            tenant_ids=owners(request),
            search=forms.text(request, "search"),
            channel=forms.people_channel(channel) if channel else event_pb2.CHANNEL_UNSPECIFIED,
            active_only=forms.flag(request, "active"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.templates.ListTemplateLanguages, wire)
        return json_reply(forms.page(request, [_language(one) for one in answer.languages], answer.next_cursor))

    async def helpers(self, _request: web.Request) -> web.Response:
        """Return what templates can be written with."""
        wire = templates_pb2.ListHelpersRequest()
        answer = await self._clients.call(self._clients.templates.ListHelpers, wire)
        return json_reply(
            {
                "helpers": [_helper(one) for one in answer.helpers],
                "elements": [
                    {"name": one.name, "children": list(one.children), "has_text": one.has_text}
                    for one in answer.elements
                ],
            }
        )

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


def owners(request: web.Request) -> list[str]:
    """Return whose templates a list contains; none means all. An empty one is the platform.

    People who may see some tenants only see the platform's as well: their tenants use them.
    """
    limits = forms.scope(request)
    tenant_id, seen = limits["tenant_id"], limits["tenant_ids"]
    named = [*([tenant_id] if tenant_id else []), *([""] if forms.flag(request, "platform") else [])]
    return named or ([*seen, ""] if seen else [])


def newer_version(version_id: str, version: int, created_at_us: int) -> web.Response:
    """Return the problem of an author who started from a version that is no longer the newest."""
    detail = f"Version {version} was saved meanwhile. Compare it with yours, then save again with force, or drop yours."
    newer = {"id": version_id, "version": version, "created_at": forms.iso(created_at_us)}
    return problem(409, "newer-version", "Newer version", detail, members={"newer": newer})


def _language(one: templates_pb2.TemplateLanguage) -> dict[str, Any]:
    active = {"id": one.active_id, "version": one.active_version, "activated_at": forms.iso(one.activated_at_us)}
    return {
        "tenant_id": one.tenant_id or None,
        "event_type": one.event_type,
        "channel": forms.channel_name(one.channel),
        "locale": one.locale or None,
        "newest": {
            "id": one.newest_id,
            "version": one.newest_version,
            "subject": one.subject,
            "created_at": forms.iso(one.created_at_us),
        },
        "active": active if one.active_id else None,
    }


def _helper(one: templates_pb2.TemplateHelper) -> dict[str, Any]:
    return {
        "name": one.name,
        "signature": one.signature,
        "summary": one.summary,
        "example": one.example,
        "options": list(one.options),
        "opens_block": one.opens_block,
        "writes_value": one.writes_value,
    }


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
