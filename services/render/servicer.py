"""RenderService and TemplateService: wire to core."""

import re
from typing import Any

import grpc.aio
from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2, render_pb2_grpc, templates_pb2, templates_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services import topology
from services.render.frames import Source
from services.render.render import Item, Rendered, Renderer
from services.render.store import TemplateStore

GLOBAL_TYPES = frozenset({"global.info", "global.success", "global.warning", "global.alert", "global.error"})

_MAX_ITEMS = 256
_MAX_BODY = 256 * 1024
_MAX_SUBJECT = 2000
_MAX_EVENT_TYPE = 255
_DEFAULT_LIMIT, _MAX_LIMIT = 50, 100
_BUDGET_S = 8.0
# What is left of a call's time for everything but rendering, seconds.
_MARGIN_S = 0.2
_NAMESPACE = re.compile(r"^[A-Za-z0-9_-]{0,64}$")

_RENDERS = Counter("clarion_renders_total", "Renders by channel and outcome.", ["channel", "outcome"])
_SECONDS = Histogram("clarion_render_seconds", "Time of one render.", ["channel"])

log = logs.get(__name__)


class RenderServicer(render_pb2_grpc.RenderServiceServicer):
    """See proto/clarion/render/v1/render.proto."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def RenderBatch(self, request: render_pb2.RenderBatchRequest, context: Any) -> render_pb2.RenderBatchResponse:
        """Render many, with a result for each."""
        if len(request.items) > _MAX_ITEMS:
            raise ClarionError(Code.INVALID, f"At most {_MAX_ITEMS} items at a time.")
        items = [Item(item.template_version_id, item.variables or b"{}", item.fallback) for item in request.items]
        rendered = await self._renderer.batch(items, _budget(context))
        for item, result in zip(items, rendered, strict=True):
            _observe(item.version_id, result)
        return render_pb2.RenderBatchResponse(results=[_result(result) for result in rendered])

    async def Preview(self, request: render_pb2.PreviewRequest, context: Any) -> render_pb2.PreviewResponse:
        """Render a body that is not saved."""
        _check_template(request.channel, request.subject, request.body)
        source = Source(request.channel, request.subject, request.body)
        rendered = await self._renderer.preview(source, request.variables or b"{}", _budget(context))
        result = _result(rendered)
        if result.HasField("failure"):
            return render_pb2.PreviewResponse(failure=result.failure)
        return render_pb2.PreviewResponse(content=result.content)


class TemplateServicer(templates_pb2_grpc.TemplateServiceServicer):
    """See proto/clarion/render/v1/templates.proto."""

    def __init__(self, store: TemplateStore, renderer: Renderer) -> None:
        self._store = store
        self._renderer = renderer

    async def CreateTemplate(
        self, request: templates_pb2.CreateTemplateRequest, context: Any
    ) -> templates_pb2.CreateTemplateResponse:
        """Check and keep a new version."""
        _check_id("tenant_id", request.tenant_id, required=False)
        _check_text("event_type", request.event_type, _MAX_EVENT_TYPE, required=True)
        _check_template(request.channel, request.subject, request.body)
        if not _NAMESPACE.match(request.push_namespace):
            raise _invalid("push_namespace", "must be at most 64 letters, digits, _ or -")
        faults = await self._renderer.check(Source(request.channel, request.subject, request.body), _budget(context))
        if faults:
            fields = [(fault.field, str(fault).removeprefix(f"{fault.field}: ")) for fault in faults]
            raise ClarionError(Code.INVALID, "; ".join(map(str, faults)), fields=fields)
        return templates_pb2.CreateTemplateResponse(template=await self._store.create(request))

    async def ActivateTemplate(
        self, request: templates_pb2.ActivateTemplateRequest, context: Any
    ) -> templates_pb2.ActivateTemplateResponse:
        """Make it the active one."""
        _check_id("template_version_id", request.template_version_id)
        template = await self._store.set_active(request.template_version_id, active=True)
        return templates_pb2.ActivateTemplateResponse(template=template)

    async def DeactivateTemplate(
        self, request: templates_pb2.DeactivateTemplateRequest, context: Any
    ) -> templates_pb2.DeactivateTemplateResponse:
        """Take it out of use."""
        _check_id("template_version_id", request.template_version_id)
        template = await self._store.set_active(request.template_version_id, active=False)
        return templates_pb2.DeactivateTemplateResponse(template=template)

    async def GetTemplate(
        self, request: templates_pb2.GetTemplateRequest, context: Any
    ) -> templates_pb2.GetTemplateResponse:
        """Return one version."""
        _check_id("template_version_id", request.template_version_id)
        return templates_pb2.GetTemplateResponse(template=await self._store.get(request.template_version_id))

    async def ListTemplates(
        self, request: templates_pb2.ListTemplatesRequest, context: Any
    ) -> templates_pb2.ListTemplatesResponse:
        """Return a page of versions."""
        _check_id("tenant_id", request.tenant_id, required=False)
        _check_id("cursor", request.cursor, required=False)
        limit = min(request.limit or _DEFAULT_LIMIT, _MAX_LIMIT)
        templates = await self._store.page(request, limit)
        more = templates[-1].id if len(templates) == limit else ""
        return templates_pb2.ListTemplatesResponse(templates=templates, next_cursor=more)

    async def ResolveTemplates(
        self, request: templates_pb2.ResolveTemplatesRequest, context: Any
    ) -> templates_pb2.ResolveTemplatesResponse:
        """Return the active versions, the platform's where the tenant has none of a global type."""
        _check_id("tenant_id", request.tenant_id)
        rows = await self._store.active(request.tenant_id, request.event_type)
        if request.event_type in GLOBAL_TYPES:
            taken = {row["channel"] for row in rows}
            rows += [row for row in await self._store.active("", request.event_type) if row["channel"] not in taken]
        return templates_pb2.ResolveTemplatesResponse(
            templates=[
                templates_pb2.ActiveTemplate(
                    channel=row["channel"], template_version_id=str(row["id"]), push_namespace=row["push_namespace"]
                )
                for row in rows
            ]
        )


