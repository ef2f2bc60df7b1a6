"""The headers that every e-mail has, with every provider."""

import re

from services.senders.ports import Address, Email

EVENT_HEADER = "X-Clarion-Event"
DELIVERY_HEADER = "X-Clarion-Delivery"
TENANT_HEADER = "X-Clarion-Tenant"

# RFC 5322's atoms, and letters of other scripts, which JSON carries as they are.
_PLAIN_NAME = re.compile(r"[\w!#$%&'*+/=?^`{|}~ -]+")


def own_headers(message: Email) -> dict[str, str]:
    """Return the headers that Clarion sets, by name: ASCII, one line each."""
    return {
        # Prevents out-of-office replies (RFC 3834).
        "Auto-Submitted": "auto-generated",
        TENANT_HEADER: message.reference.tenant_id,
        EVENT_HEADER: message.reference.event_id,
        DELIVERY_HEADER: message.reference.delivery_id,
        **(_unsubscribe(message.unsubscribe_url) if message.unsubscribe_url else {}),
    }


def _unsubscribe(url: str) -> dict[str, str]:
    """Return the headers for unsubscribing with one click (RFC 2369, RFC 8058)."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def mailbox(name: str, address: Address) -> str:
    """Return "Name <address>" in Unicode, the name quoted if necessary; without a name only the address."""
    if not name:
        return str(address)
    if not _PLAIN_NAME.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"
