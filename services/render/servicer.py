"""The gRPC RenderService. Translates messages, decides nothing."""

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import grpc.aio

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2, render_pb2_grpc
from runtime import logs, tracing
from runtime.errors import ClarionError, Code
from services.domain.reasons import Reason
from services.domain.sms_limit import DEFAULT_MAX_SEGMENTS, too_long
from services.render import frames, telemetry
from services.render.branches import unreached
from services.render.frames import Contact, Content, TemplateSource
from services.render.parts import UnsavedParts
from services.render.render import NO_TURN, Item, Rendered, TemplateRenderer, overloaded
from services.render.templates import NewTemplate, TemplateLibrary

RENDER_SERVICE = "clarion.render.v1.RenderService"

MAX_ITEMS = 256
# Further data of one preview.
MAX_SAMPLES = 20
# The most that a call may take, and how long before its deadline it ends, in seconds.
MAX_BUDGET_S = 10.0
_MARGIN_S = 0.25
_LOGGED_FAILURES = 5

Context = grpc.aio.ServicerContext[Any, Any]

log = logs.get(__name__)


class RenderServicer(render_pb2_grpc.RenderServiceServicer):
    """See proto/clarion/render/v1/render.proto."""

    # The callers' batches have at most 4 MiB; a preview contains its template.
    MAX_BYTES: ClassVar = {"RenderBatch": 5 * 1024 * 1024, "Preview": 3 * 1024 * 1024}

    def __init__(self, renderer: TemplateRenderer, templates: TemplateLibrary) -> None:
        self._renderer = renderer
        self._templates = templates

    async def RenderBatch(
        self, request: render_pb2.RenderBatchRequest, context: Context
    ) -> render_pb2.RenderBatchResponse:
        """Render many items, with a result for each."""
        if len(request.items) > MAX_ITEMS:
            raise ClarionError(Code.INVALID, "Too many items.", fields=[("items", f"must be at most {MAX_ITEMS}")])
        started = time.perf_counter()
        items = _items(request)
        spans = [tracing.item("render template", item.traceparent) for item in request.items] if tracing.is_on() else []
        try:
            results = await self._renderer.batch(items, budget(context))
        except BaseException as error:
            for span in spans:
                span.fail(type(error).__name__)
                span.end()
            raise
        _end_spans(spans, items, results)
        if not request.partial and any(result.reason == NO_TURN for result in results):
            raise overloaded()
        for result in results:
            telemetry.count(result)
        _log_batch(items, results, time.perf_counter() - started)
        return render_pb2.RenderBatchResponse(results=[_result(result) for result in results])

    async def Preview(self, request: render_pb2.PreviewRequest, context: Context) -> render_pb2.PreviewResponse:
        """Render a template that is not saved, with one or more samples."""
        if len(request.samples) > MAX_SAMPLES:
            fields = [("samples", f"must be at most {MAX_SAMPLES}")]
            raise ClarionError(Code.INVALID, "Too many samples.", fields=fields)
        new = NewTemplate(
            request.tenant_id,
            "",
            request.channel,
            request.subject,
            request.body,
            locale=request.locale,
            preheader=request.preheader,
            layout=request.layout,
        )
        source = await self._templates.draft(new, UnsavedParts(request.layout_body, request.partials))
        data = [request.variables, *(sample.variables for sample in request.samples)]
        results = await self._renderer.preview(source, data, budget(context))
        for result in results:
            telemetry.count(result)
        return _previews(results, request)


def _items(request: render_pb2.RenderBatchRequest) -> list[Item]:
    """Return the items, those of templates that are not stored with their source. Raises INVALID."""
    if len(request.templates) > MAX_ITEMS:
        raise ClarionError(Code.INVALID, "Too many templates.", fields=[("templates", f"must be at most {MAX_ITEMS}")])
    unsaved = [_unsaved(template) for template in request.templates]
    items = []
    for item in request.items:
        source, version_id = None, item.template_version_id
        if item.unsaved_template:
            if not 0 < item.unsaved_template <= len(unsaved):
                what = "must be the place of one of templates"
                raise ClarionError(Code.INVALID, f"unsaved_template {what}.", fields=[("unsaved_template", what)])
            version_id, source = unsaved[item.unsaved_template - 1]
        contact = _contact(item.contact) if item.HasField("contact") else None
        items.append(Item(version_id, item.variables, item.fallback, source, contact))
    return items


