"""The recipients that a tenant stores."""

from typing import Any

import msgspec
import orjson
from aiohttp import web

from clarion.router.v1 import privacy_pb2, recipients_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime.errors import ClarionError

# As the router counts the recipients of a call that stores one.
_ONLY = "recipients[0]."

_encode = msgspec.json.Encoder().encode


class RecipientFieldsBody(forms.Body):
    """The body of PUT /tenants/{id}/recipients/{recipient_id}: all fields; an absent one becomes empty."""

    email: str = ""
    phone: str = ""
    name: str = ""
    locale: str = ""
    timezone: str = ""
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    tags: list[str] = msgspec.field(default_factory=list)
    muted_channels: list[forms.PeopleChannel] = msgspec.field(default_factory=list)


class NewRecipient(RecipientFieldsBody, kw_only=True):
    """A recipient with the id that the tenant gave them."""

    recipient_id: str


class RecipientsBody(forms.Body):
    """The body of PUT /tenants/{id}/recipients: 1 to 100 recipients."""

    recipients: list[NewRecipient]


class RecipientRoutes:
    """Handlers that ask the router's RecipientService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def put(self, request: web.Request) -> web.Response:
        """Store or replace one recipient."""
        body = await forms.read(request, RecipientFieldsBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = recipients_pb2.PutRecipientsRequest(tenant_id=tenant_id, recipients=[_wire(body, _id(request))])
        try:
            answer = await self._clients.call(self._clients.recipients.PutRecipients, wire)
        except ClarionError as error:
            raise forms.of_only(error, _ONLY) from None
        return json_reply(shown(answer.recipients[0]))

    async def put_many(self, request: web.Request) -> web.Response:
        """Store or replace several recipients: all of them, or none if one is invalid."""
        body = await forms.read(request, RecipientsBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = recipients_pb2.PutRecipientsRequest(
            tenant_id=tenant_id,
            recipients=[
                _wire(one, one.recipient_id, f"recipients[{position}].") for position, one in enumerate(body.recipients)
            ],
        )
        answer = await self._clients.call(self._clients.recipients.PutRecipients, wire)
        return json_reply({"recipients": list(map(shown, answer.recipients))})

    async def list_all(self, request: web.Request) -> web.Response:
        """List recipients in the order of their creation."""
        tag = forms.text(request, "tag")
        wire = recipients_pb2.ListRecipientsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            tags=[tag] if tag else [],
            address=forms.text(request, "address"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.recipients.ListRecipients, wire)
        return json_reply(forms.page(request, list(map(shown, answer.recipients)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one recipient with the keys of their groups."""
        wire = recipients_pb2.GetRecipientRequest(
            tenant_id=await forms.path_tenant(request, self._clients), recipient_id=_id(request)
        )
        answer = await self._clients.call(self._clients.recipients.GetRecipient, wire)
        return json_reply(with_groups(answer))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete one recipient; what was sent to them stays."""
        wire = recipients_pb2.DeleteRecipientRequest(
            tenant_id=await forms.path_tenant(request, self._clients), recipient_id=_id(request)
        )
        await self._clients.call(self._clients.recipients.DeleteRecipient, wire)
        return web.Response(status=204)


def shown(one: recipients_pb2.StoredRecipient) -> dict[str, Any]:
    """Return a stored recipient as the API shows them."""
    return {
        "recipient_id": one.recipient_id,
        "email": one.email,
        "phone": one.phone,
        "name": one.name,
        "locale": one.locale,
        "timezone": one.timezone,
        # Unparsed: orjson could not write all of its numbers.
        "data": orjson.Fragment(one.data or b"{}"),
        "tags": list(one.tags),
        "muted_channels": [forms.channel_name(channel) for channel in one.muted_channels],
        "created_at": forms.iso(one.created_at_us),
        "updated_at": forms.iso(one.updated_at_us),
    }


def with_groups(
    found: recipients_pb2.GetRecipientResponse | privacy_pb2.ExportRecipientResponse,
) -> dict[str, Any]:
    """Return a stored recipient with the keys of their groups."""
    return {**shown(found.recipient), "groups": list(found.groups)}


def _wire(body: RecipientFieldsBody, recipient_id: str, place: str = "") -> recipients_pb2.StoredRecipient:
    return recipients_pb2.StoredRecipient(
        recipient_id=recipient_id,
        email=body.email,
        phone=body.phone,
        name=body.name,
        locale=body.locale,
        timezone=body.timezone,
        data=_encode(body.data),
        tags=body.tags,
        muted_channels=[
            forms.people_channel(name, f"{place}muted_channels[{position}]")
            for position, name in enumerate(body.muted_channels)
        ],
    )


def _id(request: web.Request) -> str:
    recipient_id: str = request.match_info["recipient_id"]
    return recipient_id
