"""The recipients that a tenant stores."""

from typing import Annotated, Any

import msgspec
import orjson
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from clarion.router.v1 import privacy_pb2, recipients_pb2
from gateway import queries
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime.errors import ClarionError

# As the router counts the recipients of a call that stores one.
_ONLY = "recipients[0]."

MAX_OFFSET = 10_000
MAX_TAGS = 1000

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


class CategoryPreference(forms.Body):
    """What a recipient wants of a category of messages on a channel."""

    channel: forms.PeopleChannel
    category: Annotated[str, Meta(min_length=1, max_length=64, examples=["news"])]
    wanted: bool


class DeviceToken(forms.Body):
    """A token of a recipient's device. kind: fcm, apns, expo."""

    kind: Annotated[str, Meta(extra_json_schema={"enum": ["fcm", "apns", "expo"]})]
    token: Annotated[str, Meta(min_length=1, max_length=4096)]


class RecipientChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/recipients/{recipient_id}: an absent field stays as it is.

    recipient_id: another id of theirs. data: replaces all fields; data_fields: only those that it has, and null deletes
    one; one of both. active: false: they get nothing until it is true. device_tokens: a token as it is shown keeps the
    stored one.
    """

    recipient_id: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    email: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    locale: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET
    data_fields: dict[str, Any] | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    muted_channels: list[forms.PeopleChannel] | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    category_preferences: list[CategoryPreference] | UnsetType = UNSET
    device_tokens: list[DeviceToken] | UnsetType = UNSET


class TagChangesBody(forms.Body):
    """The body of POST /tenants/{id}/recipients/{recipient_id}/tags."""

    add: list[str] = msgspec.field(default_factory=list)
    remove: list[str] = msgspec.field(default_factory=list)


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
        offset, limit = queries.numbers(
            request, offset=queries.Bounds(0, 0, MAX_OFFSET), limit=queries.Bounds(50, 1, 100)
        )
        wire = recipients_pb2.ListRecipientsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            tags=[tag] if tag else [],
            address=forms.text(request, "address"),
            search=forms.text(request, "search"),
            segment_id=forms.uuid(request, "segment_id"),
            offset=offset,
            count=forms.flag(request, "count"),
            limit=limit,
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.recipients.ListRecipients, wire)
        page = forms.page(request, list(map(shown, answer.recipients)), answer.next_cursor)
        if not wire.count:
            return json_reply(page)
        return json_reply({**page, "total": answer.total if answer.total >= 0 else None})

    async def change(self, request: web.Request) -> web.Response:
        """Change what is given of one recipient."""
        body = await forms.read(request, RecipientChangeBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = recipients_pb2.SaveRecipientsRequest(
            tenant_id=tenant_id, mode=recipients_pb2.SAVE_MODE_UPDATE, changes=[_change(body, _id(request))]
        )
        [result] = (await self._clients.call(self._clients.recipients.SaveRecipients, wire)).results
        if result.HasField("error"):
            raise forms.named(ClarionError.from_proto(result.error), {"new_recipient_id": "recipient_id"})
        return json_reply(shown(result.recipient))

    async def change_tags(self, request: web.Request) -> web.Response:
        """Add and remove tags of one recipient."""
        body = await forms.read(request, TagChangesBody)
        wire = recipients_pb2.ChangeTagsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            recipient_id=_id(request),
            add=body.add,
            remove=body.remove,
        )
        answer = await self._clients.call(self._clients.recipients.ChangeTags, wire)
        return json_reply(shown(answer.recipient))

    async def tags(self, request: web.Request) -> web.Response:
        """List the tags of a tenant, the most frequent first."""
        (limit,) = queries.numbers(request, limit=queries.Bounds(100, 1, MAX_TAGS))
        wire = recipients_pb2.ListTagsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            prefix=forms.text(request, "prefix"),
            limit=limit,
        )
        answer = await self._clients.call(self._clients.recipients.ListTags, wire)
        return json_reply({"tags": [{"tag": one.tag, "recipients": one.recipients} for one in answer.tags]})

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
        "id": one.id,
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
        "active": not one.inactive,
        "category_preferences": [
            {"channel": forms.channel_name(each.channel), "category": each.category, "wanted": each.wanted}
            for each in one.category_preferences
        ],
        "device_tokens": [{"kind": each.kind, "token": each.token} for each in one.device_tokens],
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


def _change(body: RecipientChangeBody, recipient_id: str) -> recipients_pb2.RecipientChange:
    """Return the change. Raises INVALID for a channel that does not exist, or for data in both forms."""
    wire = recipients_pb2.RecipientChange(recipient_id=recipient_id)
    for name in ("email", "phone", "name", "locale", "timezone"):
        if (value := getattr(body, name)) is not UNSET:
            setattr(wire, name, value)
    if body.recipient_id is not UNSET:
        wire.new_recipient_id = body.recipient_id
    if body.active is not UNSET:
        wire.inactive = not body.active
    _change_data(wire, body)
    if body.tags is not UNSET:
        wire.tags.CopyFrom(recipients_pb2.TagList(tags=body.tags))
    if body.muted_channels is not UNSET:
        muted = [
            forms.people_channel(name, f"muted_channels[{position}]")
            for position, name in enumerate(body.muted_channels)
        ]
        wire.muted_channels.CopyFrom(recipients_pb2.ChannelList(channels=muted))
    if body.category_preferences is not UNSET:
        preferences = [
            recipients_pb2.CategoryPreference(
                channel=forms.people_channel(one.channel, f"category_preferences[{position}].channel"),
                category=one.category,
                wanted=one.wanted,
            )
            for position, one in enumerate(body.category_preferences)
        ]
        wire.category_preferences.CopyFrom(recipients_pb2.CategoryPreferences(preferences=preferences))
    if body.device_tokens is not UNSET:
        tokens = [recipients_pb2.DeviceToken(kind=one.kind, token=one.token) for one in body.device_tokens]
        wire.device_tokens.CopyFrom(recipients_pb2.DeviceTokens(tokens=tokens))
    return wire


def _change_data(wire: recipients_pb2.RecipientChange, body: RecipientChangeBody) -> None:
    if body.data is not UNSET and body.data_fields is not UNSET:
        raise forms.invalid("data_fields", "must not be used together with data")
    if body.data is not UNSET:
        wire.data = _encode(body.data)
    elif body.data_fields is not UNSET:
        wire.data, wire.merges_data = _encode(body.data_fields), True


def _id(request: web.Request) -> str:
    recipient_id: str = request.match_info["recipient_id"]
    return recipient_id
