"""SendGrid's signed event webhook.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

import base64
import binascii
import functools
from typing import Any

import msgspec

from clarion.common.v1 import trace_pb2
from services import suppressed
from services.senders.reports.ports import (
    MAX_REPORTS,
    Callback,
    Credentials,
    MalformedError,
    RefusedError,
    Report,
    Reporter,
    unreadable,
)

SETTING = "webhook_public_key"
# What is not answered with 2xx is posted again for a day; whether it is signed anew each time is not documented.
TOLERANCE_S = 25 * 3600

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

_MEANINGS = {
    "delivered": (trace_pb2.DELIVERY_STATUS_DELIVERED, "", suppressed.NONE),
    "bounce": (trace_pb2.DELIVERY_STATUS_BOUNCED, "hard_bounce", suppressed.BOUNCED),
    "dropped": (trace_pb2.DELIVERY_STATUS_BOUNCED, "dropped", suppressed.NONE),
    "spamreport": (trace_pb2.DELIVERY_STATUS_COMPLAINED, "spam_complaint", suppressed.COMPLAINED),
    "unsubscribe": (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, "unsubscribed", suppressed.UNSUBSCRIBED),
    "group_unsubscribe": (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, "unsubscribed", suppressed.UNSUBSCRIBED),
}
# Why SendGrid did not even try, where that says something about the recipient.
_DROPPED = {
    "bounced address": suppressed.BOUNCED,
    "spam reporting address": suppressed.COMPLAINED,
    "unsubscribed address": suppressed.UNSUBSCRIBED,
}


class _Event(msgspec.Struct):
    event: str = ""
    sg_message_id: str = ""
    # What is said besides: whatever its form, it must not cost the report.
    sg_event_id: Any = ""
    timestamp: Any = 0
    type: Any = ""
    reason: Any = ""
    response: Any = ""
    status: Any = ""


_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def verify(callback: Callback, credentials: Credentials, now_us: int) -> None:
    """Check the ECDSA signature over timestamp and body. Raises RefusedError."""
    timestamp = callback.headers.get(_TIMESTAMP, "")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise RefusedError("the timestamp is missing or malformed")
    if abs(now_us / 1_000_000 - int(timestamp)) > TOLERANCE_S:
        raise RefusedError("the timestamp is too far from now")
    key = _key(str(credentials.get(SETTING, "")))
    if key is None:
        raise RefusedError(f"the provider's {SETTING} is not set, or not one")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        signature = base64.b64decode(callback.headers.get(_SIGNATURE, ""), validate=True)
        key.verify(signature, timestamp.encode() + callback.body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise RefusedError("the signature is missing or wrong") from error


def parse(callback: Callback) -> list[Report]:
    """Return the reports among the events; one that cannot be read does not cost the others. Raises MalformedError."""
    try:
        events = _decode(callback.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedError(str(error)) from error
    if len(events) > MAX_REPORTS:
        raise MalformedError(f"more than {MAX_REPORTS} events")
    reports = [_report(event) for event in events]
    return [report for report in reports if report is not None]


def _report(raw: msgspec.Raw) -> Report | None:
    try:
        event = _decode_event(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return unreadable(str(error))
    meaning = _meaning(event)
    if meaning is None or not event.sg_message_id:
        return None
    status, reason, detail, suppression = meaning
    return Report(
        message_ids=message_ids(event.sg_message_id),
        status=status,
        reason=reason,
        detail=detail,
        suppression=suppression,
        occurred_us=_micros(event.timestamp),
        id=_text(event.sg_event_id),
    )


def _meaning(
    event: _Event,
) -> tuple[trace_pb2.DeliveryStatus.ValueType, str, str, suppressed.Reason] | None:
    known = _MEANINGS.get(event.event)
    if known is None:
        return None
    status, reason, suppression = known
    if event.event == "bounce" and event.type == "blocked":  # by the server, for now: not for want of the mailbox
        reason, suppression = "blocked", suppressed.NONE
    elif event.event == "dropped":
        suppression = _DROPPED.get(_text(event.reason).strip().lower(), suppressed.NONE)
    words = _text(event.status), _text(event.reason) or _text(event.response)
    return status, reason, " ".join(filter(None, words)), suppression


def _text(word: Any) -> str:
    return str(word) if isinstance(word, str | int | float) else ""


def _micros(word: Any) -> int:
    """Return Unix seconds as microseconds; 0: they are none."""
    try:
        seconds = float(word or 0)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(seconds * 1_000_000) if 0 < seconds < 2**33 else 0  # NaN is neither


def message_ids(sg_message_id: str) -> list[str]:
    """Return what the answer to the send may have called it: an event's id goes on with ".filter…" or ".recvd…"."""
    whole = sg_message_id.partition("@")[0]
    marks = [at for mark in (".filter", ".recvd", ".recv-") if (at := whole.find(mark)) > 0]
    return list(dict.fromkeys([whole[: min(marks)] if marks else whole, whole.partition(".")[0]]))


@functools.lru_cache(maxsize=256)
def _key(text: str) -> Any:
    """Return the public key in text (base64 of its DER form); None: it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


REPORTER = Reporter(verify, parse, SETTING)
