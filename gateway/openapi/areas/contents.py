"""What was sent, what an event carried, and what reasons mean."""

from typing import Annotated, Any

from msgspec import Meta, field

from gateway.admin.contents import MISSING
from gateway.openapi.operations import Operation, Parameter, admin
from gateway.openapi.values import Channel, Id, Shape, Time

_TAG = "Contents"
_EML = "message/rfc822"


class StoredAttemptSchema(Shape):
    """An attempt whose content is stored. replay: 0, raised by each replay of the delivery."""

    attempt: int
    replay: int
    captured_at: Time


class SentHeaderSchema(Shape):
    """A header of a message or a request. A value that is secret is `***`."""

    name: str
    value: str


class SentPartSchema(Shape):
    """A part of an e-mail."""

    content_type: str
    size_bytes: int


class SupportNoteSchema(Shape):
    """Something in the HTML of an e-mail that some mail programs do not support."""

    rule: Annotated[str, Meta(examples=["css_position"])]
    text: str
    count: Annotated[int, Meta(description="How often it was found; 0: it is about the whole.")]


class SentSmsSchema(Shape):
    """What a text message is billed as."""

    segments: int
    encoding: str


class SentPushSchema(Shape):
    """A notification as the recipient's inbox has it. data: what open pages received."""

    title: str
    body: str
    data: dict[str, Any]
    created_at: Time
    read_at: Annotated[Time | None, Meta(description="null: it is unread.")]


class SentRequestSchema(Shape):
    """A call of a provider's API, without credentials."""

    url: str
    headers: list[SentHeaderSchema]
    body: str


class SentWebhookSchema(Shape):
    """A call of an endpoint. The values of the endpoint's own headers and of signatures are hidden."""

    url: str
    headers: list[SentHeaderSchema]
    body: Annotated[str | None, Meta(description="null: it was the event's payload, which was deleted.")]


class SentContentSchema(Shape):
    """What one attempt sent. If it is not stored, `why` says so, and everything after `keep_days` is null or empty."""

    delivery_id: Id
    event_id: Id
    tenant_id: Id
    channel: Channel
    stored: bool
    missing: Annotated[
        str | None,
        Meta(description="Why it is not stored. One of\n" + "\n".join(f"- `{key}`: {MISSING[key]}" for key in MISSING)),
    ]
    why: Annotated[str | None, Meta(description="The same as a sentence for people.")]
    attempts: Annotated[
        list[StoredAttemptSchema], Meta(description="Newest first, at most 100; of a notification none.")
    ]
    keep_days: Annotated[
        int | None,
        Meta(description="For how many days content is stored; 0: none is. null: as long as the inbox."),
    ]
    attempt: Annotated[int | None, Meta(description="null: all attempts had this content (a notification).")]
    replay: int | None
    captured_at: Time | None
    size_bytes: int | None
    provider: Annotated[str | None, Meta(description="The kind of provider or endpoint.")]
    provider_id: str | None
    from_: Annotated[str | None, Meta(description="Of an e-mail or a text message.")] = field(name="from")
    to: str | None
    reply_to: str | None
    subject: str | None
    headers: Annotated[list[SentHeaderSchema], Meta(description="Of an e-mail, in their order.")]
    parts: list[SentPartSchema]
    text: str | None
    html: str | None
    is_composed: Annotated[
        bool | None,
        Meta(
            description=(
                "true: the provider got the parts of the e-mail and not this message: headers, parts and the file are"
                " what Clarion makes of them. false: these are the bytes that the mail server got."
            )
        ),
    ]
    support: list[SupportNoteSchema]
    sms: SentSmsSchema | None
    push: SentPushSchema | None
    webhook: SentWebhookSchema | None
    request: SentRequestSchema | None


class CopiedRequestSchema(Shape):
    """A request that sends the event once more. The key is a placeholder."""

    method: str
    path: str
    headers: list[SentHeaderSchema]
    body: str
    curl: Annotated[
        str,
        Meta(
            description=(
                "The same as a command for a shell, which makes a new idempotency key each time it runs, if it has one."
                " `$CLARION_URL` is this gateway."
            )
        ),
    ]


class DirectMessageSchema(Shape):
    """What an event sends on one channel instead of what its type means: a template's key, or a content."""

    channel: Channel
    template_key: str | None
    subject: str | None
    body: str | None
    text: str | None
    sender_name: str | None
    sender_email: str | None
    reply_to: str | None


class EventBodySchema(Shape):
    """What an event carried when it was accepted."""

    event_id: Id
    tenant_id: Id
    event_type: str
    stored: bool
    why: Annotated[str | None, Meta(description="Why it is not stored.")]
    variables: dict[str, Any] | None
    payload: dict[str, Any] | None
    direct: Annotated[DirectMessageSchema | None, Meta(description="Null: it is no direct message.")]
    request: Annotated[
        CopiedRequestSchema | None,
        Meta(
            description=(
                "In the API that has such events; else the call of this API. Null: it is not stored, or it is a direct"
                " message."
            )
        ),
    ]


class ReasonSchema(Shape):
    """A reason: its word for programs, its text for people, and what to do about it."""

    reason: str
    text: str
    advice: str | None
    advice_afterwards: Annotated[
        str | None,
        Meta(description="The same once nothing more is tried by itself. Null: there is nothing but to send it again."),
    ]
    send_again: Annotated[bool, Meta(description="After that, the message is to be sent again.")]
    responsible: Annotated[
        str, Meta(extra_json_schema={"enum": ["recipient", "tenant", "provider", "clarion", "nobody"]})
    ]
    retried: Annotated[bool, Meta(description="Clarion tries again by itself.")]


class ReasonsSchema(Shape):
    """All reasons."""

    data: list[ReasonSchema]


_WHICH = (
    Parameter("attempt", Annotated[int, Meta(ge=1, le=10_000)], "Absent: the newest one that is stored."),
    Parameter(
        "replay",
        Annotated[int, Meta(ge=0, le=10_000)],
        "Only with `attempt`. Absent: the newest replay that has this attempt.",
    ),
)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/deliveries/{id}/content",
        "getContent",
        "Get what an attempt sent",
        {200: SentContentSchema},
        tag=_TAG,
        parameters=_WHICH,
    ),
    admin(
        "GET",
        "/deliveries/{id}/content.eml",
        "getContentFile",
        "Download an e-mail as it was sent",
        {200: str},
        tag=_TAG,
        parameters=_WHICH,
        content_type=_EML,
    ),
    admin(
        "GET",
        "/events/{id}/body",
        "getEventBody",
        "Get what an event carried, and the request that sends it once more",
        {200: EventBodySchema},
        tag=_TAG,
    ),
    admin(
        "GET", "/reasons", "listReasons", "List all reasons, with what to do about them", {200: ReasonsSchema}, tag=_TAG
    ),
)
