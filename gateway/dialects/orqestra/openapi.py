"""The area of the OpenAPI document: triggers, realtime tokens and the inbox."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from gateway.dialects.orqestra.bodies import CHANNELS, LIMIT, MAX_ADDRESS_LENGTH, MAX_ID_LENGTH, OFFSET
from gateway.dialects.orqestra.credentials import API_KEY_HEADER
from gateway.dialects.orqestra.signature import HEADER as SIGNATURE_HEADER
from gateway.openapi.operations import BODY_FAULTS, RETRY_AFTER, DialectArea, Operation, Parameter, ResponseSpec
from gateway.openapi.values import NO_NUL, OpenShape, RetryAfter, Shape, Time

_TAG = "Orqestra"
_TENANT_KEY = "tenantKey"
_REALTIME_TOKEN = "realtimeToken"  # noqa: S105 - a name
_INBOX = "/api/v1/notifications/{tenant_id}/{user_id}"

_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH, pattern=NO_NUL)]
_Email = Annotated[str, Meta(max_length=MAX_ADDRESS_LENGTH, pattern=NO_NUL, examples=["ada@example.com"])]
_Channel = Annotated[str, Meta(extra_json_schema={"enum": list(CHANNELS)})]
_Phone = Annotated[str, Meta(max_length=MAX_ADDRESS_LENGTH, pattern=NO_NUL, examples=["+254712345678"])]


class PayloadSchema(OpenShape):
    """The recipient. Other keys are kept: templates read from them what `variables` does not hold."""

    userId: _Id  # noqa: N815 - the dialect's names
    recipientEmail: _Email | UnsetType | None = UNSET  # noqa: N815
    recipientPhone: _Phone | UnsetType | None = UNSET  # noqa: N815


class TriggerSchema(OpenShape):
    """An event. A field that is null counts as absent. Unknown keys are ignored."""

    eventType: _Id  # noqa: N815
    payload: PayloadSchema
    eventId: _Id | UnsetType | None = UNSET  # noqa: N815
    channels: list[_Channel] | UnsetType | None = UNSET
    variables: dict[str, Any] | UnsetType | None = UNSET


class TriggeredSchema(Shape):
    """The event is stored. A repeated call gets the response of the first one, whatever its body."""

    success: Annotated[bool, Meta(extra_json_schema={"const": True})]
    message: str


class TokenRequestSchema(OpenShape):
    """The user that the token is for."""

    userId: _Id  # noqa: N815


class RealtimeTokenSchema(Shape):
    """The token that a browser connects with, and the channels it may subscribe to."""

    token: str
    channels: list[str]


class NotificationSchema(Shape):
    """One notification in an inbox. title and body are plain text: escape them before you show them as HTML."""

    id: str
    type: str
    title: str
    body: str
    status: Annotated[str, Meta(extra_json_schema={"enum": ["READ", "UNREAD"]})]
    created_at: Time


class NotificationsSchema(Shape):
    """A page of an inbox, newest first. If the inbox is not the caller's, success is false and data is empty."""

    success: bool
    data: list[NotificationSchema]
    message: str | UnsetType = UNSET


class UnreadSchema(Shape):
    """The number of unread notifications."""

    success: bool
    unread: Annotated[int, Meta(ge=0, le=10_000, description="At most 10,000, also if there are more.")]
    message: str | UnsetType = UNSET


class MarkedSchema(Shape):
    """success is false if the caller has no notification with this id."""

    success: bool
    message: str | UnsetType = UNSET


class OrqestraFaultSchema(Shape):
    """An error of the Orqestra API."""

    statusCode: Annotated[int, Meta(ge=400, le=599)]  # noqa: N815
    error: Annotated[str, Meta(examples=["Validation Error"])]
    message: Annotated[str, Meta(examples=["payload.userId is required"])]
    retryAfter: RetryAfter | UnsetType = UNSET  # noqa: N815


