"""The messages that sandbox providers received."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.operations import PAGING, Operation, Parameter, admin
from gateway.openapi.values import Channel, Id, PageSchema, Shape, Text, Time

_TAG = "Outbox"


class SandboxMessageSchema(Shape):
    """A message that a sandbox provider, or the mail server of the local stack, received."""

    id: str
    event_id: Id | None
    delivery_id: Id | None
    channel: Channel
    recipient: str
    sender: str
    reply_to: str | None
    subject: Annotated[str | None, Meta(description="null: the message is not an e-mail.")]
    text: Annotated[str, Meta(description="In a list it is cut after 2,000 characters.")]
    via: Annotated[str, Meta(extra_json_schema={"enum": ["sandbox", "smtp"]})]
    trace_id: str
    recorded_at: Time


class WholeSandboxMessageSchema(SandboxMessageSchema):
    """A message with its HTML."""

    html: str | None


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/tenants/{id}/outbox",
        "listOutbox",
        "List a tenant's sandbox messages, newest first",
        {200: PageSchema[SandboxMessageSchema]},
        tag=_TAG,
        parameters=(
            Parameter("event_id", Text, "Only messages of this event. Clarion's event id, not the caller's."),
            Parameter("channel", Channel),
            *PAGING,
        ),
    ),
    admin(
        "GET",
        "/tenants/{id}/outbox/{message_id}",
        "getOutboxMessage",
        "Get a sandbox message with its HTML",
        {200: WholeSandboxMessageSchema},
        tag=_TAG,
    ),
)
