"""Bodies of the ingest API as events for ingest: pure.

A payload stays the caller's own bytes, white space and all: what is signed and sent is what the caller wrote.
"""

import re
import uuid
from typing import Any

import msgspec

from clarion.ingest.v1 import ingest_pb2
from gateway.dialects.nahook import bodies
from gateway.dialects.nahook.bodies import Body
from gateway.dialects.nahook.errors import bad_request
from services.domain.endpoints import DIRECT_EVENT, MAX_METADATA

# A payload has at most 256 KiB; the rest is for what stands around it.
MAX_BODY_BYTES = (256 + 32) * 1024
MAX_BATCH_BYTES = 1024 * 1024
MAX_ITEMS = 20
MAX_KEY_LENGTH = 255
MAX_LABEL_LENGTH = 255
MAX_TYPE_LENGTH = 128
TYPE_PATTERN = r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$"
# "batch" stands in a path where types do.
RESERVED_TYPE = "batch"
# How long a key of a send is remembered: as long as the vendor keeps deliveries.
KEY_TTL_S = 7 * 86_400

# Levels of nesting around a payload: the body's own, and in a batch also the list and the item.
_AROUND, _AROUND_ITEM = 1, 3
_TYPE = re.compile(TYPE_PATTERN)


class SendBody(Body, kw_only=True):
    """The body of a send."""

    payload: msgspec.Raw
    idempotency_key: str | None = None


class SendItemBody(SendBody, kw_only=True):
    """One item of a batch of sends."""

    endpoint_id: str


class TriggerBody(Body, kw_only=True):
    """The body of a trigger."""

    payload: msgspec.Raw
    metadata: dict[str, str] | None = None


class TriggerItemBody(TriggerBody, kw_only=True):
    """One item of a batch of triggers."""

    event_type: str


class _Batch(Body, kw_only=True):
    items: list[msgspec.Raw]


def send_body(raw: bytes) -> SendBody:
    """Return the body of a send. Raises ApiError."""
    bodies.check(raw, around=_AROUND)
    return bodies.convert(raw, SendBody)


def trigger_body(raw: bytes) -> TriggerBody:
    """Return the body of a trigger. Raises ApiError."""
    bodies.check(raw, around=_AROUND)
    return bodies.convert(raw, TriggerBody)


def batch_items(raw: bytes) -> list[bytes]:
    """Return the items of a batch, unread. Raises ApiError if the batch as a whole is wrong."""
    bodies.check(raw, around=_AROUND_ITEM)
    items = bodies.convert(raw, _Batch).items
    if not 1 <= len(items) <= MAX_ITEMS:
        raise bad_request(f"items must be a list of 1 to {MAX_ITEMS} items")
    return [bytes(item) for item in items]


def to_endpoint(endpoint_id: str, body: SendBody) -> tuple[ingest_pb2.NewEvent, str]:
    """Return the event of a send, and its idempotency key: the caller's, or a new one. endpoint_id: a UUID."""
    key = body.idempotency_key if body.idempotency_key is not None else str(uuid.uuid4())
    if not 1 <= len(key) <= MAX_KEY_LENGTH or "\0" in key:
        raise bad_request(f"idempotencyKey must have 1 to {MAX_KEY_LENGTH} characters, none of them NUL")
    event = ingest_pb2.NewEvent(
        event_type=DIRECT_EVENT,
        caller_event_id=key,
        variables=_payload(body.payload),
        to_endpoints=ingest_pb2.ToEndpoints(endpoint_id=endpoint_id),
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key=key, scope=endpoint_id, ttl_s=KEY_TTL_S),
    )
    return event, key


def to_subscribers(event_type: str, body: TriggerBody) -> ingest_pb2.NewEvent:
    """Return the event of a trigger, which is never a duplicate. Raises ApiError."""
    check_type(event_type)
    return ingest_pb2.NewEvent(
        event_type=event_type,
        variables=_payload(body.payload),
        metadata=_metadata(body.metadata or {}),
        to_endpoints=ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers()),
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE),
    )


def check_type(name: str, field: str = "eventType") -> None:
    """Raise ApiError for what cannot be the name of an event type."""
    if len(name) > MAX_TYPE_LENGTH or not _TYPE.fullmatch(name):
        raise bad_request(
            f"{field} must be words of lower-case letters, digits, _ and -, with dots between them,"
            f" at most {MAX_TYPE_LENGTH} characters"
        )
    if name == RESERVED_TYPE:
        raise bad_request(f'{field} must not be "{RESERVED_TYPE}", which stands for something else in paths')


def _payload(raw: Any) -> bytes:
    """Return a payload's own bytes. Raises ApiError if it is no object."""
    payload = bytes(raw)
    if not payload.startswith(b"{"):
        raise bad_request("payload must be a JSON object")
    return payload


def _metadata(labels: dict[str, str]) -> dict[str, str]:
    if len(labels) > MAX_METADATA:
        raise bad_request(f"metadata must have at most {MAX_METADATA} keys")
    for name, value in labels.items():
        if not 1 <= len(name) <= MAX_LABEL_LENGTH or len(value) > MAX_LABEL_LENGTH or "\0" in name + value:
            raise bad_request(
                f"metadata must have keys of 1 to {MAX_LABEL_LENGTH} and values of at most {MAX_LABEL_LENGTH}"
                " characters, none of them NUL"
            )
    return labels
