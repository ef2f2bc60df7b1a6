"""Callbacks as the providers post them, and the readers of their reports."""

import base64
import json
import urllib.parse
from typing import Any

from clarion.common.v1 import trace_pb2
from services.senders.reports import africastalking, resend, sendgrid, twilio
from services.senders.reports.ports import (
    ProviderCallback,
)

NOW = 1_800_000_000_000_000
DELIVERED, BOUNCED = trace_pb2.DELIVERY_STATUS_DELIVERED, trace_pb2.DELIVERY_STATUS_BOUNCED
COMPLAINED, NONE = trace_pb2.DELIVERY_STATUS_COMPLAINED, trace_pb2.DELIVERY_STATUS_UNSPECIFIED
WHSEC = "whsec_" + base64.b64encode(b"k" * 24).decode()
FORM = {"content-type": "application/x-www-form-urlencoded"}
R, S, T, A = resend.REPORT_READER, sendgrid.REPORT_READER, twilio.REPORT_READER, africastalking.REPORT_READER


def json_callback(value: Any) -> ProviderCallback:
    """Return a callback with this JSON body."""
    return ProviderCallback([], {"svix-id": "msg_1"}, json.dumps(value).encode())


def form_callback(**fields: str) -> ProviderCallback:
    """Return a callback with a form."""
    return ProviderCallback([], FORM, urllib.parse.urlencode(fields).encode())


def resend_callback(kind: str, **data: Any) -> ProviderCallback:
    """Return a callback as Resend posts it."""
    return json_callback({"type": kind, "created_at": "2027-01-15T08:00:00Z", "data": {"email_id": "m1", **data}})


def sendgrid_callback(**event: Any) -> ProviderCallback:
    """Return a callback as SendGrid posts it, with one event."""
    return json_callback(
        [{"sg_message_id": "m1.recvd-x-1.0", "sg_event_id": "e1", "timestamp": 1_800_000_000, **event}]
    )


def twilio_callback(status: str, **more: str) -> ProviderCallback:
    """Return a callback as Twilio posts it."""
    return form_callback(MessageSid="m1", MessageStatus=status, **more)


def africa_callback(status: str, **more: str) -> ProviderCallback:
    """Return a callback as Africa's Talking posts it."""
    return form_callback(id="m1", status=status, phoneNumber="+254712345678", **more)
