"""What was sent, attempt by attempt: e-mails, texts, notifications, and calls of endpoints."""

import time
from typing import Any, NamedTuple

from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2
from clarion.realtime.v1 import realtime_pb2
from clarion.senders.v1 import contents_pb2
from gateway import queries, webhooks
from gateway.admin import forms
from gateway.admin.bodies import raw_json
from gateway.clients import Clients
from gateway.observing import EVENT_ID, TENANT_ID
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from services.domain.erasures import PSEUDONYM

# What was sent a moment ago is not written yet, seconds.
_WRITTEN_S = 5.0
_MAX_ATTEMPT = 10_000
_DAY_S = 86_400

# Why there is no content, for programs and for people.
MISSING = {
    "not_sent": "Nothing was handed over, so there is no content. The timeline says why.",
    "not_written_yet": "It was sent a moment ago, and its content is stored within seconds. Look again.",
    "tenant_keeps_none": "The tenant's retention says that no content is stored.",
    "installation_keeps_none": "This installation stores no content (CLARION_KEEP_CONTENT is false).",
    "expired": "The content was deleted, because the tenant's days for what events carry are over.",
    "secret": "The content was not stored, because the event is marked as a secret.",
    "erased": "The content was deleted, because its recipient was erased.",
    "not_stored": (
        "The content was not stored when it was sent: the database was away, too much was waiting, or an earlier"
        " version sent it."
    ),
}
_OF_SERVICE = {
    contents_pb2.MISSING_REASON_TENANT_KEEPS_NONE: "tenant_keeps_none",
    contents_pb2.MISSING_REASON_INSTALLATION_KEEPS_NONE: "installation_keeps_none",
}
_EMPTY: dict[str, Any] = dict.fromkeys(
    (
        "attempt",
        "replay",
        "captured_at",
        "size_bytes",
        "provider",
        "provider_id",
        "from",
        "to",
        "reply_to",
        "subject",
        "text",
        "html",
        "is_composed",
        "sms",
        "push",
        "webhook",
        "request",
    )
) | {"headers": [], "parts": [], "support": []}


# Of no use in an export: hints for whoever writes templates, and what only notifications have.
_NOT_EXPORTED = frozenset({"support", "parts", "push"})


class _Asked(NamedTuple):
    """Which attempt is asked for; 0: the newest. replay: None: the newest one that has the attempt."""

    attempt: int
    replay: int | None


class ContentRoutes:
    """Handlers that ask the ledger which delivery it is, and the service that sent it for the content."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def get(self, request: web.Request) -> web.Response:
        """Return what one attempt sent, or why it is not stored."""
        asked, delivery = _asked(request), await self._delivery(request)
        found = await self._found(delivery, asked)
        return json_reply(
            {
                "delivery_id": delivery.delivery.id,
                "event_id": delivery.delivery.event_id,
                "tenant_id": delivery.tenant_id,
                "channel": forms.channel_name(delivery.delivery.channel),
                "stored": True,
                "missing": None,
                "why": None,
                **found,
            }
        )

    async def source(self, request: web.Request) -> web.Response:
        """Return an e-mail as a file (RFC 5322). Raises NOT_FOUND, with the reason."""
        asked, delivery = _asked(request), await self._delivery(request)
        if delivery.delivery.channel != event_pb2.CHANNEL_EMAIL:
            raise ClarionError(Code.NOT_FOUND, "Only e-mails can be downloaded as a file.")
        answer = await self._sent(delivery, asked, with_source=True)
        if not answer.HasField("content"):
            raise ClarionError(Code.NOT_FOUND, MISSING[_missing(delivery, asked, answer)])
        # Nothing of it may run in this origin, whatever a browser makes of it. Browsers download nothing in a sandbox
        # that does not allow it.
        headers = {
            "Content-Disposition": f'attachment; filename="{delivery.delivery.id}.eml"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox allow-downloads; default-src 'none'",
            "Cache-Control": "private, no-store",
        }
        return web.Response(body=answer.content.mail.source, content_type="message/rfc822", headers=headers)

    async def _delivery(self, request: web.Request) -> ledger_pb2.GetDeliveryResponse:
        wire = ledger_pb2.GetDeliveryRequest(delivery_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.ledger.GetDelivery, wire)
        request[EVENT_ID], request[TENANT_ID] = answer.delivery.event_id, answer.tenant_id
        return answer

    async def _found(self, delivery: ledger_pb2.GetDeliveryResponse, asked: _Asked) -> dict[str, Any]:
        if delivery.delivery.channel == event_pb2.CHANNEL_PUSH:
            return await self._notification(delivery, asked)
        answer = await self._sent(delivery, asked)
        attempts = [
            {"attempt": one.attempt, "replay": one.replay, "captured_at": forms.iso(one.captured_at_us)}
            for one in answer.attempts
        ]
        common = {**_EMPTY, "attempts": attempts, "keep_days": answer.days}
        if not answer.HasField("content"):
            return common | _not_stored(_missing(delivery, asked, answer))
        shown = common | _shown(answer.content)
        if answer.content.HasField("call") and not answer.content.call.HasField("body"):
            await self._add_body(shown, delivery)
        return shown

    async def _sent(
        self, delivery: ledger_pb2.GetDeliveryResponse, asked: _Asked, *, with_source: bool = False
    ) -> contents_pb2.GetContentResponse:
        wire = contents_pb2.GetContentRequest(
            tenant_id=delivery.tenant_id,
            delivery_id=delivery.delivery.id,
            attempt=asked.attempt,
            replay=asked.replay,
            with_source=with_source,
        )
        return await self._clients.call(self._clients.contents.GetContent, wire)

    async def _notification(self, delivery: ledger_pb2.GetDeliveryResponse, asked: _Asked) -> dict[str, Any]:
        """Return a notification as its recipient's inbox has it: it is the same for all attempts."""
        common = {**_EMPTY, "attempts": [], "keep_days": None}
        user_id = delivery.recipient.user_id
        try:
            if not user_id:
                raise ClarionError(Code.NOT_FOUND, "")
            wire = realtime_pb2.GetNotificationRequest(
                tenant_id=delivery.tenant_id, user_id=user_id, notification_id=delivery.delivery.id
            )
            found = await self._clients.call(self._clients.realtime.GetNotification, wire)
        except ClarionError as error:
            if error.code not in (Code.NOT_FOUND, Code.INVALID):
                raise
            return common | _not_stored(_missing(delivery, asked, None))
        note = found.notification
        push = {
            "title": note.title,
            "body": note.body,
            "data": raw_json(found.data),
            "created_at": forms.iso(note.created_at_us),
            "read_at": forms.iso(found.read_at_us),
        }
        size = len(note.title.encode()) + len(note.body.encode())
        return common | {"push": push, "captured_at": forms.iso(note.created_at_us), "size_bytes": size}

    async def _add_body(self, shown: dict[str, Any], delivery: ledger_pb2.GetDeliveryResponse) -> None:
        """Add the body of a webhook, which is the event's."""
        wire = ledger_pb2.GetEventBodyRequest(tenant_id=delivery.tenant_id, event_id=delivery.delivery.event_id)
        try:
            body = await self._clients.call(self._clients.ledger.GetEventBody, wire)
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return
        shown["webhook"]["body"] = body.variables.decode("utf-8", "replace")
        shown["size_bytes"] += len(body.variables)


