"""What an event carried as it was accepted, and the request that sends it once more."""

import shlex
from typing import Any

import orjson
from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2
from gateway import dialects
from gateway.admin import forms
from gateway.clients import Clients
from gateway.dialects import Copy
from gateway.observing import EVENT_ID, TENANT_ID
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code

# Stands in a copied command for the address of the gateway.
URL = "$CLARION_URL"
# Makes a value of its own each time a shell runs the command. POSIX has these programs; uuidgen is not everywhere.
_FRESH = "copy-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \\n')"
_DELETED = "What the event carried was deleted, because its days were over or its recipient was erased."
_ENDED = "What the event carried was deleted when it had ended, because it is marked as a secret."


class BodyRoutes:
    """Handlers that ask ingest's ledger."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def get(self, request: web.Request) -> web.Response:
        """Return the variables and the payload of an event, and the request that sends it once more."""
        event_id = forms.path_id(request)
        request[EVENT_ID] = event_id
        known = await self._clients.call(self._clients.ledger.GetEvent, ledger_pb2.GetEventRequest(event_id=event_id))
        tenant_id = request[TENANT_ID] = known.event.tenant_id
        wire = ledger_pb2.GetEventBodyRequest(tenant_id=tenant_id, event_id=event_id, whole=True)
        answer = {"event_id": event_id, "tenant_id": tenant_id, "event_type": known.event.event_type}
        try:
            body = await self._clients.call(self._clients.ledger.GetEventBody, wire)
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            nothing = dict.fromkeys(("variables", "payload", "direct", "request"))
            why = _ENDED if known.event.is_secret else _DELETED
            return json_reply({**answer, "stored": False, "why": why, **nothing})
        event = body.event
        event.variables, event.payload_extra = body.variables, body.payload_extra
        return json_reply(
            {
                **answer,
                "stored": True,
                "why": None,
                "variables": raw_json(event.variables),
                "payload": raw_json(event.payload_extra),
                "direct": _direct(event.direct) if event.HasField("direct") else None,
                "request": None
                if event.HasField("direct")
                else _shown(dialects.copy_of(event) or _own(event, tenant_id)),
            }
        )


def raw_json(raw: bytes) -> orjson.Fragment:
    """Return stored JSON unparsed: orjson could not write all of its numbers and depths."""
    return orjson.Fragment(raw or b"{}")


def _direct(direct: event_pb2.DirectMessage) -> dict[str, Any]:
    content = direct.content_given
    return {
        "channel": forms.channel_name(direct.channel),
        "template_key": direct.template_key or None,
        "subject": content.subject or None,
        "body": content.body or None,
        "text": content.text or None,
        "sender_name": direct.sender_name or None,
        "sender_email": direct.sender_email or None,
        "reply_to": direct.reply_to or None,
    }


def _shown(copy: Copy) -> dict[str, Any]:
    body = copy.body.decode()
    parts = [f'curl -X POST "{URL}{copy.path}"']
    parts += [
        f'-H "{name}: {_FRESH}"' if name == copy.fresh_header else f"-H {shlex.quote(f'{name}: {value}')}"
        for name, value in copy.headers.items()
    ]
    parts.append(f"--data-raw {shlex.quote(body)}")
    return {
        "method": "POST",
        "path": copy.path,
        "headers": [{"name": name, "value": value} for name, value in copy.headers.items()],
        "body": body,
        "curl": " \\\n  ".join(parts),
    }


def _own(event: event_pb2.Event, tenant_id: str) -> Copy:
    """Return the call of this API that sends an event of any kind once more."""
    fields: dict[str, Any] = {"event_type": event.event_type}
    audience = list(event.audience)
    if not audience and event.HasField("recipient"):
        audience = [event_pb2.Target(recipient=event.recipient)]
    if audience:
        fields["audience"] = [target for one in audience if (target := _target(one))]
    if event.exclusions:
        fields["exclusions"] = [target for one in event.exclusions if (target := _target(one))]
    if event.HasField("endpoints") and not audience:
        named = event.endpoints.endpoint_ids if event.endpoints.is_named else ()
        fields["endpoints"] = {"endpoint_id": named[0]} if named else {"subscribers": True}
    if event.metadata:
        fields["metadata"] = dict(event.metadata)
    if event.channels:
        fields["channels"] = [forms.channel_name(channel) for channel in event.channels]
    if event.scope:
        fields["scope"] = event.scope
    fields |= {"variables": raw_json(event.variables), "payload": raw_json(event.payload_extra)}
    headers = {"Authorization": "Bearer YOUR_ADMIN_TOKEN", "Content-Type": "application/json"}
    return Copy(f"/api/v1/admin/tenants/{tenant_id}/events", headers, orjson.dumps(fields))


def _target(target: event_pb2.Target) -> dict[str, Any]:
    which = target.WhichOneof("target")
    if which == "recipient":
        names = ("user_id", "email", "phone", "locale", "timezone")
        person = target.recipient
        return {"recipient": {name: getattr(person, name) for name in names if getattr(person, name)}}
    if which == "everybody":
        return {"everybody": True}
    return {which: getattr(target, which)} if which else {}
