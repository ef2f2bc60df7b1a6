"""Calls that the recorded state is made with, and that are repeated after the upgrade."""

import hashlib
import hmac
from typing import Any

from checks.client import Answer, Operator, Tenant

EMAIL, PHONE = "ada@example.com", "+254712345678"
ALL = {"EMAIL": "sent", "SMS": "sent", "PUSH": "sent"}
# Much more than the 4 KiB that each delivery may carry itself, and small when compressed.
LARGE = [{"name": "A lamp with a long description", "price": 3000}] * 100

# Addresses that get no newsletter, and why.
SUPPRESSED = {"quiet@example.com": "manual", "left@example.com": "unsubscribed"}
MAIL_AND_PUSH = {"EMAIL": "sent", "PUSH": "sent"}


def call(
    event_type: str,
    marker: str,
    user_id: str,
    *,
    email: str = EMAIL,
    locale: str = "",
    channels: list[str] | None = None,
    **variables: Any,
) -> dict[str, Any]:
    """Return the body of a trigger."""
    payload = {"userId": user_id, "recipientEmail": email, "recipientPhone": PHONE}
    if locale:
        payload["locale"] = locale
    body: dict[str, Any] = {"eventType": event_type, "payload": payload, "variables": {"marker": marker, **variables}}
    return body if channels is None else {**body, "channels": channels}


def signature(secret: str, raw: bytes) -> dict[str, str]:
    """Return the header that signs a body; none without a secret."""
    return {"X-Orqestra-Signature": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()} if secret else {}


async def trigger(tenant: Tenant, raw: bytes, *, key: str = "", secret: str = "") -> Answer:
    """Send a body, signed and with a key where there is one."""
    headers = {**signature(secret, raw), **({"X-Idempotency-Key": key} if key else {})}
    return await tenant.trigger(raw=raw, headers=headers)


async def suppression(operator: Operator, tenant: Tenant, address: str, event_type: str = "news") -> str:
    """Return why the mail of an event type is not sent to an address; empty: it is."""
    query = f"tenant_id={tenant.id}&event_type={event_type}&user_id=u&email={address}&channels=EMAIL"
    planned = (await operator.must("GET", f"/route-explain?{query}"))["deliveries"]
    reason = next(one["reason"] for one in planned if one["channel"] == "EMAIL")
    return str(reason or "").removeprefix("suppressed_")
