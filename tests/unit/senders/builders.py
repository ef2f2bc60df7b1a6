"""Deliveries, messages and keys for the senders' tests."""

import base64
import os
from datetime import UTC, datetime

from clarion.common.v1 import event_pb2
from runtime.egress import EgressGuard, EgressPolicy, Ports
from runtime.ids import derived_id, new_id
from services.senders.ports import Address, Email, Reference, Sms

TENANT = "0197f1a2-0000-7000-8000-000000000001"
ADA = Address("ada", "example.org")


def encryption_key() -> str:
    """A new key, as the environment holds it."""
    return base64.b64encode(os.urandom(32)).decode()


def guard(*allow: str) -> EgressGuard:
    """Lets connections go to public addresses on the usual ports, and to what is allowed beside."""
    return EgressGuard(EgressPolicy(allow), Ports(frozenset({25, 80, 443, 465, 587}), "CLARION_EGRESS_PORTS"))


def delivery(
    channel: event_pb2.Channel.ValueType = event_pb2.CHANNEL_EMAIL,
    *,
    email: str = "ada@example.org",
    phone: str = "+254712345678",
    provider_id: str = "p1",
    tenant_id: str = TENANT,
) -> event_pb2.Delivery:
    """A delivery as the router makes it."""
    event_id = new_id()
    return event_pb2.Delivery(
        id=derived_id(event_id, str(channel)),
        event_id=event_id,
        tenant_id=tenant_id,
        event_type="order.confirmed",
        channel=channel,
        recipient=event_pb2.Recipient(user_id="u1", email=email, phone=phone),
        template_version_id=new_id(),
        provider_id=provider_id,
        trace_id="trace-1",
        attempt=1,
    )


def reference(tenant_id: str = TENANT) -> Reference:
    """New ids."""
    event_id = new_id()
    return Reference(tenant_id, event_id, derived_id(event_id, "EMAIL"), "trace-1")


def email(
    *,
    subject: str = "Order 7 is confirmed",
    text: str = "Thank you.\nSee you soon.",
    html: str = "<p>Thank you.</p>",
    recipient: Address = ADA,
    sender_name: str = "Acorn Shop",
    reply_to: Address | None = None,
) -> Email:
    """An e-mail ready for a provider."""
    ids = reference()
    return Email(
        reference=ids,
        sender_name=sender_name,
        sender=Address("orders", "acorn.example"),
        reply_to=reply_to,
        recipient=recipient,
        subject=subject,
        text=text,
        html=html,
        message_id=f"<{ids.delivery_id}@acorn.example>",
        date=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    )


def sms(text: str = "Your order is confirmed.") -> Sms:
    """A text message ready for a provider."""
    return Sms(reference(), "+254712345678", "", text)
