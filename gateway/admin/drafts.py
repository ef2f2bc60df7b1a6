"""Trying a template: rendered with sample data before it is saved, or sent to one address."""

import uuid
from typing import Any

import msgspec
from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from clarion.render.v1 import render_pb2, templates_pb2
from gateway.admin import forms
from gateway.admin.templates import TRY_DEADLINE_S
from gateway.clients import Clients
from gateway.observing import EVENT_ID
from gateway.replies import json_reply
from runtime import telemetry
from runtime.errors import ClarionError

_CONTENT = ("subject", "preheader", "html", "text", "title", "body")
# The limit for a test's variables, as for an event's.
MAX_VARIABLES_BYTES = 256 * 1024
# The recipient's user id if the body has none.
_USER = "test"

_encode = msgspec.json.Encoder().encode


class SampleData(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Further variables for a preview, and what to call them in the response."""

    name: str
    variables: dict[str, Any]


class DraftBody(forms.Body):
    """The body of POST /templates/preview: an unsaved template.

    layout_body, partials: an unsaved layout, and unsaved partials by name. samples: further variables to render it
    with, at most 20.
    """

    channel: forms.PeopleChannel
    body: str
    subject: str = ""
    preheader: str = ""
    tenant_id: forms.OptionalId = ""
    layout: str = ""
    layout_body: str = ""
    partials: dict[str, str] = msgspec.field(default_factory=dict)
    locale: str = ""
    variables: dict[str, Any] = msgspec.field(default_factory=dict)
    samples: list[SampleData] = msgspec.field(default_factory=list)


class TestRecipient(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The recipient of a test. The address for the template's channel is required."""

    user_id: str = _USER
    email: str = ""
    phone: str = ""


class TestSendBody(forms.Body):
    """The body of POST /templates/{id}/test. tenant_id: whose provider sends it; required for a platform template."""

    recipient: TestRecipient
    tenant_id: forms.OptionalId = ""
    variables: dict[str, Any] = msgspec.field(default_factory=dict)


class DraftRoutes:
    """Handlers for previews, which render makes, and for tests, which are sent as events."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def preview(self, request: web.Request) -> web.Response:
        """Render a draft as a real message is: {"content", "report"} or {"failure"}, also for each sample."""
        body = await forms.read(request, DraftBody)
        channel = forms.people_channel(body.channel)
        max_sms_segments = 0
        if body.tenant_id:
            tenant = await forms.check_tenant(request, self._clients, body.tenant_id)
            max_sms_segments = tenant.max_sms_segments
        wire = render_pb2.PreviewRequest(
            channel=channel,
            subject=body.subject,
            body=body.body,
            variables=_encode(body.variables),
            tenant_id=body.tenant_id,
            preheader=body.preheader,
            layout=body.layout,
            locale=body.locale,
            layout_body=body.layout_body,
            partials=body.partials,
            max_sms_segments=max_sms_segments,
            samples=[
                render_pb2.PreviewSample(name=sample.name, variables=_encode(sample.variables))
                for sample in body.samples
            ],
        )
        answer = await self._clients.call(self._clients.render.Preview, wire, deadline=TRY_DEADLINE_S)
        return json_reply(
            {
                **_result(answer),
                "samples": [{"name": one.name, **_result(one)} for one in answer.samples],
                "unreached": [_branch(one) for one in answer.unreached],
            }
        )

    async def test(self, request: web.Request) -> web.Response:
        """Send this version, active or not, to one address, as an event that is marked as a test."""
        body = await forms.read(request, TestSendBody)
        wire = templates_pb2.GetTemplateRequest(template_version_id=forms.path_id(request))
        template = (await self._clients.call(self._clients.templates.GetTemplate, wire)).template
        tenant_id = _tenant(template, body)
        await forms.check_tenant(request, self._clients, tenant_id)
        item = ingest_pb2.AcceptItem(tenant_id=tenant_id, event=_event(template, body))
        accept = ingest_pb2.AcceptEventsRequest(items=[item])
        (result,) = (await self._clients.call(self._clients.ingest.AcceptEvents, accept)).results
        if result.HasField("error"):
            raise ClarionError.from_proto(result.error)
        request[EVENT_ID] = result.accepted.event_id
        return json_reply({"event_id": result.accepted.event_id, "template_version_id": template.id}, status=202)


def _tenant(template: templates_pb2.TemplateVersion, body: TestSendBody) -> str:
    if not template.tenant_id and not body.tenant_id:
        raise forms.invalid("tenant_id", "is required: this is a platform template")
    if template.tenant_id and body.tenant_id not in ("", template.tenant_id):
        raise forms.invalid("tenant_id", "is not the tenant of this template")
    return template.tenant_id or body.tenant_id


def _event(template: templates_pb2.TemplateVersion, body: TestSendBody) -> ingest_pb2.NewEvent:
    recipient, variables = body.recipient, _encode(body.variables)
    if len(variables) > MAX_VARIABLES_BYTES:
        raise forms.invalid("variables", f"must be at most {MAX_VARIABLES_BYTES // 1024} KiB")
    return ingest_pb2.NewEvent(
        event_type=template.event_type,
        recipient=event_pb2.Recipient(user_id=recipient.user_id or _USER, email=recipient.email, phone=recipient.phone),
        variables=variables,
        payload_extra=b"{}",
        # A repeated test must be sent again.
        idempotency_key=f"test-{uuid.uuid4()}",
        trace_id=telemetry.current_trace(),
        pinned=event_pb2.PinnedTemplate(
            channel=template.channel,
            template_version_id=template.id,
            push_namespace=template.push_namespace,
            subscribed=template.subscribed,
            locale=template.locale,
        ),
    )


def _result(one: render_pb2.PreviewResponse | render_pb2.SampleResult) -> dict[str, Any]:
    if one.HasField("failure"):
        return {"failure": _failure(one.failure)}
    return {"content": _content(one.content), "report": _report(one.report)}


def _branch(one: render_pb2.UnreachedBranch) -> dict[str, Any]:
    return {
        "field": one.field,
        "line": one.line,
        "column": one.column,
        "block": one.block,
        "branch": "else" if one.is_else else "then",
    }


def _content(content: render_pb2.Content) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(content, name) for name in _CONTENT}
    is_sms = bool(content.sms_encoding)
    shown["sms"] = {"segments": content.sms_segments, "encoding": content.sms_encoding} if is_sms else None
    return shown


def _report(report: render_pb2.PreviewReport) -> dict[str, Any]:
    return {
        "format": report.format,
        "size_bytes": report.size,
        "clipped_by_gmail": report.clipped,
        "missing": [{"name": one.name, "field": one.field, "line": one.line or None} for one in report.missing],
        "unused": list(report.unused),
        "not_sent": _not_sent(report),
    }


def _not_sent(report: render_pb2.PreviewReport) -> dict[str, str] | None:
    if not report.not_sent_reason:
        return None
    return {"reason": report.not_sent_reason, "detail": report.not_sent_detail}


def _failure(failure: render_pb2.RenderFailure) -> dict[str, Any]:
    errors = [
        {"field": one.field, "line": one.line or None, "column": one.column or None, "detail": one.message}
        for one in failure.faults
    ]
    return {"reason": failure.reason, "detail": failure.detail, "errors": errors}
