"""Stored recipients and groups."""

from typing import Annotated, Any

from msgspec import Meta

from gateway.admin.groups import GroupFieldsBody, MembersBody
from gateway.admin.imports import CSV
from gateway.admin.recipient_export import RecipientExportBody
from gateway.admin.recipients import (
    CategoryPreference,
    DeviceToken,
    RecipientChangeBody,
    RecipientFieldsBody,
    RecipientsBody,
    TagChangesBody,
)
from gateway.openapi.operations import PAGING, Operation, Parameter, admin
from gateway.openapi.values import Flag, Id, PageSchema, PeopleChannel, Shape, Text, Time

_TAG = "Recipients"

Offset = Annotated[int, Meta(ge=0, le=10_000)]
TagLimit = Annotated[int, Meta(ge=1, le=1000)]


class StoredRecipientSchema(Shape):
    """A person whom a tenant stores. An empty text: unknown."""

    id: Annotated[Id, Meta(description="Our own id of them, which never changes.")]
    recipient_id: Annotated[str, Meta(description="The id that the tenant gave them.")]
    email: Annotated[str, Meta(description="In the form that messages are sent to, like `phone`.")]
    phone: str
    name: str
    locale: str
    timezone: str
    data: Annotated[dict[str, Any], Meta(description="The tenant's own fields.")]
    tags: list[str]
    muted_channels: Annotated[
        list[PeopleChannel], Meta(description="The channels that they do not want to be notified on.")
    ]
    active: Annotated[
        bool, Meta(description="false: they get nothing, whatever else is stored. Only PATCH changes it.")
    ]
    category_preferences: Annotated[
        list[CategoryPreference], Meta(description="What they want of single categories of messages.")
    ]
    device_tokens: Annotated[list[DeviceToken], Meta(description="Shown without their middle.")]
    created_at: Time
    updated_at: Time


class ListedRecipientsSchema(PageSchema[StoredRecipientSchema]):
    """A page of stored recipients."""

    total: Annotated[int | None, Meta(description="With `count`: how many there are; null: more than 10,000.")] = None


class TagSchema(Shape):
    """A tag, and how many recipients have it."""

    tag: str
    recipients: int


class TagsSchema(Shape):
    """Tags, the most frequent first."""

    tags: list[TagSchema]


class StoredRecipientWithGroupsSchema(StoredRecipientSchema):
    """A stored recipient with the keys of their groups."""

    groups: list[str]


class StoredRecipientsSchema(Shape):
    """Stored recipients, in the order of the request."""

    recipients: list[StoredRecipientSchema]


class GroupSchema(Shape):
    """A group of stored recipients. members: their number."""

    key: str
    name: str
    members: int
    created_at: Time


class InboxEntrySchema(Shape):
    """A notification in a recipient's inbox."""

    id: Annotated[str, Meta(description="The id of its delivery.")]
    event_id: str
    event_type: str
    title: str
    body: str
    created_at: Time
    read_at: Annotated[Time | None, Meta(description="null: it is unread.")]


class InboxSchema(Shape):
    """A page of a recipient's inbox."""

    data: list[InboxEntrySchema]
    next_cursor: str | None
    unread: Annotated[int, Meta(description="Of the whole inbox, counted up to 10,000.")]


class ChangedMembersSchema(Shape):
    """How many members were added, and how many removed."""

    added: int
    removed: int


