"""Templates and their versions."""

from typing import Any

import msgspec
from aiohttp import web

from clarion.render.v1 import render_pb2, templates_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply

# Rendering a hostile body runs into render's own limits first.
PREVIEW_DEADLINE_S = 10.0


class NewTemplate(forms.Body):
    """POST /templates. No tenant_id: a platform template, for every tenant."""

    event_type: str
    channel: str
    body: str
    tenant_id: str = ""
    subject: str = ""
    push_namespace: str = ""
    activate: bool = False


class Draft(forms.Body):
    """POST /templates/preview: a body that is not saved."""

    channel: str
    body: str
    subject: str = ""
    variables: dict[str, Any] = msgspec.field(default_factory=dict)


class Templates:
    """Answers from render."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, request: web.Request) -> web.Response:
        """Add a version: inactive, unless the body says activate."""
        body = await forms.read(request, NewTemplate)
        request[TENANT_ID] = body.tenant_id
        wire = templates_pb2.CreateTemplateRequest(
            tenant_id=body.tenant_id,
            event_type=body.event_type,
            channel=forms.channel(body.channel),
            subject=body.subject,
            body=body.body,
            push_namespace=body.push_namespace,
        )
        template = (await self._clients.call(self._clients.templates.CreateTemplate, wire)).template
        if body.activate:
            template = await self._activate(template.id)
        return json_reply(_shown(template), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List versions, newest first."""
        wire = templates_pb2.ListTemplatesRequest(
            tenant_id=forms.text(request, "tenant_id"),
            event_type=forms.text(request, "event_type"),
            active_only=request.query.get("active") == "true",
            limit=forms.limit(request),
            cursor=forms.text(request, "cursor"),
        )
        answer = await self._clients.call(self._clients.templates.ListTemplates, wire)
        return json_reply(forms.page([_shown(template) for template in answer.templates], answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one version."""
        wire = templates_pb2.GetTemplateRequest(template_version_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.templates.GetTemplate, wire)
        return json_reply(_shown(answer.template))

    async def activate(self, request: web.Request) -> web.Response:
        """Make this version the active one."""
        return json_reply(_shown(await self._activate(forms.path_id(request))))

    async def deactivate(self, request: web.Request) -> web.Response:
        """Stop using this version."""
        wire = templates_pb2.DeactivateTemplateRequest(template_version_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.templates.DeactivateTemplate, wire)
        return json_reply(_shown(answer.template))

    async def preview(self, request: web.Request) -> web.Response:
        """Render a draft as production would: {"content"} or {"failure"}."""
        body = await forms.read(request, Draft)
        wire = render_pb2.PreviewRequest(
            channel=forms.channel(body.channel),
            subject=body.subject,
            body=body.body,
            variables=msgspec.json.encode(body.variables),
        )
        answer = await self._clients.call(self._clients.render.Preview, wire, deadline=PREVIEW_DEADLINE_S)
        if answer.HasField("failure"):
            return json_reply({"failure": {"reason": answer.failure.reason, "detail": answer.failure.detail}})
        content = answer.content
        names = ("subject", "html", "text", "title", "body")
        return json_reply({"content": {name: getattr(content, name) for name in names}})

    async def _activate(self, template_id: str) -> templates_pb2.TemplateVersion:
        wire = templates_pb2.ActivateTemplateRequest(template_version_id=template_id)
        return (await self._clients.call(self._clients.templates.ActivateTemplate, wire)).template


def _shown(template: templates_pb2.TemplateVersion) -> dict[str, Any]:
    return {
        "id": template.id,
        "version": template.version,
        "tenant_id": template.tenant_id or None,
        "event_type": template.event_type,
        "channel": forms.channel_name(template.channel),
        "subject": template.subject,
        "body": template.body,
        "push_namespace": template.push_namespace,
        "active": template.active,
        "created_at": forms.iso(template.created_at_us),
    }