def _unsaved(template: render_pb2.UnsavedTemplate) -> tuple[str, TemplateSource]:
    """Return a template that is not stored, and a digest by which workers recognise it."""
    source = TemplateSource(template.channel, template.subject, template.body, text=template.text)
    return f"unsaved:{hashlib.sha256(frames.pack(source)).hexdigest()}", source


def _contact(recipient: event_pb2.Recipient) -> Contact:
    return Contact(
        recipient.user_id,
        recipient.email,
        recipient.phone,
        recipient.name,
        recipient.locale,
        recipient.timezone,
        recipient.data,
    )


def _end_spans(spans: Sequence[tracing.Span], items: Sequence[Item], results: Sequence[Rendered]) -> None:
    """End the span of each item. They all last as long as the call; rendering alone took "clarion.render_us"."""
    if not spans:
        return
    for span, item, result in zip(spans, items, results, strict=True):
        span.set("clarion.template_version_id", item.version_id)
        span.set("clarion.render_us", result.duration_us)
        if result.reason:
            span.fail(result.reason)
        span.end()


def budget(context: Context) -> float:
    """Return the seconds that a call may take."""
    remaining = context.time_remaining()
    if remaining is None:
        return MAX_BUDGET_S
    return max(0.0, min(MAX_BUDGET_S, remaining - _MARGIN_S))


def _previews(results: Sequence[Rendered], request: render_pb2.PreviewRequest) -> render_pb2.PreviewResponse:
    first, *others = results
    answer = render_pb2.PreviewResponse()
    _put(answer, first, request.max_sms_segments)
    for sample, result in zip(request.samples, others, strict=True):
        _put(answer.samples.add(name=sample.name), result, request.max_sms_segments)
    for branch in unreached(result.report.branches for result in results if result.report is not None):
        answer.unreached.add(
            field=branch.field, line=branch.line, column=branch.column, block=branch.block, is_else=branch.is_else
        )
    return answer


def _put(answer: render_pb2.PreviewResponse | render_pb2.SampleResult, result: Rendered, max_sms_segments: int) -> None:
    if result.reason:
        answer.failure.CopyFrom(_failure(result))
        return
    answer.content.CopyFrom(_content(result))
    if (report := _report(result, max_sms_segments)) is not None:
        answer.report.CopyFrom(report)


def _result(result: Rendered) -> render_pb2.RenderResult:
    if result.reason:
        return render_pb2.RenderResult(failure=_failure(result), duration_us=result.duration_us)
    return render_pb2.RenderResult(content=_content(result), duration_us=result.duration_us)


def _content(result: Rendered) -> render_pb2.Content:
    return render_pb2.Content(**result.content._asdict())


def _failure(result: Rendered) -> render_pb2.RenderFailure:
    faults = [
        render_pb2.TemplateFault(field=fault.field, line=fault.line, column=fault.column, message=fault.message)
        for fault in result.faults
    ]
    return render_pb2.RenderFailure(reason=result.reason, detail=result.detail, faults=faults)


def _report(result: Rendered, max_sms_segments: int) -> render_pb2.PreviewReport | None:
    report, (reason, detail) = result.report, _not_sent(result.content, max_sms_segments or DEFAULT_MAX_SEGMENTS)
    if report is None:
        return None
    missing = [render_pb2.MissingVariable(name=one.name, field=one.field, line=one.line) for one in report.missing]
    return render_pb2.PreviewReport(
        format=report.format,
        size=report.size,
        clipped=report.clipped,
        missing=missing,
        unused=report.unused,
        not_sent_reason=reason,
        not_sent_detail=detail,
    )


def _not_sent(content: Content, max_sms_segments: int) -> tuple[str, str]:
    if content.is_empty:
        return Reason.EMPTY_CONTENT, Reason.EMPTY_CONTENT.text
    detail = too_long(content.sms_segments, content.sms_encoding, max_sms_segments)
    return (Reason.SMS_TOO_LONG, detail) if detail else ("", "")


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
        # Without the detail, which may quote the recipient's data. The caller records it.
        faults = [f"{fault.field}:{fault.line}" for fault in result.faults]
        log.warning("render_failed", template_version_id=item.version_id, reason=result.reason, faults=faults)
