"""The inbox of one user, for pages, and the web component that shows it."""

from typing import Annotated

from msgspec import Meta

from gateway.inbox import INBOX, LIMIT
from gateway.inbox.component import INTEGRITY_PATH, PATH
from gateway.inbox.handlers import MarkAllBody
from gateway.openapi.operations import BODY_FAULTS, CURSOR, PROBLEM, RETRY_AFTER, Operation, Parameter, ResponseSpec
from gateway.openapi.values import GatewayFaultSchema, ProblemSchema, Shape, Time

_TAG = "Inbox"
# The scheme is declared beside the call that issues the tokens.
_TOKEN = ("realtimeToken",)
_ORIGIN = {"Access-Control-Allow-Origin": "`*`: pages of every origin may call, with a token."}
_NO_FILE = "The component is not built on this server."


class InboxItemSchema(Shape):
    """One notification. title and body are plain text with any characters: insert them as text, never as HTML."""

    id: str
    event_type: str
    title: str
    body: str
    read: bool
    created_at: Time


class InboxPageSchema(Shape):
    """A page of an inbox, newest first. next_cursor is null if nothing older follows."""

    data: list[InboxItemSchema]
    unread: Annotated[int, Meta(ge=0, le=10_000, description="Of the whole inbox; at most 10,000.")]
    next_cursor: str | None


class UnreadLeftSchema(Shape):
    """The number of notifications that are unread now, at most 10,000."""

    unread: Annotated[int, Meta(ge=0, le=10_000)]


class IntegritySchema(Shape):
    """The attributes of a script element that loads the component and checks it."""

    src: str
    integrity: Annotated[str, Meta(pattern="^sha384-")]


def _faults(*statuses: int) -> dict[int, ResponseSpec]:
    own = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": RETRY_AFTER}}
    return {
        status: ResponseSpec(ProblemSchema, content_type=PROBLEM, headers={**_ORIGIN, **own.get(status, {})})
        for status in (401, 422, 429, 500, 503, *statuses)
    }


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        INBOX,
        "readInbox",
        "Read a user's inbox",
        _TAG,
        {200: ResponseSpec(InboxPageSchema, headers=_ORIGIN), **_faults()},
        parameters=(
            Parameter("limit", Annotated[int, Meta(ge=LIMIT.least, le=LIMIT.most)], default=LIMIT.default),
            CURSOR,
        ),
        security=_TOKEN,
    ),
    Operation(
        "PUT",
        f"{INBOX}/read",
        "markInboxRead",
        "Mark all notifications as read",
        _TAG,
        {200: ResponseSpec(UnreadLeftSchema, headers=_ORIGIN), **_faults(404, *BODY_FAULTS)},
        body=MarkAllBody,
        example={"until": "01a1fe7a-0000-7000-8000-000000000000"},
        security=_TOKEN,
        description="One call marks at most 10,000; `unread` tells whether some are left.",
    ),
    Operation(
        "PUT",
        f"{INBOX}/{{notification_id}}/read",
        "markInboxItemRead",
        "Mark one notification as read",
        _TAG,
        {200: ResponseSpec(UnreadLeftSchema, headers=_ORIGIN), **_faults(404)},
        security=_TOKEN,
    ),
    Operation(
        "GET",
        PATH,
        "inboxComponent",
        "Get the web component",
        _TAG,
        {
            200: ResponseSpec(str, content_type="text/javascript", headers=_ORIGIN),
            304: ResponseSpec(None, "The caller has the file already (`If-None-Match`).", headers=_ORIGIN),
            404: ResponseSpec(GatewayFaultSchema, _NO_FILE, headers=_ORIGIN),
        },
        description="An ES module that defines `<clarion-inbox>`.",
    ),
    Operation(
        "GET",
        INTEGRITY_PATH,
        "inboxIntegrity",
        "Get the hash of the web component",
        _TAG,
        {
            200: ResponseSpec(IntegritySchema, headers=_ORIGIN),
            404: ResponseSpec(GatewayFaultSchema, _NO_FILE, headers=_ORIGIN),
        },
    ),
)