_RECIPIENTS = "/tenants/{id}/recipients"
_GROUPS = "/tenants/{id}/groups"
_ADA = {
    "email": "ada@example.com",
    "phone": "+254712345678",
    "name": "Ada",
    "locale": "sw-KE",
    "timezone": "Africa/Nairobi",
    "data": {"plan": "gold"},
    "tags": ["vip"],
    "muted_channels": ["SMS"],
}

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "PUT",
        _RECIPIENTS,
        "putRecipients",
        "Store or replace up to 100 recipients",
        {200: StoredRecipientsSchema},
        tag=_TAG,
        faults=(409,),
        body=RecipientsBody,
        example={"recipients": [{"recipient_id": "u1", **_ADA}]},
        description="All of them are stored, or none if one is invalid.",
    ),
    admin(
        "GET",
        _RECIPIENTS,
        "listRecipients",
        "List recipients in the order of their creation",
        {200: ListedRecipientsSchema},
        tag=_TAG,
        parameters=(
            Parameter("tag", Text, "Only recipients with this tag."),
            Parameter("address", Text, "Only recipients with this e-mail address or phone number, in full."),
            Parameter("search", Text, "Only recipients with this part in their id, name, address or number."),
            Parameter("segment_id", Id, "Only recipients in this segment."),
            Parameter("offset", Offset, "Instead of `cursor`: how many to pass over.", default=0),
            Parameter("count", Flag, "true: also count those that match, up to 10,000."),
            *PAGING,
        ),
    ),
    admin(
        "PUT",
        _RECIPIENTS + "/{recipient_id}",
        "putRecipient",
        "Store or replace a recipient",
        {200: StoredRecipientSchema},
        tag=_TAG,
        faults=(409,),
        body=RecipientFieldsBody,
        example=_ADA,
    ),
    admin(
        "GET",
        _RECIPIENTS + "/{recipient_id}",
        "getRecipient",
        "Get a recipient with the keys of their groups",
        {200: StoredRecipientWithGroupsSchema},
        tag=_TAG,
    ),
    admin(
        "GET",
        _RECIPIENTS + "/{recipient_id}/inbox",
        "listRecipientInbox",
        "List a recipient's notifications, newest first",
        {200: InboxSchema},
        tag=_TAG,
        parameters=PAGING,
        description="The recipient need not be stored. Nothing is marked as read.",
    ),
    admin(
        "PATCH",
        _RECIPIENTS + "/{recipient_id}",
        "changeRecipient",
        "Change some fields of a recipient",
        {200: StoredRecipientSchema},
        tag=_TAG,
        faults=(409,),
        body=RecipientChangeBody,
        example={"name": "Ada", "data_fields": {"plan": "gold"}},
    ),
    admin(
        "POST",
        _RECIPIENTS + "/{recipient_id}/tags",
        "changeRecipientTags",
        "Add and remove tags of a recipient",
        {200: StoredRecipientSchema},
        tag=_TAG,
        body=TagChangesBody,
        example={"add": ["vip"], "remove": ["trial"]},
    ),
    admin(
        "GET",
        "/tenants/{id}/tags",
        "listTags",
        "List the tags of a tenant, the most frequent first",
        {200: TagsSchema},
        tag=_TAG,
        parameters=(
            Parameter("prefix", Text, "Only tags that begin so."),
            Parameter("limit", TagLimit, default=100),
        ),
    ),
    admin(
        "POST",
        "/tenants/{id}/recipient-export",
        "exportRecipients",
        "Get stored recipients as a CSV file",
        {200: str},
        tag=_TAG,
        body=RecipientExportBody,
        example={"tags": ["vip"]},
        content_type=CSV,
        description="In the form that an import reads. A file that breaks off is not whole.",
    ),
    admin(
        "DELETE",
        _RECIPIENTS + "/{recipient_id}",
        "deleteRecipient",
        "Delete a recipient",
        {204: None},
        tag=_TAG,
        description="What was sent to them stays: to delete that too, erase their data.",
    ),
    admin(
        "GET",
        _GROUPS,
        "listGroups",
        "List groups in the order of their creation",
        {200: PageSchema[GroupSchema]},
        tag=_TAG,
        parameters=(Parameter("search", Text, "Only groups with this part in their key or name."), *PAGING),
    ),
    admin(
        "PUT",
        _GROUPS + "/{group_key}",
        "putGroup",
        "Store or rename a group",
        {200: GroupSchema},
        tag=_TAG,
        faults=(409,),
        body=GroupFieldsBody,
        example={"name": "Customers in Kenya"},
    ),
    admin("GET", _GROUPS + "/{group_key}", "getGroup", "Get a group", {200: GroupSchema}, tag=_TAG),
    admin(
        "DELETE",
        _GROUPS + "/{group_key}",
        "deleteGroup",
        "Delete a group",
        {204: None},
        tag=_TAG,
        description="Its members stay stored.",
    ),
    admin(
        "POST",
        _GROUPS + "/{group_key}/members",
        "changeMembers",
        "Add and remove members of a group",
        {200: ChangedMembersSchema},
        tag=_TAG,
        body=MembersBody,
        example={"add": ["u1"], "remove": ["u2"]},
        description="At most 500 ids in both lists together. Nothing is changed if one to be added is not stored.",
    ),
    admin(
        "GET",
        _GROUPS + "/{group_key}/members",
        "listMembers",
        "List the members of a group",
        {200: PageSchema[StoredRecipientSchema]},
        tag=_TAG,
        parameters=PAGING,
    ),
)