def _asked(request: web.Request) -> _Asked:
    (attempt,) = queries.numbers(request, attempt=queries.Bounds(0, 1, _MAX_ATTEMPT))
    if "replay" not in request.query:
        return _Asked(attempt, None)
    if not attempt:
        raise forms.invalid("replay", "needs attempt beside it")
    (replay,) = queries.numbers(request, replay=queries.Bounds(0, 0, _MAX_ATTEMPT))
    return _Asked(attempt, replay)


def _missing(
    delivery: ledger_pb2.GetDeliveryResponse, asked: _Asked, answer: contents_pb2.GetContentResponse | None
) -> str:
    """Return why there is no content, as a key of MISSING."""
    if delivery.recipient.user_id.startswith(PSEUDONYM):
        return "erased"
    if answer is not None and (of_service := _OF_SERVICE.get(answer.missing)):
        return of_service
    tried = [step for step in delivery.steps if _was_handed_over(step) and _is_asked_for(step, asked)]
    if not tried:
        return "not_sent"
    if delivery.is_secret:
        return "secret"
    age_s = time.time() - max(step.at_us for step in tried) / 1_000_000
    if age_s < _WRITTEN_S:
        return "not_written_yet"
    is_expired = answer is None or (answer.days and age_s > answer.days * _DAY_S)
    return "expired" if is_expired else "not_stored"


def _was_handed_over(step: ledger_pb2.TimelineStep) -> bool:
    return bool(step.provider) and step.step in {"sent", "failed_over", "retrying", "failed", "dead"}


def _is_asked_for(step: ledger_pb2.TimelineStep, asked: _Asked) -> bool:
    return (not asked.attempt or step.attempt == asked.attempt) and asked.replay in (None, step.replay)


def _not_stored(missing: str) -> dict[str, Any]:
    return {"stored": False, "missing": missing, "why": MISSING[missing]}


def _shown(sent: contents_pb2.SentContent) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "attempt": sent.attempt,
        "replay": sent.replay,
        "captured_at": forms.iso(sent.captured_at_us),
        "size_bytes": sent.size_bytes,
        "provider": sent.provider or None,
        "provider_id": sent.provider_id or None,
    }
    if sent.HasField("request"):
        shown["request"] = {
            "url": webhooks.shown_url(sent.request.url),
            "headers": webhooks.shown_headers(sent.request.headers),
            "body": sent.request.body.decode("utf-8", "replace"),
        }
    match sent.WhichOneof("content"):
        case "mail":
            shown |= _mail(sent.mail)
        case "text":
            text = sent.text
            shown |= {"from": text.sender or None, "to": text.recipient, "text": text.text}
            shown["sms"] = {"segments": text.segments, "encoding": text.encoding}
        case "call":
            call = sent.call
            body = call.body.decode("utf-8", "replace") if call.HasField("body") else None
            shown["webhook"] = {
                "url": webhooks.shown_url(call.url),
                "headers": webhooks.shown_headers(call.headers),
                "body": body,
            }
    return shown


def _mail(mail: contents_pb2.SentMail) -> dict[str, Any]:
    return {
        "from": mail.sender,
        "to": mail.recipient,
        "reply_to": mail.reply_to or None,
        "subject": mail.subject,
        "headers": _headers(mail.headers),
        "parts": [{"content_type": part.content_type, "size_bytes": part.size_bytes} for part in mail.parts],
        "text": mail.text or None,
        "html": mail.html or None,
        "is_composed": mail.is_composed,
        "support": [{"rule": note.rule, "text": note.text, "count": note.count} for note in mail.notes],
    }


def _headers(headers: Any) -> list[dict[str, str]]:
    return [{"name": one.name, "value": one.value} for one in headers]


def exported(sent: contents_pb2.SentContent) -> dict[str, Any]:
    """Return the content of an attempt as an export shows it: the texts and addresses, without hints about them."""
    shown = {**_EMPTY, **_shown(sent)}
    return {
        "delivery_id": sent.delivery_id,
        "channel": forms.channel_name(sent.channel),
        **{name: value for name, value in shown.items() if name not in _NOT_EXPORTED},
    }
