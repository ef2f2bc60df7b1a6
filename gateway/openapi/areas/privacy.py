"""Retention, erasure and export."""

from typing import Annotated, Any

from msgspec import Meta, field

from gateway.admin.privacy import ErasureRequestBody, ExportRequestBody, RetentionBody
from gateway.openapi.areas.contents import SentHeaderSchema, SentRequestSchema, SentSmsSchema, SentWebhookSchema
from gateway.openapi.areas.dead_letters import DeadLetterSchema
from gateway.openapi.areas.events import EventWithTimelineSchema
from gateway.openapi.areas.recipients import StoredRecipientWithGroupsSchema
from gateway.openapi.areas.schedules import ScheduleSchema
from gateway.openapi.areas.workflows import WorkflowRunSchema
from gateway.openapi.operations import Operation, admin
from gateway.openapi.values import Channel, Id, Shape, Time

_TAG = "Privacy"
_DAYS = {"events_days": 30, "payload_days": 7, "inbox_days": 90, "outbox_days": 2, "keep_content": True}
_SHOWN = {**_DAYS, "defaults": {"events_days": 90, "payload_days": 30, "inbox_days": 90, "outbox_days": 7}}


class RetentionDefaultsSchema(Shape):
    """The days of this installation. null: the service that keeps the data does not answer."""

    events_days: int | None
    payload_days: int | None
    inbox_days: int | None
    outbox_days: float | None


class RetentionPolicySchema(Shape):
    """For how many days a tenant's data is kept. null: the default of the installation."""

    events_days: int | None
    payload_days: int | None
    inbox_days: int | None
    outbox_days: int | None
    keep_content: Annotated[bool, Meta(description="Whether what is sent is stored with the attempt.")]
    defaults: Annotated[RetentionDefaultsSchema, Meta(description="What null stands for.")]


class ErasedRowsSchema(Shape):
    """The number of rows that this request erased, by kind."""

    recipients: Annotated[int, Meta(description="1 if the recipient was stored.")]
    memberships: Annotated[int, Meta(description="The groups that the stored recipient was in.")]
    waiting_events: Annotated[int, Meta(description="Events that wait, or are read page by page, that named them.")]
    schedules: Annotated[int, Meta(description="Recurring events that named them.")]
    notifications: int
    messages: int
    provider_records: int
    contents: Annotated[int, Meta(description="What was sent, stored with the attempts.")]
    events: Annotated[
        int, Meta(description="Events from which the recipient was removed; the events stay in the ledger.")
    ]
    payloads: int
    attempts: int
    dead_letters: int


class ErasureSchema(Shape):
    """The result of an erasure."""

    erasure_id: Id
    erased_until: Annotated[Time, Meta(description="Events accepted until this time are erased, and no longer sent.")]
    complete: Annotated[bool, Meta(description="false: more is left. Repeat the call.")]
    erased: ErasedRowsSchema


class ExportedMessageSchema(Shape):
    """A message that a sandbox provider received."""

    id: str
    channel: Channel
    recipient: str
    sender: str
    reply_to: str | None
    subject: str | None
    text: str
    html: str | None
    recorded_at: Time


class ExportedContentSchema(Shape):
    """What one attempt sent."""

    delivery_id: Id
    channel: Channel
    attempt: int
    replay: int
    captured_at: Time
    size_bytes: int
    provider: str | None
    provider_id: str | None
    from_: str | None = field(name="from")
    to: str | None
    reply_to: str | None
    subject: str | None
    headers: list[SentHeaderSchema]
    text: str | None
    html: str | None
    is_composed: bool | None
    sms: SentSmsSchema | None
    webhook: SentWebhookSchema | None
    request: SentRequestSchema | None


class ExportedEventSchema(EventWithTimelineSchema):
    """An event with its variables and payload (null once they are deleted) its sandbox messages, and what was sent."""

    variables: dict[str, Any] | None
    payload: dict[str, Any] | None
    dead_letters: list[DeadLetterSchema]
    messages: list[ExportedMessageSchema]
    contents: list[ExportedContentSchema]


class ExportedNotificationSchema(Shape):
    """A notification in the inbox."""

    id: Id
    event_id: str
    event_type: str
    title: str
    body: str
    created_at: Time
    read_at: Time | None


class HeldCooldownSchema(Shape):
    """A workflow that does not start again for the person until then."""

    workflow_id: Id
    workflow_name: Annotated[str | None, Meta(description="null: it was deleted.")]
    until: Time


class ExportSchema(Shape):
    """One page of a recipient's data."""

    tenant_id: Id
    user_id: str
    recipient: Annotated[
        StoredRecipientWithGroupsSchema | None,
        Meta(description="On the first page, the stored recipient. null: they are not stored."),
    ]
    cooldowns: Annotated[
        list[HeldCooldownSchema],
        Meta(description="On the first page: until when workflows do not start again for them."),
    ]
    events: list[ExportedEventSchema]
    inbox: list[ExportedNotificationSchema]
    schedules: Annotated[
        list[ScheduleSchema], Meta(description="Those whose events name them, each with their part of the event.")
    ]
    workflow_runs: list[WorkflowRunSchema]
    next_cursor: str | None


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/tenants/{id}/retention",
        "getRetention",
        "Get a tenant's retention periods",
        {200: RetentionPolicySchema},
        tag=_TAG,
    ),
    admin(
        "PUT",
        "/tenants/{id}/retention",
        "setRetention",
        "Set a tenant's retention periods",
        {200: RetentionPolicySchema},
        tag=_TAG,
        body=RetentionBody,
        example=_DAYS,
        shown=_SHOWN,
    ),
    admin(
        "POST",
        "/tenants/{id}/recipients/erase",
        "eraseRecipient",
        "Erase a recipient's data",
        {200: ErasureSchema},
        tag=_TAG,
        body=ErasureRequestBody,
        example={"user_id": "u1"},
    ),
    admin(
        "POST",
        "/tenants/{id}/recipients/export",
        "exportRecipient",
        "Export a recipient's data, page by page",
        {200: ExportSchema},
        tag=_TAG,
        body=ExportRequestBody,
        example={"user_id": "u1"},
    ),
)