def _budget(context: grpc.aio.ServicerContext[Any, Any]) -> float:
    remaining = context.time_remaining()
    return _BUDGET_S if remaining is None else max(0.05, min(_BUDGET_S, remaining - _MARGIN_S))


def _observe(version_id: str, rendered: Rendered) -> None:
    channel = topology.CHANNELS.get(event_pb2.Channel.ValueType(rendered.channel), "unknown")
    _RENDERS.labels(channel, rendered.reason or "ok").inc()
    _SECONDS.labels(channel).observe(rendered.duration_us / 1_000_000)
    if rendered.reason:
        log.info("render_failed", template_version_id=version_id, reason=rendered.reason, detail=rendered.detail)


def _result(rendered: Rendered) -> render_pb2.RenderResult:
    if rendered.reason:
        failure = render_pb2.RenderFailure(reason=rendered.reason, detail=rendered.detail)
        return render_pb2.RenderResult(failure=failure, duration_us=rendered.duration_us)
    content = rendered.content
    return render_pb2.RenderResult(
        content=render_pb2.Content(
            subject=content.subject, html=content.html, text=content.text, title=content.title, body=content.body
        ),
        duration_us=rendered.duration_us,
    )


def _invalid(field: str, description: str) -> ClarionError:
    return ClarionError(Code.INVALID, f"{field} {description}", fields=[(field, description)])


def _check_id(field: str, value: str, *, required: bool = True) -> None:
    if (value or required) and not is_uuid(value):
        raise _invalid(field, "must be a UUID")


def _check_text(field: str, value: str, limit: int, *, required: bool = False) -> None:
    if required and not value:
        raise _invalid(field, "is required")
    if len(value) > limit:
        raise _invalid(field, f"is longer than {limit} characters")
    if "\x00" in value:
        raise _invalid(field, "must not contain a NUL character")


def _check_template(channel: int, subject: str, body: str) -> None:
    if channel not in topology.CHANNELS:
        raise _invalid("channel", "must be EMAIL, SMS or PUSH")
    _check_text("subject", subject, _MAX_SUBJECT)
    _check_text("body", body, _MAX_BODY, required=True)