_EVENT = {
    "eventType": "order.confirmed",
    "channels": ["EMAIL", "PUSH"],
    "payload": {"userId": "u1", "recipientEmail": "ada@example.com", "recipientPhone": "+254712345678"},
    "variables": {"customerName": "Ada", "orderId": "A-1001"},
}
_NOTIFICATION = {
    "id": "01a1fe7a-0000-7000-8000-000000000000",
    "type": "order.confirmed",
    "title": "Order confirmed",
    "body": "Your order A-1001 is on its way.",
    "status": "UNREAD",
    "created_at": "2026-04-22T12:00:00.000Z",
}
_KEY = Parameter(
    "X-Idempotency-Key",
    Annotated[str, Meta(min_length=1, max_length=255, pattern="^[!-~]+$")],
    "A second call with the same key within 24 hours creates no event: it gets the response of the first call.",
    place="header",
)
_SIGNATURE = Parameter(
    SIGNATURE_HEADER,
    str,
    "HMAC-SHA256 of the body as sent, in hexadecimal. Required if the tenant has a webhook secret, else ignored.",
    place="header",
)
_TRACE = (
    Parameter(
        "X-Trace-Id",
        str,
        "Your trace id. It is logged with the event at each step, and returned. The first 128 visible ASCII characters "
        "are used.",
        place="header",
    ),
    Parameter("traceparent", str, "W3C trace context. Its trace id is used if there is no X-Trace-Id.", place="header"),
)
_PAGING = (
    Parameter("limit", Annotated[int, Meta(ge=LIMIT.least, le=LIMIT.most)], default=LIMIT.default),
    Parameter("offset", Annotated[int, Meta(ge=OFFSET.least, le=OFFSET.most)], default=OFFSET.default),
)
_READERS = (_TENANT_KEY, _REALTIME_TOKEN)


def _faults(*statuses: int, body: bool = False) -> dict[int, ResponseSpec]:
    """Return error responses. body: with those of a body that is refused before its fields are checked."""
    wanted = {*statuses, 500, *(BODY_FAULTS if body else ())}
    return {
        status: ResponseSpec(
            OrqestraFaultSchema,
            headers={"Retry-After": RETRY_AFTER} if status in (429, 503) else {},
        )
        for status in sorted(wanted)
    }


_OPERATIONS = (
    Operation(
        "POST",
        "/api/v1/events/trigger",
        "triggerEvent",
        "Trigger an event",
        _TAG,
        {
            200: ResponseSpec(
                TriggeredSchema,
                headers={"X-Event-Id": "The event's id. A repeated call gets the id of the first event."},
                may_have={"Idempotent-Replayed": '"true": this call was a repeat and created no event.'},
                example={"success": True, "message": "Event order.confirmed dispatched securely for Acorn Shop"},
            ),
            **_faults(401, 403, 429, 503, body=True),
        },
        body=TriggerSchema,
        example=_EVENT,
        parameters=(_KEY, _SIGNATURE, *_TRACE),
        security=(_TENANT_KEY,),
    ),
    Operation(
        "POST",
        "/api/v1/auth/realtime-token",
        "issueRealtimeToken",
        "Get a realtime token for one user",
        _TAG,
        {200: ResponseSpec(RealtimeTokenSchema), **_faults(401, 403, 429, body=True)},
        body=TokenRequestSchema,
        example={"userId": "u1"},
        security=(_TENANT_KEY,),
    ),
    Operation(
        "GET",
        _INBOX,
        "listNotifications",
        "List a user's notifications",
        _TAG,
        {
            200: ResponseSpec(NotificationsSchema, example={"success": True, "data": [_NOTIFICATION]}),
            **_faults(400, 401, 403, 422, 429),
        },
        parameters=_PAGING,
        security=_READERS,
    ),
    Operation(
        "GET",
        f"{_INBOX}/unread-count",
        "countUnread",
        "Count a user's unread notifications",
        _TAG,
        {
            200: ResponseSpec(UnreadSchema, example={"success": True, "unread": 3}),
            **_faults(400, 401, 403, 422, 429),
        },
        security=_READERS,
    ),
    Operation(
        "PUT",
        f"{_INBOX}/{{notification_id}}/read",
        "markRead",
        "Mark a notification as read",
        _TAG,
        {200: ResponseSpec(MarkedSchema, example={"success": True}), **_faults(400, 401, 403, 422, 429)},
        security=_READERS,
    ),
)

AREA = DialectArea(
    tag=_TAG,
    description="The public API: triggering events, realtime tokens and inboxes.",
    operations=_OPERATIONS,
    security={
        _TENANT_KEY: {
            "type": "apiKey",
            "in": "header",
            "name": API_KEY_HEADER,
            "description": (
                "The API key of a tenant. It is shown once, when the tenant is created or the key is rotated."
            ),
        },
        _REALTIME_TOKEN: {
            "type": "http",
            "scheme": "bearer",
            "description": "A realtime token. It opens the inbox of the user that it was issued for.",
        },
    },
)
