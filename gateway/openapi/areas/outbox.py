"""What sandbox providers were given."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.operations import PAGING, Operation, Parameter, admin
from gateway.openapi.values import Channel, Id, PageSchema, Shape, Text, Time

_TAG = "Outbox"


class SandboxMessageSchema(Shape):
    """A message that a sandbox provider, or the local stack's mail server, was given."""

    id: str
    event_id: Id | None
    delivery_id: Id | None
    channel: Channel
    recipient: str
    sender: str
    reply_to: str | None
    subject: Annotated[str | None, Meta(description="Of an e-mail.")]
    text: Annotated[str, Meta(description="In a list at most 2,000 characters.")]
    via: Annotated[str, Meta(extra_json_schema={"enum": ["sandbox", "smtp"]})]
    trace_id: str
    recorded_at: Time


class WholeSandboxMessageSchema(SandboxMessageSchema):
    """The same with the HTML of an e-mail."""

    html: str | None


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/tenants/{id}/outbox",
        "listOutbox",
        "List what a tenant's sandbox providers were given, newest first",
        {200: PageSchema[SandboxMessageSchema]},
        tag=_TAG,
        parameters=(
            Parameter("event_id", Text, "Of this event; ours, not the caller's."),
            Parameter("channel", Channel),
            *PAGING,
        ),
    ),
    admin(
        "GET",
        "/tenants/{id}/outbox/{message_id}",
        "getOutboxMessage",
        "Get one of these messages, whole",
        {200: WholeSandboxMessageSchema},
        tag=_TAG,
    ),
)
