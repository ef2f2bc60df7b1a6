"""What an event must look like to be accepted, and what makes two of them the same: pure."""

import hashlib
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError, Code
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import channels

# As a caller sends it: the HTTP edge has the same bound for bodies.
MAX_SENT_BYTES = 256 * 1024
# As it is stored: a number may become four times as long (1e15), and the key and the trace id are added.
MAX_EVENT_BYTES = 4 * MAX_SENT_BYTES + 4096
MAX_NAME = 255
MAX_ADDRESS = 1024

_EMPTY = b"{}"
_WRONG_CHANNELS = f"must hold only {', '.join(map(event_pb2.Channel.Name, channels.BY_NUMBER))}"

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
# Keeps the order of keys, because templates loop over them.
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def check(event: ingest_pb2.NewEvent) -> None:
    """Raise INVALID naming all wrong fields of NewEvent."""
    recipient = event.recipient
    faults = [
        *_name("event_type", event.event_type, required=True),
        *_name("caller_event_id", event.caller_event_id),
        *_name("recipient.user_id", recipient.user_id, required=True),
        *_name("recipient.email", recipient.email, limit=MAX_ADDRESS),
        *_name("recipient.phone", recipient.phone, limit=MAX_ADDRESS),
        *_name("idempotency_key", event.idempotency_key),
        *_name("trace_id", event.trace_id),
    ]
    if any(channel not in channels.BY_NUMBER for channel in event.channels):
        faults.append(("channels", _WRONG_CHANNELS))
    if event.ByteSize() > MAX_EVENT_BYTES:
        faults.append(("event", f"is larger than {MAX_EVENT_BYTES // 1024} KiB as it is stored"))
    if faults:
        detail = "; ".join(f"{field} {description}" for field, description in faults)
        raise ClarionError(Code.INVALID, detail, fields=faults)


def normalise(event: ingest_pb2.NewEvent) -> None:
    """Rewrite the JSON parts of an event from an untrusted caller in compact form, keys in their order.

    Raises INVALID if one is not a JSON object, is too large or too deep.
    """
    if event.ByteSize() > MAX_SENT_BYTES:
        raise _invalid("event", f"is larger than {MAX_SENT_BYTES // 1024} KiB")
    event.variables = _compact("variables", event.variables)
    event.payload_extra = _compact("payload_extra", event.payload_extra)


# A deduplication key is a SHA-256 that identifies an event for 24 hours. Each kind begins with its own word, and each
# part with its length, so that two kinds or two tenants cannot give the same key. JSON is hashed with sorted keys.


def caller_key(tenant_id: str, idempotency_key: str) -> bytes:
    """Return the key for the caller's idempotency key."""
    return _digest(b"key", tenant_id.encode(), idempotency_key.encode())


def content_key(tenant_id: str, event: ingest_pb2.NewEvent) -> bytes:
    """Return the key for everything that the caller sent."""
    return _digest(b"content", tenant_id.encode(), *content(event))


def seed_key(tenant_id: str, event: ingest_pb2.NewEvent) -> bytes:
    """Return the key for tenant, type and payload alone."""
    return _digest(b"seed", tenant_id.encode(), event.event_type.encode(), *_payload(event))


def content(event: ingest_pb2.NewEvent | event_pb2.Event) -> tuple[bytes, ...]:
    """Return the parts of what the caller asked for; two bodies are the same if these are."""
    return (
        event.event_type.encode(),
        event.caller_event_id.encode(),
        *_payload(event),
        _sorted(event.variables),
        bytes(sorted(set(event.channels))),
    )


def _payload(event: ingest_pb2.NewEvent | event_pb2.Event) -> tuple[bytes, ...]:
    recipient = event.recipient
    return (
        recipient.user_id.encode(),
        recipient.email.encode(),
        recipient.phone.encode(),
        _sorted(event.payload_extra),
    )


def _name(field: str, value: str, *, required: bool = False, limit: int = MAX_NAME) -> list[tuple[str, str]]:
    if not value:
        return [(field, "is required")] if required else []
    if len(value) > limit:
        return [(field, f"is longer than {limit} characters")]
    if "\x00" in value:
        return [(field, "must not contain a NUL character")]
    return []


def _compact(field: str, text: bytes) -> bytes:
    if not text:
        return _EMPTY
    try:
        value = _decode_object(text)
    except (
        ValueError,
        RecursionError,
    ):  # msgspec's errors are ValueErrors, and so is the one for text that is not UTF-8
        raise _invalid(field, "must be a JSON object") from None
    if is_too_deep(text, value):
        raise _invalid(field, f"must be nested at most {MAX_DEPTH} levels deep")
    return _encode(value)


def _sorted(text: bytes) -> bytes:
    """Return an accepted JSON object with the keys of all objects in it sorted."""
    return _encode_sorted(_decode_object(text)) if len(text) > len(_EMPTY) else _EMPTY


def _invalid(field: str, description: str) -> ClarionError:
    return ClarionError(Code.INVALID, f"{field} {description}", fields=[(field, description)])


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()
