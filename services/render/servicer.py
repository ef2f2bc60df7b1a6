"""Render's two gRPC services: wire to domain and back, nothing else."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import grpc.aio

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2, render_pb2_grpc, templates_pb2, templates_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from services.render import telemetry, templates
from services.render.frames import Source
from services.render.render import NO_TURN, Item, Rendered, Renderer, overloaded
from services.render.templates import NewTemplate, Store, Templates, TemplateVersion

RENDER_SERVICE = "clarion.render.v1.RenderService"
TEMPLATE_SERVICE = "clarion.render.v1.TemplateService"

MAX_ITEMS = 256
# A call never takes longer, whatever its deadline; and it ends this much before it, seconds.
MAX_BUDGET_S = 10.0
_MARGIN_S = 0.25
_LOGGED_FAILURES = 5

Context = grpc.aio.ServicerContext[Any, Any]

log = logs.get(__name__)


class RenderServicer(render_pb2_grpc.RenderServiceServicer):
    """See proto/clarion/render/v1/render.proto."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def RenderBatch(
        self, request: render_pb2.RenderBatchRequest, context: Context
    ) -> render_pb2.RenderBatchResponse:
        """Render many, with a result for each."""
        if len(request.items) > MAX_ITEMS:
            raise ClarionError(Code.INVALID, "Too many items.", fields=[("items", f"At most {MAX_ITEMS}.")])
        started = time.perf_counter()
        items = [Item(item.template_version_id, item.variables, item.fallback) for item in request.items]
        results = await self._renderer.batch(items, _budget(context))
        if not request.partial and any(result.reason == NO_TURN for result in results):
            raise overloaded()
        for result in results:
            telemetry.count(result)
        _log_batch(items, results, time.perf_counter() - started)
        return render_pb2.RenderBatchResponse(results=[_result(result) for result in results])

    async def Preview(self, request: render_pb2.PreviewRequest, context: Context) -> render_pb2.PreviewResponse:
        """Render a body that is not saved."""
        violations = templates.content_violations(request.channel, request.subject, request.body)
        if violations:
            raise ClarionError(Code.INVALID, "The template cannot be used.", fields=violations)
        source = Source(request.channel, request.subject, request.body)
        result = await self._renderer.preview(source, request.variables, _budget(context))
        telemetry.count(result)
        if result.reason:
            return render_pb2.PreviewResponse(failure=_failure(result))
        return render_pb2.PreviewResponse(content=_content(result))


class TemplateServicer(templates_pb2_grpc.TemplateServiceServicer):
    """See proto/clarion/render/v1/templates.proto."""

    def __init__(self, verbs: Templates, store: Store) -> None:
        self._templates = verbs
        self._store = store

    async def CreateTemplate(
        self, request: templates_pb2.CreateTemplateRequest, context: Context
    ) -> templates_pb2.CreateTemplateResponse:
        """Create a new version, inactive."""
        new = NewTemplate(
            request.tenant_id,
            request.event_type,
            request.channel,
            request.subject,
            request.body,
            request.push_namespace,
        )
        created = await self._templates.create(new, _budget(context))
        log.info("template_created", template_version_id=created.id, tenant_id=new.tenant_id, event_type=new.event_type)
        return templates_pb2.CreateTemplateResponse(template=_version(created))

    async def ActivateTemplate(
        self, request: templates_pb2.ActivateTemplateRequest, context: Context
    ) -> templates_pb2.ActivateTemplateResponse:
        """Make this version the active one of its kind."""
        changed = await self._store.set_active(request.template_version_id, active=True)
        log.info("template_activated", template_version_id=changed.id, tenant_id=changed.template.tenant_id)
        return templates_pb2.ActivateTemplateResponse(template=_version(changed))

    async def DeactivateTemplate(
        self, request: templates_pb2.DeactivateTemplateRequest, context: Context
    ) -> templates_pb2.DeactivateTemplateResponse:
        """Leave its kind without this version."""
        changed = await self._store.set_active(request.template_version_id, active=False)
        log.info("template_deactivated", template_version_id=changed.id, tenant_id=changed.template.tenant_id)
        return templates_pb2.DeactivateTemplateResponse(template=_version(changed))

    async def GetTemplate(
        self, request: templates_pb2.GetTemplateRequest, context: Context
    ) -> templates_pb2.GetTemplateResponse:
        """Show one version."""
        found = await self._store.get(request.template_version_id)
        return templates_pb2.GetTemplateResponse(template=_version(found))

    async def ListTemplates(
        self, request: templates_pb2.ListTemplatesRequest, context: Context
    ) -> templates_pb2.ListTemplatesResponse:
        """List versions, newest first."""
        limit = request.limit or 50
        if not 1 <= limit <= 100:
            raise ClarionError(Code.INVALID, "The limit is wrong.", fields=[("limit", "From 1 to 100.")])
        versions = await self._store.page(
            tenant_id=request.tenant_id,
            event_type=request.event_type,
            active_only=request.active_only,
            limit=limit,
            cursor=request.cursor,
        )
        next_cursor = versions[-1].id if len(versions) == limit else ""
        return templates_pb2.ListTemplatesResponse(templates=map(_version, versions), next_cursor=next_cursor)

    async def ResolveTemplates(
        self, request: templates_pb2.ResolveTemplatesRequest, context: Context
    ) -> templates_pb2.ResolveTemplatesResponse:
        """Name the active versions of a tenant's event type."""
        found = await self._templates.resolve(request.tenant_id, request.event_type)
        active = [
            templates_pb2.ActiveTemplate(
                channel=event_pb2.Channel.ValueType(one.channel),
                template_version_id=one.version_id,
                push_namespace=one.push_namespace,
            )
            for one in found
        ]
        return templates_pb2.ResolveTemplatesResponse(templates=active)


def _budget(context: Context) -> float:
    remaining = context.time_remaining()
    if remaining is None:
        return MAX_BUDGET_S
    return max(0.0, min(MAX_BUDGET_S, remaining - _MARGIN_S))


def _result(result: Rendered) -> render_pb2.RenderResult:
    if result.reason:
        return render_pb2.RenderResult(failure=_failure(result), duration_us=result.duration_us)
    return render_pb2.RenderResult(content=_content(result), duration_us=result.duration_us)


def _content(result: Rendered) -> render_pb2.Content:
    return render_pb2.Content(**result.content._asdict())


def _failure(result: Rendered) -> render_pb2.RenderFailure:
    return render_pb2.RenderFailure(reason=result.reason, detail=result.detail)


def _version(found: TemplateVersion) -> templates_pb2.TemplateVersion:
    template = found.template
    return templates_pb2.TemplateVersion(
        id=found.id,
        version=found.version,
        tenant_id=template.tenant_id,
        event_type=template.event_type,
        channel=event_pb2.Channel.ValueType(template.channel),
        subject=template.subject,
        body=template.body,
        push_namespace=template.push_namespace,
        active=found.active,
        created_at_us=found.created_at_us,
    )


def _log_batch(items: Sequence[Item], results: Sequence[Rendered], seconds: float) -> None:
    failures = Counter(result.reason for result in results if result.reason)
    log.info(
        "batch_rendered",
        items=len(items),
        failed=failures.total(),
        reasons=dict(failures),
        ms=round(seconds * 1000, 2),
        worker_ms=round(sum(result.duration_us for result in results) / 1000, 2),
    )
    failed = [(item, result) for item, result in zip(items, results, strict=True) if result.reason]
    for item, result in failed[:_LOGGED_FAILURES]:
        log.warning("render_failed", template_version_id=item.version_id, reason=result.reason, detail=result.detail)
