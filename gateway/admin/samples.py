"""Sample data for previews and test sends."""

from typing import Any

import msgspec
import orjson
from aiohttp import web

from clarion.ingest.v1 import ledger_pb2
from clarion.render.v1 import samples_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code

# What decides about the language of a message: the payload's comes before the variables', as when it is rendered.
_PAYLOAD_FIRST = ("locale", "timezone")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class NewSampleBody(forms.Body):
    """The body of POST /template-samples. Without tenant_id: for the templates of the platform."""

    event_type: str
    name: str
    variables: dict[str, Any]
    tenant_id: forms.OptionalId = ""


class SampleChangeBody(forms.Body):
    """The body of PUT /template-samples/{id}."""

    name: str
    variables: dict[str, Any]


class SampleRoutes:
    """Handlers that ask render, and ingest for the last payload."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, request: web.Request) -> web.Response:
        """Store a sample."""
        body = await forms.read(request, NewSampleBody)
        if body.tenant_id:
            await forms.check_tenant(request, self._clients, body.tenant_id)
        wire = samples_pb2.CreateSampleRequest(
            tenant_id=body.tenant_id,
            event_type=body.event_type,
            name=body.name,
            variables=_encode(body.variables),
        )
        answer = await self._clients.call(self._clients.samples.CreateSample, wire)
        return json_reply(_shown(answer.sample), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List a tenant's samples, by event type and name."""
        wire = samples_pb2.ListSamplesRequest(
            tenant_id=forms.text(request, "tenant_id"),
            event_type=forms.text(request, "event_type"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.samples.ListSamples, wire)
        return json_reply(forms.page(request, [_shown(sample) for sample in answer.samples], answer.next_cursor))

    async def last(self, request: web.Request) -> web.Response:
        """Return the variables of a tenant's newest event of a type, as a template would see them; null: none."""
        tenant_id, event_type = forms.text(request, "tenant_id"), forms.text(request, "event_type")
        if not tenant_id or not event_type:
            raise forms.invalid("event_type" if tenant_id else "tenant_id", "is required")
        await forms.check_tenant(request, self._clients, tenant_id)
        wire = ledger_pb2.GetLastEventBodyRequest(tenant_id=tenant_id, event_type=event_type)
        try:
            answer = await self._clients.call(self._clients.ledger.GetLastEventBody, wire)
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return json_reply({"event_id": None, "accepted_at": None, "variables": None})
        variables = _as_rendered(answer.variables, answer.payload_extra)
        return json_reply(
            {
                "event_id": answer.event_id,
                "accepted_at": forms.iso(answer.accepted_at_us),
                "variables": orjson.Fragment(_encode(variables)),
            }
        )

    async def get(self, request: web.Request) -> web.Response:
        """Return one sample."""
        wire = samples_pb2.GetSampleRequest(sample_id=forms.path_id(request), tenant_id=_tenant_id(request))
        answer = await self._clients.call(self._clients.samples.GetSample, wire)
        return json_reply(_shown(answer.sample))

    async def change(self, request: web.Request) -> web.Response:
        """Replace a sample's name and variables."""
        body = await forms.read(request, SampleChangeBody)
        wire = samples_pb2.UpdateSampleRequest(
            sample_id=forms.path_id(request),
            tenant_id=_tenant_id(request),
            name=body.name,
            variables=_encode(body.variables),
        )
        answer = await self._clients.call(self._clients.samples.UpdateSample, wire)
        return json_reply(_shown(answer.sample))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a sample."""
        wire = samples_pb2.DeleteSampleRequest(sample_id=forms.path_id(request), tenant_id=_tenant_id(request))
        await self._clients.call(self._clients.samples.DeleteSample, wire)
        return web.Response(status=204)


def _tenant_id(request: web.Request) -> str:
    """Return ?tenant_id=, empty for the platform, and note it for the audit log."""
    tenant_id = forms.text(request, "tenant_id")
    if tenant_id:
        request[TENANT_ID] = tenant_id
    return tenant_id


def _as_rendered(variables: bytes, payload: bytes) -> dict[str, Any]:
    """Return variables which render as the event does: the payload has what they lack."""
    own, extra = _decode(variables or b"{}"), _decode(payload or b"{}")
    first = {name: extra[name] for name in _PAYLOAD_FIRST if extra.get(name)}
    return {**extra, **own, **first}


def _shown(sample: samples_pb2.Sample) -> dict[str, Any]:
    return {
        "id": sample.id,
        "tenant_id": sample.tenant_id or None,
        "event_type": sample.event_type,
        "name": sample.name,
        # Unparsed: orjson could not write all of its numbers.
        "variables": orjson.Fragment(sample.variables),
        "created_at": forms.iso(sample.created_at_us),
        "updated_at": forms.iso(sample.updated_at_us),
    }
