"""Resend's webhooks, signed as Svix does: https://resend.com/docs/webhooks/introduction."""

import base64
import hashlib
import hmac
from typing import Any

from clarion.common.v1 import trace_pb2
from services.domain import suppression_list
from services.domain.reasons import Reason
from services.senders.channels.email.resend.settings import signing_key
from services.senders.reports.fields import decode, joined, mapping, micros, text
from services.senders.reports.ports import (
    Credentials,
    DeliveryReport,
    MalformedReport,
    ProviderCallback,
    ReportReader,
    UnverifiedCallback,
)

SETTING = "webhook_secret"
TOLERANCE_S = 300

_MAX_SIGNATURES = 10
# The next message may not bounce: a full mailbox, a message too large for it.
_SOFT = frozenset({"transient", "undetermined"})


def verify(callback: ProviderCallback, credentials: Credentials, now_us: int) -> None:
    """Check svix-signature over id, timestamp and body. Raises UnverifiedCallback."""
    message_id, timestamp = callback.headers.get("svix-id", ""), callback.headers.get("svix-timestamp", "")
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise UnverifiedCallback("svix-id or svix-timestamp is missing or malformed")
    if abs(now_us / 1_000_000 - int(timestamp)) > TOLERANCE_S:
        raise UnverifiedCallback("svix-timestamp is too far from now")
    try:
        key = signing_key(str(credentials.get(SETTING, "")))
    except ValueError as error:
        raise UnverifiedCallback(f"the provider's {SETTING} is not set, or not a key") from error
    signed = f"{message_id}.{timestamp}.".encode() + callback.body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    # There are several while the secret is being replaced.
    for part in callback.headers.get("svix-signature", "").split(" ")[:_MAX_SIGNATURES]:
        version, _, signature = part.partition(",")
        if version == "v1" and hmac.compare_digest(signature.encode(), expected):
            return
    raise UnverifiedCallback("svix-signature is missing or wrong")


def is_ready(credentials: Credentials) -> bool:
    """Return whether a signature can be verified."""
    try:
        signing_key(str(credentials.get(SETTING, "")))
    except ValueError:
        return False
    return True


def parse(callback: ProviderCallback) -> list[DeliveryReport]:
    """Return the report, or none. Raises MalformedReport."""
    event = decode(callback.body)
    if not isinstance(event, dict):
        raise MalformedReport("the body is not an object")
    data = mapping(event.get("data"))
    status, reason, detail, suppression = _meaning(text(event.get("type")), data)
    if status == trace_pb2.DELIVERY_STATUS_UNSPECIFIED:
        return []
    message_id = text(data.get("email_id"))
    return [
        DeliveryReport(
            message_ids=[message_id] if message_id else [],
            status=status,
            reason=reason,
            detail=detail,
            suppression=suppression,
            occurred_us=micros(event.get("created_at")),
            address="" if message_id else _recipient(data.get("to")),
        )
    ]


def _meaning(
    kind: str, data: dict[str, Any]
) -> tuple[trace_pb2.DeliveryStatus.ValueType, str, str, suppression_list.SuppressionReason]:
    match kind:
        case "email.delivered":
            return trace_pb2.DELIVERY_STATUS_DELIVERED, "", "", suppression_list.NONE
        case "email.bounced":
            bounce = mapping(data.get("bounce"))
            is_soft = text(bounce.get("type")).lower() in _SOFT
            detail = joined(bounce.get("type"), bounce.get("subType"), bounce.get("message"))
            hard = suppression_list.NONE if is_soft else suppression_list.BOUNCED
            return (
                trace_pb2.DELIVERY_STATUS_BOUNCED,
                Reason.SOFT_BOUNCE if is_soft else Reason.HARD_BOUNCE,
                detail,
                hard,
            )
        case "email.suppressed":
            detail = "On the provider's own suppression list."
            return trace_pb2.DELIVERY_STATUS_BOUNCED, Reason.SUPPRESSED_BY_PROVIDER, detail, suppression_list.BOUNCED
        case "email.failed":
            detail = text(mapping(data.get("failed")).get("reason"))
            return trace_pb2.DELIVERY_STATUS_BOUNCED, Reason.PROVIDER_FAILED, detail, suppression_list.NONE
        case "email.complained":
            return trace_pb2.DELIVERY_STATUS_COMPLAINED, Reason.SPAM_COMPLAINT, "", suppression_list.COMPLAINED
    return trace_pb2.DELIVERY_STATUS_UNSPECIFIED, "", "", suppression_list.NONE


def _recipient(to: Any) -> str:
    """Return the only item of a list; empty: with several, it is unknown which one is meant."""
    return text(to[0]) if isinstance(to, list) and len(to) == 1 else text(to)


REPORT_READER = ReportReader(verify, parse, SETTING, is_ready)
