"""The messages in the sandbox of the demo tenant, as pages and as JSON for `make smoke`."""

from datetime import UTC, datetime
from html import escape
from typing import Any

from aiohttp import web

from clarion.senders.v1 import senders_pb2
from gateway import queries
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from services.domain.channels import PUBLIC_NAMES

_LIMIT = queries.Bounds(default=50, least=1, most=1_000)
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The markup of a mail is not trusted: no scripts, no origin, no requests.
_MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"
)


class DemoOutboxRoutes:
    """Handlers that ask senders' OutboxService for one tenant."""

    def __init__(self, clients: Clients, tenant_id: str) -> None:
        self._clients = clients
        self._tenant_id = tenant_id

    async def list_page(self, request: web.Request) -> web.Response:
        """GET /demo/outbox: newest first, a page at a time."""
        try:
            answer = await self._list(request)
        except ClarionError as error:
            if error.code is Code.INVALID:
                return _html("Outbox", f"<h1>Outbox</h1><p>{escape(error.detail)}</p>", 422)
            return _sorry(error)
        rows = "".join(_row(message) for message in answer.messages)
        table = f"<table><thead>{_HEAD}</thead><tbody>{rows}</tbody></table>" if rows else _EMPTY
        more = f'<p><a href="?cursor={escape(answer.next_cursor)}">Older</a></p>' if answer.next_cursor else ""
        return _html("Outbox", f"<h1>Outbox</h1><p>Messages as their recipients would see them.</p>{table}{more}")

    async def list_json(self, request: web.Request) -> web.Response:
        """GET /demo/outbox.json?event_id=&limit=&cursor=. With event_id the messages contain their HTML."""
        try:
            answer = await self._list(request)
            messages = list(answer.messages)
            if request.query.get("event_id"):
                messages = [await self._get(message.id) for message in messages]
        except ClarionError as error:
            status = {Code.NOT_FOUND: 404, Code.INVALID: 422}.get(error.code, 503)
            return json_reply({"message": error.detail}, status=status)
        shown = [_shown(message) for message in messages]
        return json_reply({"messages": shown, "next_cursor": answer.next_cursor or None})

    async def message_page(self, request: web.Request) -> web.Response:
        """GET /demo/outbox/{id}: one message, with its HTML in a sandboxed frame."""
        try:
            message = await self._get(request.match_info["id"])
        except ClarionError as error:
            return _sorry(error)
        return _html(message.subject or "SMS", _message(message))

    async def message_html(self, request: web.Request) -> web.Response:
        """GET /demo/outbox/{id}/html: the HTML of a mail, sandboxed."""
        try:
            message = await self._get(request.match_info["id"])
        except ClarionError as error:
            return _sorry(error)
        headers = {"Content-Security-Policy": _MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"}
        return web.Response(text=message.html, content_type="text/html", charset="utf-8", headers=headers)

    async def _list(self, request: web.Request) -> senders_pb2.ListMessagesResponse:
        request[TENANT_ID] = self._tenant_id
        queries.check(request, ("event_id", "limit", "cursor"))
        (limit,) = queries.numbers(request, limit=_LIMIT)
        wire = senders_pb2.ListMessagesRequest(
            tenant_id=self._tenant_id,
            event_id=request.query.get("event_id", ""),
            limit=limit,
            cursor=request.query.get("cursor", ""),
        )
        return await self._clients.call(self._clients.outbox.ListMessages, wire)

    async def _get(self, message_id: str) -> senders_pb2.OutboxMessage:
        wire = senders_pb2.GetMessageRequest(message_id=message_id.replace("\0", ""))
        answer = await self._clients.call(self._clients.outbox.GetMessage, wire)
        if answer.message.tenant_id != self._tenant_id:
            raise ClarionError(Code.NOT_FOUND, "There is no message with this id.")
        return answer.message


_HEAD = (
    "<tr><th scope=col>Time</th><th scope=col>Channel</th><th scope=col>To</th>"
    "<th scope=col>Message</th><th scope=col>Sent by</th></tr>"
)
_EMPTY = "<p>Nothing was sent yet. Trigger an event, then load this page again.</p>"


def _row(message: senders_pb2.OutboxMessage) -> str:
    title = message.subject or message.text
    title = title if len(title) <= 90 else f"{title[:90]}…"
    return (
        f"<tr><td>{_time(message)}</td><td>{PUBLIC_NAMES.get(message.channel, '')}</td>"
        f"<td>{escape(message.recipient)}</td>"
        f'<td><a href="/demo/outbox/{escape(message.id)}">{escape(title) or "(empty)"}</a></td>'
        f"<td>{escape(message.via)}</td></tr>"
    )


def _message(message: senders_pb2.OutboxMessage) -> str:
    facts = {
        "Time": _time(message),
        "From": escape(message.sender),
        "To": escape(message.recipient),
        "Reply-To": escape(message.reply_to),
        "Subject": escape(message.subject),
        "Sent by": escape(message.via),
        "Event": escape(message.event_id),
        "Delivery": escape(message.delivery_id),
        "Trace": escape(message.trace_id),
    }
    head = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items() if value)
    parts = [f'<p><a href="/demo/outbox">Outbox</a></p><h1>{escape(message.subject) or "SMS"}</h1><dl>{head}</dl>']
    if message.html:
        source = f"/demo/outbox/{escape(message.id)}/html"
        parts.append(f'<h2>HTML</h2><iframe sandbox src="{source}" title="The mail as its reader sees it"></iframe>')
    parts.append(f"<h2>Text</h2><pre>{escape(message.text)}</pre>")
    if message.html:
        parts.append(f"<details><summary>HTML source</summary><pre>{escape(message.html)}</pre></details>")
    return "".join(parts)


def _html(title: str, body: str, status: int = 200) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Clarion</title>"
        '<link rel="stylesheet" href="/demo/demo.css"><link rel="icon" href="/demo/bell.svg"></head>'
        f'<body><main class="wide">{body}</main></body></html>'
    )
    headers = {"Content-Security-Policy": _POLICY}
    return web.Response(text=text, content_type="text/html", charset="utf-8", status=status, headers=headers)


def _sorry(error: ClarionError) -> web.Response:
    status = 404 if error.code in (Code.NOT_FOUND, Code.INVALID) else 503
    text = (
        "There is no message with this id."
        if status == 404
        else "The outbox is temporarily unavailable. Try again shortly."
    )
    return _html("Outbox", f"<h1>Outbox</h1><p>{text}</p>", status)


def _shown(message: senders_pb2.OutboxMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "event_id": message.event_id,
        "delivery_id": message.delivery_id,
        "channel": PUBLIC_NAMES.get(message.channel),
        "recipient": message.recipient,
        "sender": message.sender,
        "reply_to": message.reply_to,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "via": message.via,
        "trace_id": message.trace_id,
        "recorded_at": _time(message),
    }


def _time(message: senders_pb2.OutboxMessage) -> str:
    moment = datetime.fromtimestamp(message.recorded_at_us / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
