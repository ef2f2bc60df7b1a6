"""The kinds of provider, for forms."""

from typing import Any

import orjson
from aiohttp import web

from clarion.senders.v1 import senders_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply

SETTING_TYPES = {
    senders_pb2.PROVIDER_SETTING_TYPE_TEXT: "text",
    senders_pb2.PROVIDER_SETTING_TYPE_NUMBER: "number",
    senders_pb2.PROVIDER_SETTING_TYPE_BOOLEAN: "boolean",
    senders_pb2.PROVIDER_SETTING_TYPE_CHOICE: "choice",
}


class ProviderKindRoutes:
    """Handlers that ask senders' ProviderService what it can send through."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def list_all(self, request: web.Request) -> web.Response:
        """List the kinds of provider, by channel."""
        wire = senders_pb2.ListProviderKindsRequest()
        answer = await self._clients.call(self._clients.providers.ListProviderKinds, wire)
        return json_reply(forms.page(request, list(map(_shown, answer.kinds)), ""))


def _shown(kind: senders_pb2.ProviderKind) -> dict[str, Any]:
    reports = kind.reports
    return {
        "channel": forms.channel_name(kind.channel),
        "kind": kind.kind,
        "title": kind.title,
        "purpose": kind.purpose,
        "setup": kind.setup,
        "settings": list(map(_setting, kind.settings)),
        "reports": {"setup": reports.setup, "proof": reports.proof, "setting": reports.setting or None}
        if kind.HasField("reports")
        else None,
    }


def _setting(one: senders_pb2.ProviderSetting) -> dict[str, Any]:
    return {
        "name": one.name,
        "label": one.label,
        "help": one.help,
        "type": SETTING_TYPES.get(one.type, "text"),
        "required": one.required,
        "secret": one.secret,
        "default": orjson.Fragment(one.default_json.encode()) if one.default_json else None,
        "choices": list(one.choices),
        "minimum": one.least if one.HasField("least") else None,
        "maximum": one.most if one.HasField("most") else None,
        "example": one.example or None,
        "multiline": one.long,
        "verifies_reports": one.verifies_reports,
    }
