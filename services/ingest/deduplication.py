"""What makes two events the same: pure.

A deduplication key is a SHA-256 that identifies an event for as long as it is remembered. Each kind begins with its own
word, and each part with its length, so that two kinds or two tenants cannot give the same key. JSON is hashed with
sorted keys. Keys are remembered for days, and two versions run side by side: so what is hashed of an event never
changes, and a new field adds to it only where it is set.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from services.domain.earlier_events import locale_of

_EMPTY = b"{}"

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def caller_key(tenant_id: str, key: str, scope: str = "", *, endpoint_id: str = "") -> bytes:
    """Return the key for a key that the caller gave. Equal keys of different scopes, or endpoints, are different.

    endpoint_id: the one that the event is for; empty: it names none.
    """
    named = (b"endpoint", endpoint_id.encode()) if endpoint_id else ()
    return _digest(b"key", tenant_id.encode(), key.encode(), *_in(scope), *named)


def content_key(event: event_pb2.Event, scope: str = "") -> bytes:
    """Return the key for everything that the caller sent."""
    return _digest(b"content", event.tenant_id.encode(), *content(event), *_in(scope))


def payload_key(event: event_pb2.Event, scope: str = "") -> bytes:
    """Return the key for tenant, type, recipients and payload_extra alone, and what is sent in place of templates."""
    extra = event.payload_extra
    parts = (event.event_type.encode(), *_payload(event.recipient, extra))
    further = _people(event, extra, event.variables) + _choices(event)
    return _digest(b"seed", event.tenant_id.encode(), *parts, *_further(further), *_in(scope))


def content(event: event_pb2.Event) -> tuple[bytes, ...]:
    """Return the parts of what the caller asked for; two bodies are the same if these are."""
    extra, variables = event.payload_extra, event.variables
    parts = (
        event.event_type.encode(),
        event.caller_event_id.encode(),
        *_payload(event.recipient, extra),
        _sorted(variables),
        bytes(sorted(set(event.channels[:]))),
    )
    further = _people(event, extra, variables)
    if event.scope:
        further += (b"scope", event.scope.encode())
    if event.due_at_us:
        further += (b"due", str(event.due_at_us).encode())
    further += _choices(event)
    if event.metadata:
        pairs = [text.encode() for pair in sorted(event.metadata.items()) for text in pair]
        further += (b"metadata", _digest(*pairs))
    return parts + _further(further) if further else parts


def framed(parts: Iterable[bytes]) -> bytes:
    """Return the parts, each after its length: no two sequences of parts give the same bytes."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def _payload(recipient: event_pb2.Recipient, extra: bytes) -> tuple[bytes, ...]:
    return (recipient.user_id.encode(), recipient.email.encode(), recipient.phone.encode(), _sorted(extra))


def _people(event: event_pb2.Event, extra: bytes, variables: bytes) -> list[bytes]:
    """Return what _payload() leaves out of the recipients: names and values."""
    parts: list[bytes] = []
    if event.id_scheme == 0:
        return parts  # accepted by a version that knew nothing more
    recipient = event.recipient
    # A locale that stands in the body is hashed there.
    if (locale := recipient.locale) != locale_of(extra, variables):
        parts += (b"locale", locale.encode())
    if recipient.timezone:
        parts += (b"timezone", recipient.timezone.encode())
    if recipient.name:
        parts += (b"name", recipient.name.encode())
    if recipient.data:
        parts += (b"data", _sorted(recipient.data))
    if event.audience:
        parts += (b"audience", *_targets(event.audience), b"exclusions", *_targets(event.exclusions))
    if event.HasField("endpoints"):
        # Who subscribes is not what the caller sent.
        named = event.endpoints.endpoint_ids[:] if event.endpoints.is_named else []
        parts += (b"endpoints", _digest(*[endpoint_id.encode() for endpoint_id in named]))
    return parts


def _choices(event: event_pb2.Event) -> list[bytes]:
    """Return what the caller asked for in place of what the event's type means: names and values."""
    parts: list[bytes] = []
    if event.HasField("direct"):
        parts += (b"direct", event.direct.SerializeToString(deterministic=True))
    if event.workflows.is_named:  # else who asks does not know them
        parts += (b"workflows", _digest(*[one.workflow_id.encode() for one in event.workflows.workflows]))
    return parts


def _targets(targets: Iterable[event_pb2.Target]) -> list[bytes]:
    """Return the targets in an order that does not depend on the caller's."""
    return sorted(target.SerializeToString(deterministic=True) for target in targets)


def _further(parts: list[bytes]) -> tuple[bytes, ...]:
    """Return one part for these; none where an event has nothing of them."""
    return (_digest(*parts),) if parts else ()


def _in(scope: str) -> tuple[bytes, ...]:
    return (b"scope", scope.encode()) if scope else ()


def _sorted(text: bytes) -> bytes:
    """Return an accepted JSON object with the keys of all objects in it sorted."""
    return _encode_sorted(_decode_object(text)) if len(text) > len(_EMPTY) else _EMPTY


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(framed(parts)).digest()
