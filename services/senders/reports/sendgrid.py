"""SendGrid's signed event webhook.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

import base64
from typing import Any

from clarion.common.v1 import trace_pb2
from services.domain import suppression_list
from services.domain.reasons import Reason
from services.senders.channels.email.sendgrid.settings import public_key
from services.senders.reports.fields import decode, joined, micros, text
from services.senders.reports.ports import (
    MAX_REPORTS,
    Credentials,
    DeliveryReport,
    MalformedReport,
    ProviderCallback,
    ReportReader,
    UnverifiedCallback,
    unreadable,
)

SETTING = "webhook_public_key"
# SendGrid repeats for a day what is not answered with 2xx. It is not documented whether it signs each time.
TOLERANCE_S = 25 * 3600

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

_MEANINGS = {
    "delivered": (trace_pb2.DELIVERY_STATUS_DELIVERED, "", suppression_list.NONE),
    "bounce": (trace_pb2.DELIVERY_STATUS_BOUNCED, Reason.HARD_BOUNCE, suppression_list.BOUNCED),
    "dropped": (trace_pb2.DELIVERY_STATUS_BOUNCED, Reason.DROPPED, suppression_list.NONE),
    "spamreport": (trace_pb2.DELIVERY_STATUS_COMPLAINED, Reason.SPAM_COMPLAINT, suppression_list.COMPLAINED),
    "unsubscribe": (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, Reason.UNSUBSCRIBED, suppression_list.UNSUBSCRIBED),
    "group_unsubscribe": (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, Reason.UNSUBSCRIBED, suppression_list.UNSUBSCRIBED),
}
# Reasons for which SendGrid drops a mail, if they are about the recipient.
_DROPPED = {
    "bounced address": suppression_list.BOUNCED,
    "spam reporting address": suppression_list.COMPLAINED,
    "unsubscribed address": suppression_list.UNSUBSCRIBED,
}


def verify(callback: ProviderCallback, credentials: Credentials, now_us: int) -> None:
    """Check the ECDSA signature over timestamp and body. Raises UnverifiedCallback."""
    timestamp = callback.headers.get(_TIMESTAMP, "")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise UnverifiedCallback("the timestamp is missing or malformed")
    if abs(now_us / 1_000_000 - int(timestamp)) > TOLERANCE_S:
        raise UnverifiedCallback("the timestamp is too far from now")
    try:
        key = public_key(str(credentials.get(SETTING, "")))
    except ValueError as error:
        raise UnverifiedCallback(f"the provider's {SETTING} is not set, or not a key") from error
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        signature = base64.b64decode(callback.headers.get(_SIGNATURE, ""), validate=True)
        key.verify(signature, timestamp.encode() + callback.body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise UnverifiedCallback("the signature is missing or wrong") from error


def is_ready(credentials: Credentials) -> bool:
    """Return whether a signature can be verified."""
    try:
        public_key(str(credentials.get(SETTING, "")))
    except ValueError:
        return False
    return True


def parse(callback: ProviderCallback) -> list[DeliveryReport]:
    """Return the reports among the events; an unreadable one does not affect the others. Raises MalformedReport."""
    events = decode(callback.body)
    if not isinstance(events, list):
        raise MalformedReport("the body is not a list")
    if len(events) > MAX_REPORTS:
        raise MalformedReport(f"more than {MAX_REPORTS} events")
    reports = [_report(event) for event in events]
    return [report for report in reports if report is not None]


def _report(event: Any) -> DeliveryReport | None:
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return unreadable("an event is no object, or does not say which event it is")
    meaning = _meaning(event)
    if meaning is None:
        return None
    status, reason, suppression = meaning
    message_id = text(event.get("sg_message_id"))
    return DeliveryReport(
        # A bounce after the server accepted the mail has no such id, at best the mail's own.
        message_ids=message_ids(message_id or text(event.get("smtp-id"))),
        status=status,
        reason=reason,
        detail=joined(event.get("status"), text(event.get("reason")) or event.get("response")),
        suppression=suppression,
        occurred_us=micros(event.get("timestamp")),
        address="" if message_id else text(event.get("email")),
    )


def _meaning(
    event: dict[str, Any],
) -> tuple[trace_pb2.DeliveryStatus.ValueType, str, suppression_list.SuppressionReason] | None:
    known = _MEANINGS.get(event["event"])
    if known is None:
        return None
    status, reason, suppression = known
    if event["event"] == "bounce" and text(event.get("type")).lower() == "blocked":
        reason, suppression = Reason.BLOCKED, suppression_list.NONE  # by the server, for now: the mailbox may exist
    elif event["event"] == "dropped":
        suppression = _DROPPED.get(text(event.get("reason")).lower(), suppression_list.NONE)
    return status, reason, suppression


def message_ids(given: str) -> list[str]:
    """Return what the answer to the send may have called a message: an event's id goes on with ".filter…" or ".recvd…",
    a mail's own id, "<…@…>", starts with it.
    """
    whole = given.strip("<>").partition("@")[0]
    marks = [at for mark in (".filter", ".recvd", ".recv-") if (at := whole.find(mark)) > 0]
    found = dict.fromkeys([whole[: min(marks)] if marks else whole, whole.partition(".")[0]])
    return [message_id for message_id in found if message_id]


REPORT_READER = ReportReader(verify, parse, SETTING, is_ready)
