"""Retention, erasure and export."""

from typing import Annotated, Any

from msgspec import Meta

from gateway.admin.privacy import ExportRequestBody, RecipientBody, RetentionBody
from gateway.openapi.areas.events import DeadLetterSchema, EventWithTimelineSchema
from gateway.openapi.operations import Operation, admin
from gateway.openapi.values import Channel, Id, Shape, Time

_TAG = "Privacy"
_DAYS = {"events_days": 30, "payload_days": 7, "inbox_days": 90, "outbox_days": 2}


class RetentionPolicySchema(Shape):
    """How long a tenant's data is kept, in days; null: the installation's default."""

    events_days: int | None
    payload_days: int | None
    inbox_days: int | None
    outbox_days: int | None


class ErasedRowsSchema(Shape):
    """How many rows this request erased, by store."""

    notifications: int
    messages: int
    provider_records: int
    events: Annotated[int, Meta(description="Kept as rows without the person.")]
    payloads: int
    attempts: int
    dead_letters: int


class ErasureSchema(Shape):
    """What was erased."""

    erasure_id: Id
    erased_until: Annotated[Time, Meta(description="What was accepted until then is erased, and sent no more.")]
    complete: Annotated[bool, Meta(description="false: there is more; ask again.")]
    erased: ErasedRowsSchema


class ExportedMessageSchema(Shape):
    """A message in the sandbox."""

    id: str
    channel: Channel
    recipient: str
    sender: str
    reply_to: str | None
    subject: str | None
    text: str
    html: str | None
    recorded_at: Time


class ExportedEventSchema(EventWithTimelineSchema):
    """An event, what it carried while that is kept, and what was sent in the sandbox."""

    variables: dict[str, Any] | None
    payload: dict[str, Any] | None
    dead_letters: list[DeadLetterSchema]
    messages: list[ExportedMessageSchema]


class ExportedNotificationSchema(Shape):
    """A notification in the inbox."""

    id: Id
    event_id: str
    event_type: str
    title: str
    body: str
    created_at: Time
    read_at: Time | None


class ExportSchema(Shape):
    """One page of all that is known of a recipient."""

    tenant_id: Id
    user_id: str
    events: list[ExportedEventSchema]
    inbox: list[ExportedNotificationSchema]
    next_cursor: str | None


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/tenants/{id}/retention",
        "getRetention",
        "How long a tenant's data is kept",
        {200: RetentionPolicySchema},
        tag=_TAG,
    ),
    admin(
        "PUT",
        "/tenants/{id}/retention",
        "setRetention",
        "Set how long a tenant's data is kept",
        {200: RetentionPolicySchema},
        tag=_TAG,
        body=RetentionBody,
        example=_DAYS,
        shown=_DAYS,
    ),
    admin(
        "POST",
        "/tenants/{id}/recipients/erase",
        "eraseRecipient",
        "Erase all that is known of a recipient",
        {200: ErasureSchema},
        tag=_TAG,
        body=RecipientBody,
        example={"user_id": "u1"},
    ),
    admin(
        "POST",
        "/tenants/{id}/recipients/export",
        "exportRecipient",
        "Show all that is known of a recipient, page by page",
        {200: ExportSchema},
        tag=_TAG,
        body=ExportRequestBody,
        example={"user_id": "u1"},
    ),
)
