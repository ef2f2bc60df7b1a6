"""Resend's webhooks, signed as Svix does: https://resend.com/docs/webhooks/introduction."""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

import msgspec

from clarion.common.v1 import trace_pb2
from services import suppressed
from services.senders.reports.ports import Callback, Credentials, MalformedError, RefusedError, Report, Reporter

SETTING = "webhook_secret"
TOLERANCE_S = 300

_PREFIX = "whsec_"
_MAX_SIGNATURES = 10
# A bounce that may be none the next time: a full mailbox, a message too large for it.
_SOFT = frozenset({"transient", "undetermined"})


class _Bounce(msgspec.Struct):
    type: str = ""
    subType: str = ""  # noqa: N815 - theirs
    message: str = ""


class _Failed(msgspec.Struct):
    reason: str = ""


class _Data(msgspec.Struct):
    email_id: str = ""
    bounce: _Bounce | None = None
    failed: _Failed | None = None


class _Event(msgspec.Struct):
    type: str
    created_at: str = ""
    data: _Data = msgspec.field(default_factory=_Data)


_decode = msgspec.json.Decoder(_Event).decode


def verify(callback: Callback, credentials: Credentials, now_us: int) -> None:
    """Check svix-signature over id, timestamp and body. Raises RefusedError."""
    message_id, timestamp = callback.headers.get("svix-id", ""), callback.headers.get("svix-timestamp", "")
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise RefusedError("svix-id or svix-timestamp is missing or malformed")
    if abs(now_us / 1_000_000 - int(timestamp)) > TOLERANCE_S:
        raise RefusedError("svix-timestamp is too far from now")
    try:
        key = base64.b64decode(str(credentials.get(SETTING, "")).removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise RefusedError(f"the provider's {SETTING} is not set, or not one")
    signed = f"{message_id}.{timestamp}.".encode() + callback.body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    # Several while the secret is being replaced.
    for part in callback.headers.get("svix-signature", "").split(" ")[:_MAX_SIGNATURES]:
        version, _, signature = part.partition(",")
        if version == "v1" and hmac.compare_digest(signature.encode(), expected):
            return
    raise RefusedError("svix-signature is missing or wrong")


def parse(callback: Callback) -> list[Report]:
    """Return the one report, or none. Raises MalformedError."""
    try:
        event = _decode(callback.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedError(str(error)) from error
    status, reason, detail, suppression = _meaning(event)
    if status == trace_pb2.DELIVERY_STATUS_UNSPECIFIED or not event.data.email_id:
        return []
    return [
        Report(
            message_ids=[event.data.email_id],
            status=status,
            reason=reason,
            detail=detail,
            suppression=suppression,
            occurred_us=_micros(event.created_at),
            id=callback.headers.get("svix-id", ""),
        )
    ]


def _meaning(
    event: _Event,
) -> tuple[trace_pb2.DeliveryStatus.ValueType, str, str, suppressed.Reason]:
    data = event.data
    match event.type:
        case "email.delivered":
            return trace_pb2.DELIVERY_STATUS_DELIVERED, "", "", suppressed.NONE
        case "email.bounced":
            bounce = data.bounce or _Bounce()
            is_soft = bounce.type.lower() in _SOFT
            detail = " ".join(filter(None, (bounce.type, bounce.subType, bounce.message)))
            hard = suppressed.NONE if is_soft else suppressed.BOUNCED
            return trace_pb2.DELIVERY_STATUS_BOUNCED, "soft_bounce" if is_soft else "hard_bounce", detail, hard
        case "email.suppressed":
            detail = "On the provider's own suppression list."
            return trace_pb2.DELIVERY_STATUS_BOUNCED, "suppressed_by_provider", detail, suppressed.BOUNCED
        case "email.failed":
            detail = data.failed.reason if data.failed else ""
            return trace_pb2.DELIVERY_STATUS_BOUNCED, "provider_failed", detail, suppressed.NONE
        case "email.complained":
            return trace_pb2.DELIVERY_STATUS_COMPLAINED, "spam_complaint", "", suppressed.COMPLAINED
    return trace_pb2.DELIVERY_STATUS_UNSPECIFIED, "", "", suppressed.NONE


def _micros(moment: str) -> int:
    """Return an ISO 8601 time as Unix microseconds; 0: it is none, or has no zone."""
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return 0
    return round(read.timestamp() * 1_000_000) if read.tzinfo is not None else 0


REPORTER = Reporter(verify, parse, SETTING)
