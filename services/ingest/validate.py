"""What an event must look like to be accepted: pure."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain import addresses, channels, locales
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
# The time from which on no event may be due, Unix microseconds: a second before the year 10000, which few programs can
# read. PostgreSQL rounds the microseconds of such times, perhaps up to that year.
END_OF_TIME_US = 253_402_300_799_000_000
MAX_TTL_DAYS = 30
# Of a recipient, bytes of JSON. Of a target that is a set of tags: how many, and characters of each.
MAX_DATA_BYTES = 16 * 1024
MAX_TAGS = 20
MAX_TAG = 64
# Of a direct message: its subject, body and text together, bytes.
MAX_CONTENT_BYTES = 100 * 1024

_EMPTY = b"{}"
_CHANNELS = frozenset(channels.BY_NUMBER)
_WRONG_CHANNELS = f"must hold only {', '.join(map(event_pb2.Channel.Name, channels.BY_NUMBER))}"
_FOR_PEOPLE = f"must be one of {', '.join(map(event_pb2.Channel.Name, channels.FOR_PEOPLE))}"
# The channels on which a caller may write the content itself.
_WRITTEN = (event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS)
_DEDUPE_KINDS = frozenset(ingest_pb2.DedupeKind.values())

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
# Keeps the order of keys, because templates loop over them.
_encode = msgspec.json.Encoder().encode

# (field, what is wrong with it and what to do) of each wrong field.
Faults = list[tuple[str, str]]


def check(event: ingest_pb2.NewEvent) -> None:
    """Raise INVALID naming all wrong fields of NewEvent."""
    _refuse(_faults(event))


def check_payload(event: ingest_pb2.NewEvent, settings: TenantSettings) -> None:
    """Raise INVALID, naming variables, if an event carries more than its tenant may send."""
    most = settings.max_payload_bytes
    if most >= MAX_PAYLOAD_BYTES and not event.HasField("to_endpoints"):
        # The largest bound is that of what callers send, which their edge checks: written again it may be longer. What
        # goes to endpoints is kept as it was sent.
        return
    if len(event.variables) + len(event.payload_extra) > most:
        _refuse([("variables", f"must have at most {most:,} bytes, as many as this tenant may send")])


def check_sent(event: ingest_pb2.NewEvent) -> None:
    """Check an event of a caller with an API key, and rewrite its JSON parts in compact form, keys in their order.

    Such a caller must say whom the event is for. Raises INVALID naming all wrong fields.
    """
    if event.ByteSize() > MAX_SENT_BYTES:
        _refuse([("event", f"is larger than {MAX_SENT_BYTES // 1024} KiB")])
    broken: Faults = []
    event.variables = _compact(broken, "variables", event.variables)
    event.payload_extra = _compact(broken, "payload_extra", event.payload_extra)
    for field, recipient in _described(event):
        if recipient.data:
            recipient.data = _compact(broken, f"{field}.data", recipient.data)
    _refuse(_faults(event, needs_target=True) + broken)


def _faults(event: ingest_pb2.NewEvent, *, needs_target: bool = False) -> Faults:
    faults: Faults = []
    _text(faults, "event_type", event.event_type, required=True)
    _text(faults, "caller_event_id", event.caller_event_id)
    _people(faults, event, needs_target=needs_target)
    _instead(faults, event)
    if event.metadata:
        _metadata(faults, event)
    if event.key_id:
        _id(faults, "key_id", event.key_id)
    if event.answer_by_us < 0:
        faults.append(("answer_by_us", "must not be negative"))
    _text(faults, "idempotency_key", event.idempotency_key)
    _text(faults, "trace_id", event.trace_id)
    if not _CHANNELS.issuperset(event.channels[:]):
        faults.append(("channels", _WRONG_CHANNELS))
    _text(faults, "scope", event.scope)
    if event.due_at_us:
        _due(faults, event.due_at_us)
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


def _recipient(
    faults: Faults,
    prefix: str,
    recipient: event_pb2.Recipient,
    *,
    needs_id: bool = False,
    needs_identifier: bool = False,
) -> None:
    _text(faults, "user_id", recipient.user_id, prefix, required=needs_id)
    _text(faults, "email", recipient.email, prefix, limit=MAX_ADDRESS)
    _text(faults, "phone", recipient.phone, prefix, limit=MAX_ADDRESS)
    if recipient.locale and not locales.normal(recipient.locale):
        faults.append((f"{prefix}locale", 'must be a BCP 47 language tag such as "pt-BR"'))
    if recipient.timezone and not is_time_zone(recipient.timezone):
        faults.append((f"{prefix}timezone", 'must be an IANA time zone such as "Africa/Nairobi"'))
    if recipient.name:
        _text(faults, "name", recipient.name, prefix)
    if len(recipient.data) > MAX_DATA_BYTES:
        faults.append((f"{prefix}data", f"must have at most {MAX_DATA_BYTES // 1024} KiB"))
    if needs_identifier and not (recipient.user_id or recipient.email or recipient.phone):
        faults.append((prefix.removesuffix("."), "must have a user_id, an email or a phone"))


def _tags(faults: Faults, field: str, tags: Sequence[str]) -> None:
    if not 1 <= len(tags) <= MAX_TAGS:
        faults.append((field, f"must have 1 to {MAX_TAGS} tags"))
        return
    for position, tag in enumerate(tags):
        _text(faults, f"{field}[{position}]", tag, required=True, limit=MAX_TAG)


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
            _recipient(faults, f"{field}.recipient.", target.recipient, needs_identifier=True)
        elif kind == "contact":
            _recipient(faults, f"{field}.contact.recipient.", target.contact.recipient, needs_identifier=True)
        elif kind in ("recipient_id", "group"):
            _text(faults, f"{field}.{kind}", getattr(target, kind), required=True)
        elif kind == "tags":
            _tags(faults, f"{field}.tags", target.tags.tags)
        elif kind == "segment_id":
            _id(faults, f"{field}.segment_id", target.segment_id)
        elif kind is None:
            faults.append(
                (field, "must have a recipient, a recipient_id, a contact, a group, tags, a segment or everybody")
            )


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


def _instead(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    """Check what an event asks for in place of what its type means."""
    if event.HasField("to_endpoints"):
        _endpoints(faults, event)
    if event.HasField("workflows"):
        _workflows(faults, event)
    if event.HasField("direct"):
        _direct(faults, event)


def _endpoints(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    if event.HasField("recipient") or event.audience:
        faults.append(("to_endpoints", "cannot be combined with recipient or audience: send two events"))
    if event.channels:
        faults.append(("channels", "must be empty for an event to endpoints"))
    kind = event.to_endpoints.WhichOneof("to")
    if kind is None:
        faults.append(("to_endpoints", "must have an endpoint_id or subscribers"))
    elif kind == "endpoint_id":
        _id(faults, "to_endpoints.endpoint_id", event.to_endpoints.endpoint_id)


def _workflows(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    if event.HasField("to_endpoints") or event.HasField("pinned") or event.HasField("direct"):
        faults.append(("workflows", "cannot be combined with to_endpoints, pinned or direct"))
    kind = event.workflows.WhichOneof("choice")
    if kind is None:
        faults.append(("workflows", "must have by_type or a workflow_id"))
    elif kind == "workflow_id":
        _id(faults, "workflows.workflow_id", event.workflows.workflow_id)


def _direct(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    """Check what is sent in place of a template; whether a template of this name exists is seen when it is sent."""
    direct = event.direct
    if event.HasField("to_endpoints") or event.HasField("pinned"):
        faults.append(("direct", "cannot be combined with to_endpoints or pinned"))
    if event.channels:
        faults.append(("channels", "must be empty for a direct message, which names its channel"))
    if direct.channel not in channels.FOR_PEOPLE:
        faults.append(("direct.channel", _FOR_PEOPLE))
    kind = direct.WhichOneof("content")
    if kind is None:
        faults.append(("direct", "must have a template_key or content_given"))
    elif kind == "template_key":
        _text(faults, "direct.template_key", direct.template_key, required=True)
    else:
        _content(faults, direct)
    _text(faults, "direct.sender_name", direct.sender_name)
    for field, value in (("sender_email", direct.sender_email), ("reply_to", direct.reply_to)):
        if value and not _is_email(value):
            faults.append((f"direct.{field}", "must be one e-mail address, without a name"))


def _content(faults: Faults, direct: event_pb2.DirectMessage) -> None:
    content = direct.content_given
    if direct.channel not in _WRITTEN:
        faults.append(("direct.content_given", "is possible for e-mail and SMS only: use a template"))
    is_mail = direct.channel == event_pb2.CHANNEL_EMAIL
    if not content.body.strip() and not (is_mail and content.text.strip()):
        faults.append(("direct.content_given.body", "is required, unless there is text" if is_mail else "is required"))
    if not content.subject and is_mail:
        faults.append(("direct.content_given.subject", "is required"))
    if not is_mail:
        mail_only = {"subject": content.subject, "text": content.text}
        faults += [(f"direct.content_given.{name}", "is for e-mail only") for name, text in mail_only.items() if text]
    if sum(len(part.encode()) for part in (content.subject, content.body, content.text)) > MAX_CONTENT_BYTES:
        faults.append(("direct.content_given", f"must have at most {MAX_CONTENT_BYTES // 1024} KiB"))


def _is_email(text: str) -> bool:
    try:
        addresses.parse_email(text)
    except addresses.InvalidAddress:
        return False
    return True


def _metadata(faults: Faults, event: ingest_pb2.NewEvent) -> None:
    if len(event.metadata) > MAX_METADATA:
        faults.append(("metadata", f"must have at most {MAX_METADATA} entries"))
    for name, value in sorted(event.metadata.items())[:MAX_METADATA]:
        _text(faults, "metadata", name, required=True)
        _text(faults, f"metadata.{name[:MAX_NAME]}", value)


def _due(faults: Faults, due_at_us: int) -> None:
    if due_at_us < 0:
        faults.append(("due_at_us", "must not be negative"))
    elif due_at_us >= END_OF_TIME_US:
        faults.append(("due_at_us", "must be at least a second before the year 10000"))


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


def _id(faults: Faults, field: str, value: str) -> None:
    if not is_uuid(value):
        faults.append((field, "must be a UUID in lower case"))


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


def _described(event: ingest_pb2.NewEvent) -> Iterator[tuple[str, event_pb2.Recipient]]:
    """Return the people whom the caller describes, each with the name of its field."""
    if event.HasField("recipient"):
        yield "recipient", event.recipient
    for position, target in enumerate(event.audience):
        if target.HasField("recipient"):
            yield f"audience[{position}].recipient", target.recipient
        elif target.HasField("contact"):
            yield f"audience[{position}].contact.recipient", target.contact.recipient


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
