"""What an event must look like to be accepted: pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import channels, locales
from services.domain.audience import MAX_TARGETS
from services.domain.endpoints import MAX_METADATA
from services.domain.time_zones import is_time_zone
from services.domain.topology import DUPLICATE_WINDOW_S
from services.ingest.ports import DAY_S, MAX_PAYLOAD_BYTES, TenantSettings

# As a caller sends it: the HTTP edge has the same bound for bodies.
MAX_SENT_BYTES = 256 * 1024
# As it is stored: a number may become four times as long (1e15), and the key and the trace id are added.
MAX_EVENT_BYTES = 4 * MAX_SENT_BYTES + 4096
MAX_NAME = 255
MAX_ADDRESS = 1024
MAX_COST = 10_000
# How far ahead an event may be scheduled, days.
MAX_AHEAD_DAYS = 366
MAX_TTL_DAYS = 30

_EMPTY = b"{}"
_CHANNELS = frozenset(channels.BY_NUMBER)
_WRONG_CHANNELS = f"must hold only {', '.join(map(event_pb2.Channel.Name, channels.BY_NUMBER))}"
_DAY_US = DAY_S * 1_000_000
_DEDUPE_KINDS = frozenset(ingest_pb2.DedupeKind.values())

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
# Keeps the order of keys, because templates loop over them.
_encode = msgspec.json.Encoder().encode

# (field, what is wrong with it and what to do) of each wrong field.
Faults = list[tuple[str, str]]


def check(event: ingest_pb2.NewEvent, now: clock.Clock) -> None:
    """Raise INVALID naming all wrong fields of NewEvent."""
    _refuse(_faults(event, now))


def check_payload(event: ingest_pb2.NewEvent, settings: TenantSettings) -> None:
    """Raise INVALID, naming variables, if an event carries more than its tenant may send."""
    most = settings.max_payload_bytes
    if most >= MAX_PAYLOAD_BYTES and not event.HasField("to_endpoints"):
        # The largest bound is that of what callers send, which their edge checks: written again it may be longer. What
        # goes to endpoints is kept as it was sent.
        return
    if len(event.variables) + len(event.payload_extra) > most:
        _refuse([("variables", f"must have at most {most:,} bytes, as many as this tenant may send")])


def check_sent(event: ingest_pb2.NewEvent, now: clock.Clock) -> None:
    """Check an event of a caller with an API key, and rewrite its JSON parts in compact form, keys in their order.

    Such a caller must say whom the event is for. Raises INVALID naming all wrong fields.
    """
    if event.ByteSize() > MAX_SENT_BYTES:
        _refuse([("event", f"is larger than {MAX_SENT_BYTES // 1024} KiB")])
    broken: Faults = []
    event.variables = _compact(broken, "variables", event.variables)
    event.payload_extra = _compact(broken, "payload_extra", event.payload_extra)
    _refuse(_faults(event, now, needs_target=True) + broken)


def _faults(event: ingest_pb2.NewEvent, now: clock.Clock, *, needs_target: bool = False) -> Faults:
    faults: Faults = []
    _text(faults, "event_type", event.event_type, required=True)
    _text(faults, "caller_event_id", event.caller_event_id)
    _people(faults, event, needs_target=needs_target)
    if event.HasField("to_endpoints"):
        _endpoints(faults, event)
    if event.metadata:
        _metadata(faults, event)
    if event.key_id and not is_uuid(event.key_id):
        faults.append(("key_id", "must be a UUID in lower case"))
    if event.answer_by_us < 0:
        faults.append(("answer_by_us", "must not be negative"))
    _text(faults, "idempotency_key", event.idempotency_key)
    _text(faults, "trace_id", event.trace_id)
    if not _CHANNELS.issuperset(event.channels[:]):
        faults.append(("channels", _WRONG_CHANNELS))
    _text(faults, "scope", event.scope)
    if event.due_at_us:
        _due(faults, event.due_at_us, now())
    if event.HasField("dedupe"):
        _dedupe(faults, event)
    if event.cost > MAX_COST:
        faults.append(("cost", f"must be at most {MAX_COST:,}"))
    if event.ByteSize() > MAX_EVENT_BYTES:
        faults.append(("event", f"is larger than {MAX_EVENT_BYTES // 1024} KiB as it is stored"))
    return faults


def _people(faults: Faults, event: ingest_pb2.NewEvent, *, needs_target: bool) -> None:
    if event.HasField("recipient"):
        _recipient(faults, "recipient.", event.recipient, needs_id=True)
    elif needs_target and not event.audience and not event.HasField("to_endpoints"):
        faults.append(("recipient.user_id", "is required, unless there is an audience"))
    if event.audience:
        _audience(faults, event)
    if event.exclusions:
        _exclusions(faults, event)


def _recipient(faults: Faults, prefix: str, recipient: event_pb2.Recipient, *, needs_id: bool = False) -> None:
    _text(faults, "user_id", recipient.user_id, prefix, required=needs_id)
    _text(faults, "email", recipient.email, prefix, limit=MAX_ADDRESS)
    _text(faults, "phone", recipient.phone, prefix, limit=MAX_ADDRESS)
    if recipient.locale and not locales.normal(recipient.locale):
        faults.append((f"{prefix}locale", 'must be a BCP 47 language tag such as "pt-BR"'))
    if recipient.timezone and not is_time_zone(recipient.timezone):
        faults.append((f"{prefix}timezone", 'must be an IANA time zone such as "Africa/Nairobi"'))


def _audience(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    if event.HasField("recipient"):
        faults.append(("audience", "cannot be combined with recipient: make the recipient one of its targets"))
    if len(event.audience) > MAX_TARGETS:
        faults.append(("audience", f"must hold at most {MAX_TARGETS} targets: use a group, or send several events"))
        return
    for position, target in enumerate(event.audience):
        field = f"audience[{position}]"
        kind = target.WhichOneof("target")
        if kind == "recipient":
            _recipient(faults, f"{field}.recipient.", target.recipient)
            if not (target.recipient.user_id or target.recipient.email or target.recipient.phone):
                faults.append((f"{field}.recipient", "must have a user_id, an email or a phone"))
        elif kind in ("recipient_id", "group"):
            _text(faults, f"{field}.{kind}", getattr(target, kind), required=True)
        elif kind is None:
            faults.append((field, "must have a recipient, a recipient_id, a group or everybody"))


def _exclusions(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    if not event.audience:
        faults.append(("exclusions", "are possible only with an audience"))
    if len(event.exclusions) > MAX_TARGETS:
        faults.append(("exclusions", f"must hold at most {MAX_TARGETS} targets: use a group"))
        return
    for position, target in enumerate(event.exclusions):
        kind = target.WhichOneof("target")
        if kind in ("recipient_id", "group"):
            _text(faults, f"exclusions[{position}].{kind}", getattr(target, kind), required=True)
        else:
            faults.append((f"exclusions[{position}]", "must have a recipient_id or a group"))


def _endpoints(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    if event.HasField("recipient") or event.audience:
        faults.append(("to_endpoints", "cannot be combined with recipient or audience: send two events"))
    if event.channels:
        faults.append(("channels", "must be empty for an event to endpoints"))
    kind = event.to_endpoints.WhichOneof("to")
    if kind is None:
        faults.append(("to_endpoints", "must have an endpoint_id or subscribers"))
    elif kind == "endpoint_id" and not is_uuid(event.to_endpoints.endpoint_id):
        faults.append(("to_endpoints.endpoint_id", "must be a UUID in lower case"))


def _metadata(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    if len(event.metadata) > MAX_METADATA:
        faults.append(("metadata", f"must have at most {MAX_METADATA} entries"))
    for name, value in sorted(event.metadata.items())[:MAX_METADATA]:
        _text(faults, "metadata", name, required=True)
        _text(faults, f"metadata.{name[:MAX_NAME]}", value)


def _due(faults: Faults, due_at_us: int, now_us: int) -> None:
    if due_at_us < 0:
        faults.append(("due_at_us", "must not be negative"))
    elif due_at_us > now_us + MAX_AHEAD_DAYS * _DAY_US:
        faults.append(("due_at_us", "must be at most a year ahead"))


def _dedupe(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    dedupe = event.dedupe
    if event.idempotency_key:
        faults.append(("dedupe", "cannot be combined with idempotency_key: put the key into dedupe.key"))
    if dedupe.kind not in _DEDUPE_KINDS:
        faults.append(("dedupe.kind", "is not known to this version"))
    if dedupe.kind == ingest_pb2.DEDUPE_KIND_KEY:
        _text(faults, "dedupe.key", dedupe.key, required=True)
    elif dedupe.key:
        faults.append(("dedupe.key", "must be empty, unless dedupe.kind is DEDUPE_KIND_KEY"))
    _text(faults, "dedupe.scope", dedupe.scope)
    # The broker remembers each key for its window, also where the tenant wants to have it forgotten earlier.
    if dedupe.ttl_s and not DUPLICATE_WINDOW_S <= dedupe.ttl_s <= MAX_TTL_DAYS * DAY_S:
        faults.append(("dedupe.ttl_s", f"must be from {DUPLICATE_WINDOW_S} seconds to {MAX_TTL_DAYS} days"))


def _text(
    faults: Faults, field: str, value: str, prefix: str = "", *, required: bool = False, limit: int = MAX_NAME
) -> None:
    if not value:
        if required:
            faults.append((prefix + field, "is required"))
    elif len(value) > limit:
        faults.append((prefix + field, f"is longer than {limit} characters"))
    elif "\x00" in value:
        faults.append((prefix + field, "must not contain a NUL character"))


def _compact(faults: Faults, field: str, text: bytes) -> bytes:
    if not text:
        return _EMPTY
    try:
        value = _decode_object(text)
    except (
        ValueError,
        RecursionError,
    ):  # msgspec's errors are ValueErrors, and so is the one for text that is not UTF-8
        faults.append((field, "must be a JSON object"))
        return _EMPTY
    if is_too_deep(text, value):
        faults.append((field, f"must be nested at most {MAX_DEPTH} levels deep"))
        return _EMPTY
    return _encode(value)


def _refuse(faults: Sequence[tuple[str, str]]) -> None:
    if faults:
        detail = "; ".join(f"{field} {description}" for field, description in faults)
        raise ClarionError(Code.INVALID, detail, fields=faults)
